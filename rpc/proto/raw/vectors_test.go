package raw_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/filter/aes"
	"github.com/dserver/dserver/rpc/filter/gzip"
	"github.com/dserver/dserver/rpc/filter/md5"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/raw"
	"github.com/dserver/dserver/rpc/status"
)

// vector is one frame that an older writer made, with what it means.
type vector struct {
	Name   string            `json:"name"`
	Seq    int32             `json:"seq"`
	Type   byte              `json:"mtype"`
	Method string            `json:"service_method"`
	Status *vectorStatus     `json:"status"`
	Meta   map[string]string `json:"meta"`
	Codec  byte              `json:"codec_id"`
	Body   string            `json:"body_hex"`
	// Filters are numbers in the list, not the text that []byte would be.
	Filters    []int  `json:"filter_ids"`
	Hex        string `json:"hex"`
	DecodeOnly bool   `json:"decode_only"`
	RoundTrip  bool   `json:"roundtrip_ok"`
}

type vectorStatus struct {
	Code  status.Code `json:"code"`
	Msg   string      `json:"msg"`
	Cause string      `json:"cause"`
}

func vectorDir() string {
	if dir := os.Getenv("DSERVER_VECTORS"); dir != "" {
		return dir
	}
	return "testdata"
}

func TestVectors(t *testing.T) {
	file, err := os.ReadFile(filepath.Join(vectorDir(), "rawproto.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list []vector
	if err := json.Unmarshal(file, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("no vectors")
	}
	var encoded, decoded, survived int
	for _, v := range list {
		t.Run(v.Name, func(t *testing.T) {
			frame := v.frame(t)
			if !v.RoundTrip {
				checkSurvives(t, frame)
				survived++
				return
			}
			checkDecodes(t, v, frame)
			checkDecodes(t, v, encode(t, raw.Options{}, v.message(t)))
			decoded++
			if v.DecodeOnly {
				return
			}
			if got := encode(t, raw.Options{Classic: true}, v.message(t)); !bytes.Equal(got, frame) {
				t.Errorf("classic form wrote\n%x, want\n%x", clip(got), clip(frame))
			}
			encoded++
		})
	}
	t.Logf("raw: %d encoded, %d decoded, %d defects survived", encoded, decoded, survived)
}

func clip(b []byte) []byte { return b[:min(len(b), 200)] }

func (v vector) frame(t *testing.T) []byte {
	name, inFile := strings.CutPrefix(v.Hex, "file:")
	if inFile {
		b, err := os.ReadFile(filepath.Join(vectorDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return unhex(t, v.Hex)
}

func unhex(t *testing.T, text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// body also reads the short form of large ones: (N bytes, pattern: HEX...)
func (v vector) body(t *testing.T) []byte {
	short := regexp.MustCompile(`^\((\d+) bytes, pattern: ([0-9a-f]+)\.\.\.\)$`).FindStringSubmatch(v.Body)
	if short == nil {
		return unhex(t, v.Body)
	}
	n, err := strconv.Atoi(short[1])
	if err != nil {
		t.Fatal(err)
	}
	pattern := unhex(t, short[2])
	return bytes.Repeat(pattern, n/len(pattern)+1)[:n]
}

func (v vector) message(t *testing.T) *message.Message {
	m := &message.Message{Seq: v.Seq, Type: message.Type(v.Type), Method: v.Method, Codec: v.Codec, Body: v.body(t)}
	if v.Status != nil && v.Status.Code != status.OK {
		m.Status = &status.Status{Code: v.Status.Code, Msg: v.Status.Msg, Cause: v.Status.Cause}
	}
	for k, val := range v.Meta {
		m.Meta.Set(k, val)
	}
	for _, id := range v.Filters {
		m.Filters = append(m.Filters, byte(id))
	}
	return m
}

// filters are those that older writers have, with the key of the vectors.
func filters() *filter.Registry {
	compress, err := gzip.New(gzip.Default)
	encrypt, errKey := aes.New([]byte("0123456789abcdef"))
	r, errSet := filter.NewRegistry(md5.Filter{}, compress, encrypt)
	if err := errors.Join(err, errKey, errSet); err != nil {
		panic(err)
	}
	return r
}

func newProto(o raw.Options, limits proto.Limits) *raw.Proto {
	return o.New(proto.Stream{Limits: limits, Filters: filters()}).(*raw.Proto)
}

func encode(t *testing.T, o raw.Options, m *message.Message) []byte {
	b, err := newProto(o, proto.Limits{}).AppendFrame(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	if m.Size != len(b) {
		t.Errorf("Size is %d for a frame of %d bytes", m.Size, len(b))
	}
	return b
}

func checkDecodes(t *testing.T, v vector, frame []byte) {
	t.Helper()
	var m message.Message
	n, err := newProto(raw.Options{}, proto.Limits{}).CutFrame(frame, &m)
	if err != nil || n != len(frame) {
		t.Fatalf("cut %d of %d bytes: %v", n, len(frame), err)
	}
	want := v.message(t)
	if m.Seq != want.Seq || m.Type != want.Type || m.Method != want.Method || m.Codec != want.Codec || m.Size != len(frame) {
		t.Errorf("got header %+v, want %+v", m, want)
	}
	if !bytes.Equal(m.Filters, want.Filters) {
		t.Errorf("got filters %q, want %q", m.Filters, want.Filters)
	}
	if !bytes.Equal(m.Body, want.Body) {
		t.Errorf("got body %x, want %x", clip(m.Body), clip(want.Body))
	}
	if !maps.Equal(maps.Collect(m.Meta.All()), maps.Collect(want.Meta.All())) {
		t.Errorf("got metadata %v, want %v", m.Meta, want.Meta)
	}
	if (m.Status == nil) != (want.Status == nil) || m.Status.Error() != want.Status.Error() {
		t.Errorf("got status %v, want %v", m.Status, want.Status)
	}
}

// checkSurvives: whatever the bytes are, they cost no more than themselves.
func checkSurvives(t *testing.T, frame []byte) {
	p := newProto(raw.Options{}, proto.Limits{})
	var before, after runtime.MemStats
	var m message.Message
	runtime.ReadMemStats(&before)
	_, err := p.CutFrame(frame, &m)
	runtime.ReadMemStats(&after)
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(2*len(frame)+4096); got > most {
		t.Errorf("decoding %d bytes allocated %d (error: %v)", len(frame), got, err)
	}
}
