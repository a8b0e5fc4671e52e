package xml_test

import (
	stdxml "encoding/xml"
	"fmt"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/codec/codectest"
	"github.com/dserver/dserver/rpc/codec/xml"
)

// P is the type of the recorded bodies, whose element has its name.
type P struct {
	A string   `xml:"a"`
	N int      `xml:"n"`
	L []string `xml:"l"`
}

func suite() codectest.Suite {
	return codectest.Suite{
		Codec: xml.Codec{}, ID: 'x', Name: "xml",
		Values: []any{P{"x y", 3, []string{"1", "2"}}, &P{A: "<&>\"'é"}, "text", 7, true},
		Recorded: []codectest.Body{
			{Value: &P{"x y", 3, []string{"1", "2"}}, Bytes: "<P><a>x y</a><n>3</n><l>1</l><l>2</l></P>"},
		},
		ReadOnly: []codectest.Body{
			{Value: P{A: "b"}, Bytes: `<?xml version="1.0" encoding="UTF-8"?><P x="y"><z/><a>b</a></P>`},
		},
		Refused: []codectest.Refusal{{Value: map[string]string{}, Want: "unsupported type"}},
		Broken: []codectest.Broken{
			{Bytes: "<P><n>three</n></P>", Target: new(P), Want: "invalid syntax"},
			{Bytes: "<P><a>", Target: new(P), Want: "unexpected EOF"},
			{Bytes: "<P>&a;</P>", Target: new(P), Want: "invalid character entity"},
			{Bytes: `<?xml version="1.0" encoding="latin1"?><P/>`, Target: new(P), Want: "latin1"},
			{Bytes: strings.Repeat("<P>", 1<<17), Target: new(tree), Want: "depth"},
		},
		Small: []codectest.Small{{
			Name:   "entities within each other",
			Bytes:  `<!DOCTYPE P [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><P><a>&b;</a></P>`,
			Target: new(P), Most: 64 << 10,
		}},
	}
}

type tree struct {
	P []tree
}

func TestCodec(t *testing.T) { suite().Run(t) }

func ExampleCodec() {
	type order struct {
		XMLName stdxml.Name `xml:"order"`
		ID      int         `xml:"id,attr"`
		Item    []string    `xml:"item"`
	}
	body, err := xml.Codec{}.Marshal(order{ID: 7, Item: []string{"tea", "cup"}})
	fmt.Printf("%s %v\n", body, err)
	// Output:
	// <order id="7"><item>tea</item><item>cup</item></order> <nil>
}
