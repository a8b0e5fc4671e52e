package form_test

import (
	"fmt"

	"github.com/dserver/dserver/rpc/codec/form"
)

func ExampleCodec() {
	type paging struct {
		Page int `form:"page"`
	}
	type query struct {
		Text string   `form:"q"`
		Tags []string `form:"tag"`
		paging
	}
	c := form.Codec{}
	body, err := c.Marshal(query{"tea pot", []string{"blue", "old"}, paging{2}})
	fmt.Printf("%s %v\n", body, err)

	var q query
	err = c.Unmarshal([]byte("q=cup&page=3&tag=new"), &q)
	fmt.Println(q, err)
	fmt.Println(c.Unmarshal([]byte("page=last"), &q))
	// Output:
	// page=2&q=tea+pot&tag=blue&tag=old <nil>
	// {cup [new] {3}} <nil>
	// cannot read a form: field paging: field Page: "last" is no int: invalid syntax
}
