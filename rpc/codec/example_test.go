package codec_test

import (
	"fmt"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/codec/form"
)

// The first codec of a registry is the one for bodies of which nobody says anything
// else.
func ExampleRegistry() {
	codecs, err := codec.NewRegistry(codec.JSON{}, form.Codec{}, codec.Bytes{})
	if err != nil {
		fmt.Println(err)
		return
	}
	body, err := codecs.Default().Marshal([]int{1, 2, 3})
	fmt.Println(string(body), err)

	c, ok := codecs.Lookup('f')
	fmt.Println(c.Name(), ok)

	_, err = codec.Bytes{}.Marshal(7)
	fmt.Println(err)
	// Output:
	// [1,2,3] <nil>
	// form true
	// cannot take a int as bytes: pass a []byte or a string
}
