package transport

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
)

// Transport opens connections of one kind. Connections are ordered and reliable
// byte streams with working deadlines.
type Transport interface {
	// Scheme is what stands before "://" in its addresses.
	Scheme() string
	// Dial connects to address, which comes without scheme; it gives up when ctx
	// ends.
	Dial(ctx context.Context, address string) (net.Conn, error)
	// Listen opens address, which comes without scheme.
	Listen(ctx context.Context, address string) (net.Listener, error)
}

// Set is an unchanging set of transports by scheme.
type Set struct {
	byScheme map[string]Transport
	schemes  []string // sorted
}

// NewSet checks that schemes are there and unique.
func NewSet(transports ...Transport) (*Set, error) {
	s := &Set{byScheme: make(map[string]Transport, len(transports))}
	for _, t := range transports {
		if t == nil || t.Scheme() == "" {
			return nil, fmt.Errorf("cannot use transport %v: it has no scheme", t)
		}
		if _, taken := s.byScheme[t.Scheme()]; taken {
			return nil, fmt.Errorf("cannot use two transports for %s://", t.Scheme())
		}
		s.byScheme[t.Scheme()] = t
		s.schemes = append(s.schemes, t.Scheme())
	}
	slices.Sort(s.schemes)
	return s, nil
}

// Dial connects to "scheme://address".
func (s *Set) Dial(ctx context.Context, address string) (net.Conn, error) {
	t, rest, err := s.resolve(address)
	if err != nil {
		return nil, fmt.Errorf("cannot dial %q: %w", address, err)
	}
	return t.Dial(ctx, rest)
}

// Listen opens "scheme://address".
func (s *Set) Listen(ctx context.Context, address string) (net.Listener, error) {
	t, rest, err := s.resolve(address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: %w", address, err)
	}
	return t.Listen(ctx, rest)
}

// Check tells whether address names a transport of the set.
func (s *Set) Check(address string) error {
	_, _, err := s.resolve(address)
	return err
}

func (s *Set) resolve(address string) (Transport, string, error) {
	scheme, rest, found := strings.Cut(address, "://")
	if !found || rest == "" {
		return nil, "", fmt.Errorf("an address looks like scheme://where, with one of the schemes %s", strings.Join(s.schemes, ", "))
	}
	t, known := s.byScheme[scheme]
	if !known {
		return nil, "", fmt.Errorf("no transport for %s://, there is %s", scheme, strings.Join(s.schemes, ", "))
	}
	return t, rest, nil
}
