package rpc

import "testing"

func TestMapName(t *testing.T) {
	tests := []struct{ name, want string }{
		{"AaBb", "/aa_bb"}, {"ABcXYz", "/abc_xyz"}, {"Aa_Bb", "/aa/bb"}, {"Aa__Bb", "/aa_bb"},
		{"ABC_XYZ", "/abc/xyz"}, {"A___B", "/a_b"}, {"HTTPServer", "/httpserver"}, {"GetURL", "/get_url"},
		{"Get2D", "/get2_d"}, {"a1B", "/a1_b"}, {"_A", "/a"}, {"__A", "/a"}, {"A_", "/a_"}, {"A__", "/a_"},
		{"V1/V2", "/v1/v2"}, {"", "/"}, {"_", "/"},
	}
	for _, test := range tests {
		if got := mapName("", test.name); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
	nested := mapName(mapName(mapName(mapName("", "aB"), "cD"), "Math"), "Add")
	if nested != "/a_b/c_d/math/add" {
		t.Errorf("nested: %s", nested)
	}
}
