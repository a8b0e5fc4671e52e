package docs_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/filter/aes"
	"github.com/dserver/dserver/rpc/status"
)

// rows gives the cells of those rows of a page's section that match; the marks of code
// are left out.
func rows(t *testing.T, page, section string, match *regexp.Regexp) (list [][]string) {
	t.Helper()
	_, text, found := strings.Cut(read(t, page), "\n## "+section+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	for line := range strings.Lines(text) {
		line = strings.Trim(strings.ReplaceAll(line, "`", ""), "| \n")
		if match.MatchString(line) {
			list = append(list, regexp.MustCompile(` *\| *`).Split(line, -1))
		}
	}
	if !found || len(list) == 0 {
		t.Fatalf("%s has no such rows in section %s", page, section)
	}
	return list
}

// TestWireCodes compares the table of codes with the codes.
func TestWireCodes(t *testing.T) {
	known := 0
	for _, row := range rows(t, "docs/wire.md", "Codes", regexp.MustCompile(`^-?\d+ \|`)) {
		n, err := strconv.Atoi(row[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := status.Code(n).String(); got != row[1] {
			t.Errorf("code %d is %q, the page says %q", n, got, row[1])
		}
		known++
	}
	all := 0
	for n := status.Code(-1); n < 1000; n++ {
		if !strings.HasPrefix(n.String(), "code ") {
			all++
		}
	}
	if known != all {
		t.Errorf("the page has %d codes, there are %d", known, all)
	}
}

// TestWireIDs compares the tables of codecs and filters with the constants.
func TestWireIDs(t *testing.T) {
	ids := map[string]byte{
		"json": codec.IDJSON, "protobuf": codec.IDProtobuf, "form": codec.IDForm, "plain": codec.IDPlain,
		"xml": codec.IDXML, "redis": codec.IDRedis, "md5": filter.IDMD5, "gzip": filter.IDGzip, "aes": filter.IDAES,
	}
	match := regexp.MustCompile(`^\w+ \| . [0-9a-f]{2} \|`)
	list := slices.Concat(rows(t, "docs/wire.md", "Codecs", match), rows(t, "docs/wire.md", "Filters", match))
	for _, row := range list {
		id, ok := ids[row[0]]
		delete(ids, row[0])
		if want := string(id) + " " + hex.EncodeToString([]byte{id}); ok && row[1] != want {
			t.Errorf("%s is %s, the page says %s", row[0], want, row[1])
		}
	}
	if len(ids) > 0 {
		t.Errorf("the page has no %v", ids)
	}
}

// Names is a controller whose methods are the examples of the page.
type Names struct{}

func (Names) AaBb(rpc.Context, int) error       { return nil }
func (Names) ABcXYz(rpc.Context, int) error     { return nil }
func (Names) Aa_Bb(rpc.Context, int) error      { return nil }
func (Names) Cc__Dd(rpc.Context, int) error     { return nil }
func (Names) ABC_XYZ(rpc.Context, int) error    { return nil }
func (Names) HTTPServer(rpc.Context, int) error { return nil }
func (Names) GetURL(rpc.Context, int) error     { return nil }
func (Names) Get2D(rpc.Context, int) error      { return nil }
func (Names) A_(rpc.Context, int) error         { return nil }

// TestWireRoutes registers the examples of the page and compares their names.
func TestWireRoutes(t *testing.T) {
	e, err := rpc.New(rpc.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Register(Names{}); err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, r := range e.Routes() {
		got = append(got, r.Method)
	}
	for _, row := range rows(t, "docs/wire.md", "Routes", regexp.MustCompile(`^Names\.\w+ \| /`)) {
		want = append(want, row[1])
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the routes are\n%q, the page says\n%q", got, want)
	}
}

// TestWireSecureBodies encrypts what the page says is encrypted.
func TestWireSecureBodies(t *testing.T) {
	count := 0
	for _, b := range blocks(t, "docs/wire.md") {
		if b.lang != "secure-body" {
			continue
		}
		count++
		says := make(map[string]string)
		for line := range strings.Lines(b.text) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			says[name] = value
		}
		encrypt, err := aes.New([]byte(says["key"]))
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := encrypt.AppendPack(nil, []byte(says["body"]))
		if err != nil {
			t.Fatal(err)
		}
		sum := md5.Sum([]byte(says["key"]))
		version, text := hex.EncodeToString(sum[:]), base64.StdEncoding.EncodeToString(sealed)
		if version != says["cipherVersion"] || text != says["ciphertext"] {
			t.Errorf("%s:%d: it is %s %s", b.page, b.line, version, text)
		}
	}
	if count == 0 {
		t.Error("the page shows none")
	}
}
