package registry

import (
	"fmt"
	"net"
	"net/netip"
	"path"
	"strconv"
	"strings"
)

// AddressError says that nobody could reach a node at its address.
type AddressError struct {
	Address string
	Reason  string
}

// Error names both.
func (e *AddressError) Error() string {
	return fmt.Sprintf("node address %.80q cannot be registered: %s", e.Address, e.Reason)
}

// checkAddress returns an *AddressError or nil.
func checkAddress(address string) error {
	reason := ""
	switch scheme, rest, found := strings.Cut(address, "://"); {
	case checkText("address", address) != nil:
		reason = fmt.Sprintf("it is not printable text of %d bytes at most", maxText)
	case !found:
		reason = checkHostPort(address)
	case scheme == "" || rest == "":
		reason = "it is not SCHEME://REST"
	case scheme == "unix" && !path.IsAbs(rest) && rest[0] != '@':
		reason = "the path of a unix socket has to be absolute: others have their own folders"
	case scheme == "unix" || scheme == "mem":
	default:
		hostPort, _, _ := strings.Cut(rest, "/") // as in ws://HOST:PORT/PATH
		reason = checkHostPort(hostPort)
	}
	if reason != "" {
		return &AddressError{Address: address, Reason: reason}
	}
	return nil
}

// checkHostPort returns what is wrong, if anything.
func checkHostPort(s string) string {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "it is not HOST:PORT"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "its port is not a number from 1 to 65535"
	}
	if host == "" {
		return "it has no host: listeners take that for all addresses, others cannot dial it"
	}
	ip, err := netip.ParseAddr(host)
	if err == nil && ip.WithZone("").Unmap().IsUnspecified() {
		return "its host means all addresses of a machine: register one that others can dial"
	}
	// Resolvers take numbers such as 0 or 127.1 for addresses, each in its way.
	if err != nil && strings.Trim(host, "0123456789.") == "" {
		return "its host is neither an IP address nor a name"
	}
	if err != nil && strings.ContainsAny(host, " /@%[]:") {
		return "its host is neither an IP address nor a name"
	}
	return ""
}
