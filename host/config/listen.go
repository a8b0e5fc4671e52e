package config

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dserver/dserver/host/rundir"
)

// Listen is one socket of a sandbox or a program.
type Listen struct {
	// Name is the listen name, or the index from 0 if the socket has none. With
	// the sandbox or program it is the identity of the socket over reloads.
	Name string
	// Network is tcp, tcp4, tcp6 or unix, as net.Listen takes it.
	Network string
	// Address is normalised: HOST:PORT with an IP address as HOST, or none for
	// all addresses; or the path of a unix socket, which is relative to the
	// runtime folder until [Config.Resolve].
	Address string

	at string // where it was set, for the errors of Resolve
}

// String is the socket as it is written in a file: tcp://127.0.0.1:9091.
func (l Listen) String() string { return l.Network + "://" + l.Address }

func networks() []string { return []string{"tcp", "tcp4", "tcp6", "unix"} }

// Lookup finds the addresses of a host by its name.
type Lookup func(ctx context.Context, host string) ([]netip.Addr, error)

// parseListen reads and normalises an address; Name is left to the caller.
func parseListen(ctx context.Context, text string, lookup Lookup) (Listen, error) {
	network, address, ok := strings.Cut(text, "://")
	if !ok {
		why := &reason{text: "want SCHEME://ADDRESS with the scheme " + orList(networks())}
		if _, _, err := net.SplitHostPort(text); err == nil {
			why.nearest = "tcp://" + text
		} else if strings.Contains(text, "/") || strings.HasSuffix(text, ".sock") {
			why.nearest = "unix://" + text
		}
		return Listen{}, why
	}
	l := Listen{Network: network}
	var err error
	switch {
	case !slices.Contains(networks(), network):
		why := &reason{text: "unknown scheme; want " + orList(networks())}
		if near := nearest(network, networks()); near != "" {
			why.nearest = near + "://" + address
		}
		return Listen{}, why
	case network == "unix":
		l.Address, err = unixPath(address)
	default:
		l.Address, err = tcpAddress(ctx, network, address, lookup)
	}
	return l, err
}

// unixPath checks a path as far as it can be without the runtime folder.
func unixPath(path string) (string, error) {
	_, last := filepath.Split(path)
	switch {
	case path == "":
		return "", errors.New("the path is empty")
	case strings.ContainsRune(path, 0):
		return "", errors.New("the path has a zero byte")
	case last == "" || last == "." || last == "..":
		return "", errors.New("the path must name a socket, not a folder")
	}
	path = filepath.Clean(path)
	if filepath.IsAbs(path) {
		return path, rundir.CheckSocket(path)
	}
	first, _, _ := strings.Cut(path, "/")
	switch {
	case !filepath.IsLocal(path):
		return "", errors.New("a relative path lies in the runtime folder and must not leave it")
	case rundir.Reserved(first):
		return "", fmt.Errorf("%s in the runtime folder belongs to the instance itself", first)
	}
	return path, nil
}

// tcpAddress makes HOST:PORT of what was written.
func tcpAddress(ctx context.Context, network, address string, lookup Lookup) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		var bad *net.AddrError
		if errors.As(err, &bad) {
			return "", fmt.Errorf("want HOST:PORT: %s", bad.Err)
		}
		return "", fmt.Errorf("want HOST:PORT: %w", err)
	}
	number, err := strconv.ParseUint(port, 10, 64)
	if err != nil || number > 65535 {
		return "", errors.New("the port must be a number from 0 to 65535")
	}
	port = strconv.FormatUint(number, 10)
	if host == "" {
		return ":" + port, nil
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		if addr, err = resolve(ctx, network, host, lookup); err != nil {
			return "", err
		}
	}
	addr = addr.Unmap()
	if !fits(network, addr) {
		return "", fmt.Errorf("%s does not take the address %s", network, addr)
	}
	return net.JoinHostPort(addr.String(), port), nil
}

// resolve looks a host name up. Of several addresses it takes an IPv4 one if the
// network allows, as net.Listen does.
func resolve(ctx context.Context, network, host string, lookup Lookup) (netip.Addr, error) {
	addrs, err := lookup(ctx, host)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("cannot find the address of host %s: %w", cut(host, 80), err)
	}
	var found netip.Addr
	for _, addr := range addrs {
		addr = addr.Unmap()
		if fits(network, addr) && (!found.IsValid() || addr.Is4() && !found.Is4()) {
			found = addr
		}
	}
	if !found.IsValid() {
		return found, fmt.Errorf("host %s has no address for %s", cut(host, 80), network)
	}
	return found, nil
}

func fits(network string, addr netip.Addr) bool {
	return network == "tcp" || addr.Is4() == (network == "tcp4")
}

// overlaps tells whether the kernel would refuse to open both.
func (l Listen) overlaps(o Listen) bool {
	if l.Network == "unix" || o.Network == "unix" {
		return l.Network == o.Network && l.Address == o.Address
	}
	host, port, _ := net.SplitHostPort(l.Address)
	other, otherPort, _ := net.SplitHostPort(o.Address)
	if port != otherPort || port == "0" {
		return false
	}
	a, b := reachOf(l.Network, host), reachOf(o.Network, other)
	if !(a.v4 && b.v4 || a.v6 && b.v6) {
		return false
	}
	return a.all || b.all || host == other
}

// reach is what a TCP socket covers.
type reach struct{ v4, v6, all bool }

func reachOf(network, host string) reach {
	addr, _ := netip.ParseAddr(host) // invalid if there is no host
	r := reach{all: !addr.IsValid() || addr.IsUnspecified()}
	// Without a host, or with [::], tcp means both families.
	both := network == "tcp" && r.all && !addr.Is4()
	r.v4 = both || network == "tcp4" || addr.Is4()
	r.v6 = both || network == "tcp6" || addr.Is6()
	return r
}
