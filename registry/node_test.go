package registry_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/dserver/dserver/registry"
)

// F56: 0.0.0.0 used to be registered, which every client dialled on its own
// machine.
func TestF56AnAddressThatNobodyCanDialIsRefused(t *testing.T) {
	for _, address := range []string{
		"0.0.0.0:80", "[::]:80", "[::%eth0]:80", "[::ffff:0.0.0.0]:80", "[0:0::0]:80", ":80", "0:80", "000.0.0.0:80",
		"tcp://0.0.0.0:80", "tcp://:80", "ws://[::]:80/path", "tcp://", "://x", "unix://relative",
		"", "host", "host:", "host:0", "host:65536", "host:http", "host:-1", "::1:80", "a b:80", "a/b:80", "a\n:80",
		strings.Repeat("x", 512) + ":80",
	} {
		_, err := registry.Complete("users", registry.Node{Address: address})
		var bad *registry.AddressError
		if !errors.As(err, &bad) || bad.Address != address || bad.Reason == "" {
			t.Errorf("%q: got %v", address, err)
		}
	}
	for _, address := range []string{
		"127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80", "10.0.0.0:65535", "users.example:1", "host_1:80", "1a:80",
		"tcp://10.0.0.1:80", "ws://host:80/path", "unix:///run/users.sock", "unix://@users", "mem://users",
	} {
		n, err := registry.Complete("users", registry.Node{Address: address})
		if err != nil || n.Address != address || n.ID != "users-"+address {
			t.Errorf("%q: got %+v, %v", address, n, err)
		}
	}
}

func TestBadNodesAreRefused(t *testing.T) {
	const fine = "10.0.0.1:80"
	for what, n := range map[string]registry.Node{
		"long id":       {ID: strings.Repeat("x", 513), Address: fine},
		"id":            {ID: "a\x00", Address: fine},
		"id of no text": {ID: "\xff", Address: fine},
		"version":       {Version: "1\n2", Address: fine},
		"long metadata": {Metadata: map[string]string{"k": strings.Repeat("x", 16<<10)}, Address: fine},
		"nothing":       {},
	} {
		if _, err := registry.Complete("users", n); err == nil {
			t.Errorf("%s: got no error", what)
		}
	}
	limit := registry.Node{ID: strings.Repeat("x", 512), Address: fine, Metadata: map[string]string{"k": strings.Repeat("x", 16<<10-1)}}
	if _, err := registry.Complete("users", limit); err != nil {
		t.Error(err)
	}
}

func TestBadNamesAreRefused(t *testing.T) {
	for _, name := range []string{"", ".a", "-a", "a/b", "a b", "ä", "a\x00", strings.Repeat("a", 129)} {
		if registry.CheckName(name) == nil {
			t.Errorf("%q is taken", name)
		}
	}
	for _, name := range []string{"a", "A.b-c_d9", "9", strings.Repeat("a", 128)} {
		if err := registry.CheckName(name); err != nil {
			t.Error(err)
		}
	}
}

func TestCompleteSharesNothing(t *testing.T) {
	given := registry.Node{ID: "x", Address: "10.0.0.1:80", Metadata: map[string]string{"zone": "a"}}
	n, err := registry.Complete("users", given)
	if err != nil {
		t.Fatal(err)
	}
	given.Metadata["zone"] = "b"
	if n.Metadata["zone"] != "a" {
		t.Error("metadata is shared")
	}
}

func TestEqualSeesEveryDifference(t *testing.T) {
	service := func() registry.Service {
		return registry.Service{Name: "s", Nodes: []registry.Node{
			{ID: "i", Address: "a", Version: "v", Metadata: map[string]string{"k": "v"}}}}
	}
	s := service()
	if !s.Equal(service()) || !s.Equal(s.Clone()) {
		t.Error("a copy is not equal")
	}
	for i, change := range []func(*registry.Service){
		func(s *registry.Service) { s.Name = "" },
		func(s *registry.Service) { s.Nodes = nil },
		func(s *registry.Service) { s.Nodes[0].ID = "" },
		func(s *registry.Service) { s.Nodes[0].Address = "" },
		func(s *registry.Service) { s.Nodes[0].Version = "" },
		func(s *registry.Service) { s.Nodes[0].Metadata["k"] = "" },
	} {
		changed := s.Clone()
		change(&changed)
		if s.Equal(changed) || !s.Equal(service()) {
			t.Errorf("change %d is not seen, or changed the original", i)
		}
	}
}
