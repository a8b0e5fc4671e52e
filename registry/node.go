package registry

import (
	"cmp"
	"fmt"
	"maps"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxName     = 128      // bytes of a service's name
	maxText     = 512      // bytes of an id, address or version
	maxMetadata = 16 << 10 // bytes of all keys and values of a node
)

// Service is a name and the nodes that serve it.
type Service struct {
	Name  string
	Nodes []Node // in order of their ids, each id once
}

// Node is one place where a service can be reached.
type Node struct {
	ID       string            // unique in the service; NAME-ADDRESS if not given; 512 bytes at most
	Address  string            // HOST:PORT or SCHEME://REST as others can dial it; 512 bytes at most
	Version  string            // of the program, may be empty; 512 bytes at most
	Metadata map[string]string // anything that others should know; 16 KiB in all at most
}

// Clone returns a copy that shares nothing with s.
func (s Service) Clone() Service {
	if s.Nodes == nil {
		return s
	}
	nodes := make([]Node, len(s.Nodes))
	for i, n := range s.Nodes {
		nodes[i] = n.Clone()
	}
	s.Nodes = nodes
	return s
}

// Equal tells whether both say the same.
func (s Service) Equal(o Service) bool {
	if s.Name != o.Name || len(s.Nodes) != len(o.Nodes) {
		return false
	}
	for i, n := range s.Nodes {
		if !n.Equal(o.Nodes[i]) {
			return false
		}
	}
	return true
}

// Clone returns a copy that shares nothing with n.
func (n Node) Clone() Node {
	n.Metadata = maps.Clone(n.Metadata)
	return n
}

// Equal tells whether both say the same.
func (n Node) Equal(o Node) bool {
	return n.ID == o.ID && n.Address == o.Address && n.Version == o.Version && maps.Equal(n.Metadata, o.Metadata)
}

// Complete is what an implementation does with a node before all else: it
// returns a copy with its id filled in, or says what is wrong: an [*AddressError]
// if it is the address.
func Complete(service string, n Node) (Node, error) {
	if err := CheckName(service); err != nil {
		return Node{}, err
	}
	if err := checkAddress(n.Address); err != nil {
		return Node{}, err
	}
	n = n.Clone()
	n.ID = cmp.Or(n.ID, service+"-"+n.Address)
	if err := checkText("id", n.ID); err != nil {
		return Node{}, err
	}
	if err := checkText("version", n.Version); err != nil {
		return Node{}, err
	}
	return n, checkMetadata(n.Metadata)
}

// CheckName refuses names of services that are not 1 to 128 letters, digits,
// dots, dashes and underscores, the first of them a letter or digit.
func CheckName(service string) error {
	if service == "" {
		return fmt.Errorf("a service has no name")
	}
	if len(service) > maxName {
		return fmt.Errorf("service name %.40q... has %d bytes, %d are the limit", service, len(service), maxName)
	}
	for i, c := range []byte(service) {
		alphanumeric := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alphanumeric && (i == 0 || strings.IndexByte("._-", c) < 0) {
			return fmt.Errorf("service name %.40q has other characters than letters, digits, dots, dashes and "+
				"underscores, or does not begin with one of the first two", service)
		}
	}
	return nil
}

func checkText(what, s string) error {
	if len(s) > maxText {
		return fmt.Errorf("node %s %.40q... has %d bytes, %d are the limit", what, s, len(s), maxText)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("node %s %.40q is not printable text", what, s)
	}
	return nil
}

func checkMetadata(m map[string]string) error {
	size := 0
	for k, v := range m {
		size += len(k) + len(v)
	}
	if size > maxMetadata {
		return fmt.Errorf("node metadata has %d bytes, %d are the limit", size, maxMetadata)
	}
	return nil
}
