package rpc

import "testing"

func TestMappers(t *testing.T) {
	tests := []struct{ name, http, rpc string }{
		{"AaBb", "/aa_bb", "AaBb"}, {"ABcXYz", "/abc_xyz", "ABcXYz"}, {"Aa_Bb", "/aa/bb", "Aa.Bb"},
		{"Aa__Bb", "/aa_bb", "Aa_Bb"}, {"ABC_XYZ", "/abc/xyz", "ABC.XYZ"}, {"A___B", "/a_b", "A_B"},
		{"HTTPServer", "/httpserver", "HTTPServer"}, {"GetURL", "/get_url", "GetURL"}, {"Get2D", "/get2_d", "Get2D"},
		{"a1B", "/a1_b", "a1B"}, {"_A", "/a", "A"}, {"__A", "/a", "A"}, {"A_", "/a_", "A_"}, {"A__", "/a_", "A_"},
		{"V1/V2", "/v1/v2", "V1/V2"}, {"", "/", ""}, {"_", "/", ""},
	}
	for _, test := range tests {
		if got := HTTPMapper("", test.name); got != test.http {
			t.Errorf("%s: got %s, want %s", test.name, got, test.http)
		}
		if got := RPCMapper("", test.name); got != test.rpc {
			t.Errorf("%s: got %s, want %s", test.name, got, test.rpc)
		}
	}
	for want, m := range map[string]Mapper{"/a_b/c_d/math/add": HTTPMapper, "aB.cD.Math.Add": RPCMapper} {
		if got := m(m(m(m("", "aB"), "cD"), "Math"), "Add"); got != want {
			t.Errorf("nested: got %s, want %s", got, want)
		}
	}
}
