package prototest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// Vector is one frame that an older writer made, with what it means.
type Vector struct {
	Name   string  `json:"name"`
	Seq    int32   `json:"seq"`
	Type   byte    `json:"mtype"`
	Method string  `json:"service_method"`
	Status *Status `json:"status"`
	// Meta has long values as (N x 'TEXT').
	Meta  map[string]string `json:"meta"`
	Codec byte              `json:"codec_id"`
	// Body is in hexadecimal digits; that of large ones: (N bytes, pattern: HEX...)
	Body string `json:"body_hex"`
	// Filters are numbers in the list, not the text that []byte would be.
	Filters []int `json:"filter_ids"`
	// Hex is the frame, or file: and the name of a file beside the list.
	Hex        string `json:"hex"`
	DecodeOnly bool   `json:"decode_only"`  // another writer may make other bytes of it
	RoundTrip  bool   `json:"roundtrip_ok"` // else it shows a defect of its writer
}

// Status is that of a [Vector]; nil is success, and so is code 0.
type Status struct {
	Code  status.Code `json:"code"`
	Msg   string      `json:"msg"`
	Cause string      `json:"cause"`
}

// Read gives the vectors of one list, such as rawproto.json.
func Read(t testing.TB, list string) []Vector {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(dir(), list))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []Vector
	if err := json.Unmarshal(file, &vectors); err != nil {
		t.Fatalf("cannot read %s: %v", list, err)
	}
	if len(vectors) == 0 {
		t.Fatalf("%s has no vectors", list)
	}
	return vectors
}

func dir() string {
	if dir := os.Getenv("DSERVER_VECTORS"); dir != "" {
		return dir
	}
	return "testdata"
}

// Frame gives the bytes; none if the writer refused to write.
func (v Vector) Frame(t testing.TB) []byte {
	t.Helper()
	name, inFile := strings.CutPrefix(v.Hex, "file:")
	if !inFile {
		return unhex(t, v.Hex)
	}
	frame, err := os.ReadFile(filepath.Join(dir(), name))
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// Message gives what the frame means.
func (v Vector) Message(t testing.TB) *message.Message {
	t.Helper()
	m := &message.Message{Seq: v.Seq, Type: message.Type(v.Type), Method: v.Method, Codec: v.Codec, Body: v.body(t)}
	if v.Status != nil && v.Status.Code != status.OK {
		m.Status = &status.Status{Code: v.Status.Code, Msg: v.Status.Msg, Cause: v.Status.Cause}
	}
	for key, value := range v.Meta {
		m.Meta.Set(key, unfold(t, value))
	}
	for _, id := range v.Filters {
		m.Filters = append(m.Filters, byte(id))
	}
	return m
}

// unfold writes a long value in full: (N x 'TEXT').
func unfold(t testing.TB, value string) string {
	t.Helper()
	short := regexp.MustCompile(`^\((\d+) x '(.+)'\)$`).FindStringSubmatch(value)
	if short == nil {
		return value
	}
	n, err := strconv.Atoi(short[1])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Repeat(short[2], n)
}

func (v Vector) body(t testing.TB) []byte {
	t.Helper()
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

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
