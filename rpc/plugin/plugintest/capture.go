package plugintest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// Capture is a conversation between two older peers, seen from between them.
type Capture struct{ pieces []piece }

// piece is one frame, or the end of what a side says.
type piece struct {
	Dir string `json:"dir"` // c2s or s2c
	Hex string `json:"hex"`
}

// The sides of a conversation.
const (
	Client = "c2s" // who dialled
	Server = "s2c"
)

// ReadCapture reads a conversation from a file of the caller's testdata.
func ReadCapture(t testing.TB, name string) Capture {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var c Capture
	if err := json.Unmarshal(b, &c.pieces); err != nil || len(c.pieces) == 0 {
		t.Fatalf("%s: %d pieces, %v", name, len(c.pieces), err)
	}
	return c
}

// Play takes the part of a side: it writes what that side wrote, and expects the other
// one to answer as it did then, to the byte if exact, else in all that a message says.
func (c Capture) Play(p *Peer, side string, exact bool) {
	p.t.Helper()
	for i, piece := range c.pieces {
		want, err := hex.DecodeString(piece.Hex)
		if err != nil {
			p.t.Fatal(err)
		}
		ends := bytes.HasPrefix(want, []byte("<"))
		switch {
		case ends && piece.Dir == side:
			p.Conn.Close()
		case ends:
			p.WantEnd()
		case piece.Dir == side:
			p.Write(want)
		default:
			p.wantFrame(i, want, exact)
		}
	}
}

func (p *Peer) wantFrame(number int, want []byte, exact bool) {
	p.t.Helper()
	got := p.readFrame()
	if exact && !bytes.Equal(got, want) {
		p.t.Errorf("piece %d is\n%q, want\n%q", number, got, want)
	}
	if g, w := describe(parse(p.t, got)), describe(parse(p.t, want)); g != w {
		p.t.Errorf("piece %d says\n%s, want\n%s", number, g, w)
	}
}

// describe is all that a message says.
func describe(m *message.Message) string {
	return fmt.Sprintf("seq %d, %v %q, %s, meta %v, codec %d, body %q, filters %v",
		m.Seq, m.Type, m.Method, status.AppendText(nil, m.Status), maps.Collect(m.Meta.All()), m.Codec, m.Body, m.Filters)
}
