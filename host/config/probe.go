package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

// The descriptors that a newline may come on.
const (
	firstFD = 3
	lastFD  = 255
)

// aReadiness is a probe that tells when a start is done.
func aReadiness() kind[Probe] {
	return kind[Probe]{"probe", func(b *builder, n *node) (Probe, error) {
		text, err := n.asText()
		if err != nil {
			return Probe{}, err
		}
		return b.probe(n, text, "started", "notify", "newline:FD", "tcp://HOST:PORT", "unix://PATH", "http://URL", "exec:COMMAND", "log:REGEXP")
	}, Probe.String}
}

// aLiveness is a probe of something that runs; none switches it off.
func aLiveness() kind[Probe] {
	return kind[Probe]{"probe", func(b *builder, n *node) (Probe, error) {
		text, err := n.asText()
		if err != nil {
			return Probe{}, err
		}
		if text == "none" {
			return Probe{Kind: ProbeStarted}, nil
		}
		return b.probe(n, text, "none", "tcp://HOST:PORT", "unix://PATH", "http://URL", "exec:COMMAND")
	}, func(p Probe) string {
		if p.Kind == ProbeStarted {
			return ""
		}
		return p.String()
	}}
}

// probe reads one of the forms.
func (b *builder) probe(n *node, text string, forms ...string) (Probe, error) {
	scheme, rest, ok := strings.Cut(text, ":")
	if form := formOf(scheme, forms); form == "" || !ok && strings.Contains(form, ":") && scheme != "newline" {
		return Probe{}, unknownProbe(text, scheme, ok, forms)
	}
	p := Probe{Kind: ProbeKind(scheme)}
	address, slashes := strings.CutPrefix(rest, "//")
	var err error
	switch scheme {
	case "started", "notify":
		if ok {
			err = fmt.Errorf("%s takes nothing after it", scheme)
		}
	case "newline":
		p.FD, err = parseFD(rest, ok)
	case "exec":
		if p.Command, err = splitWords(rest); err == nil {
			err = checkWords(p.Command)
		}
	case "log":
		p.Pattern, err = rest, checkPattern(rest)
	case "http", "https":
		p.Kind, p.Address = ProbeHTTP, text
		err = b.probeURL(text)
	default:
		if !slashes {
			return p, &reason{text: "want " + scheme + "://ADDRESS", nearest: scheme + "://" + rest}
		}
		if scheme == "unix" {
			p.at = n.where()
			p.Address, err = unixPath(address)
		} else {
			p.Address, err = b.probeTCP(address)
		}
		err = withPrefix(scheme+"://", err)
	}
	return p, err
}

// formOf finds the form that begins with scheme.
func formOf(scheme string, forms []string) string {
	for _, form := range forms {
		if word, _, _ := strings.Cut(form, ":"); word == scheme || word == "http" && scheme == "https" {
			return form
		}
	}
	return ""
}

func unknownProbe(text, scheme string, hasRest bool, forms []string) error {
	why := &reason{text: "must be " + orList(forms)}
	var words []string
	for _, form := range forms {
		word, _, _ := strings.Cut(form, ":")
		words = append(words, word)
	}
	if near := nearest(scheme, words); near != "" {
		why.nearest = near + strings.TrimPrefix(text, scheme)
	} else if _, port, err := net.SplitHostPort(text); err == nil && hasRest && strings.Trim(port, "0123456789") == "" {
		why.nearest = "tcp://" + text
	} else if strings.HasPrefix(text, "/") {
		why.nearest = "unix://" + text
	}
	return why
}

func checkPattern(text string) error {
	if text == "" {
		return errors.New("the pattern is empty: every line would match")
	}
	_, err := regexp.Compile(text)
	if bad, ok := errors.AsType[*syntax.Error](err); ok {
		return fmt.Errorf("the pattern is malformed: %s in %s", bad.Code, cut(bad.Expr, 80))
	}
	return err
}

func parseFD(text string, given bool) (int, error) {
	if !given {
		return firstFD, nil
	}
	fd, err := strconv.ParseUint(text, 10, 16)
	if err != nil || fd < firstFD || fd > lastFD {
		return 0, fmt.Errorf("the descriptor must be a number from %d to %d", firstFD, lastFD)
	}
	return int(fd), nil
}

// probeTCP checks that a connection can be made to HOST:PORT at all.
func (b *builder) probeTCP(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		var bad *net.AddrError
		if errors.As(err, &bad) {
			return "", fmt.Errorf("want HOST:PORT: %s", bad.Err)
		}
		return "", fmt.Errorf("want HOST:PORT: %w", err)
	}
	number, err := strconv.ParseUint(port, 10, 64)
	if err != nil || number < 1 || number > 65535 {
		return "", errors.New("the port must be a number from 1 to 65535")
	}
	port = strconv.FormatUint(number, 10)
	addr, err := netip.ParseAddr(host)
	switch {
	case host == "" || err == nil && addr.IsUnspecified():
		local := "127.0.0.1"
		if addr.Is6() {
			local = "::1"
		}
		return "", &reason{text: "nothing says which address to connect to", nearest: net.JoinHostPort(local, port)}
	case err == nil && (addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255})):
		return "", fmt.Errorf("no connection can be made to %s", addr)
	case err == nil:
		return net.JoinHostPort(addr.String(), port), nil
	}
	if _, err := resolve(b.ctx, "tcp", host, b.lookup); err != nil {
		return "", err
	}
	return net.JoinHostPort(host, port), nil
}

// probeURL checks the URL of a probe by http.
func (b *builder) probeURL(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		var bad *url.Error
		if errors.As(err, &bad) {
			err = bad.Err
		}
		return fmt.Errorf("the URL is malformed: %s", oneLine(err.Error()))
	}
	switch {
	case u.Opaque != "" || u.Host == "":
		return errors.New("the URL has no host")
	case u.Fragment != "":
		return errors.New("no server gets to see what stands after the #")
	}
	_, err = b.probeTCP(net.JoinHostPort(u.Hostname(), portOf(u)))
	if why, ok := errors.AsType[*reason](err); ok {
		u.Host = why.nearest
		return &reason{text: why.text, nearest: u.String()}
	}
	return err
}

func portOf(u *url.URL) string {
	switch port := u.Port(); {
	case port != "":
		return port
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// String is the probe as it is written in a file.
func (p Probe) String() string {
	switch p.Kind {
	case ProbeNewline:
		return "newline:" + strconv.Itoa(p.FD)
	case ProbeTCP, ProbeUnix:
		return string(p.Kind) + "://" + p.Address
	case ProbeHTTP:
		return p.Address
	case ProbeExec:
		return "exec:" + showCommand(p.Command)
	case ProbeLog:
		return "log:" + p.Pattern
	}
	return string(p.Kind)
}
