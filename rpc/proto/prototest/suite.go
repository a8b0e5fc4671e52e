package prototest

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/filter/aes"
	"github.com/dserver/dserver/rpc/filter/gzip"
	"github.com/dserver/dserver/rpc/filter/md5"
	"github.com/dserver/dserver/rpc/internal/alloctest"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
)

// Suite is a protocol in its two forms.
type Suite struct {
	List    string        // file of the vectors
	Default proto.Factory // as the endpoint uses it
	Classic proto.Factory // whose bytes are those of older writers
	// Recovered are the vectors that show a defect of their writer and are understood
	// all the same.
	Recovered []string
	// Carried takes from a message what the frames of the protocol have no place for.
	// nil: they carry all.
	Carried func(m *message.Message)
	// Slack is how many bytes decoding may allocate besides twice those of a frame.
	// Default 4096.
	Slack int
}

// carried is what arrives of the message of v.
func (s Suite) carried(t testing.TB, v Vector) *message.Message {
	m := v.Message(t)
	if s.Carried != nil {
		s.Carried(m)
	}
	return m
}

// Run checks every vector, and logs how many there are of each class.
func (s Suite) Run(t *testing.T) {
	var encoded, decoded, recovered, survived int
	for _, v := range Read(t, s.List) {
		t.Run(v.Name, func(t *testing.T) {
			frame := v.Frame(t)
			if !v.RoundTrip {
				s.checkSurvives(t, v, frame)
				if survived++; slices.Contains(s.Recovered, v.Name) {
					s.checkDecodes(t, v, frame)
					recovered++
				}
				return
			}
			s.checkDecodes(t, v, frame)
			s.checkDecodes(t, v, Encode(t, s.Default, s.carried(t, v)))
			if decoded++; v.DecodeOnly {
				return
			}
			if got := Encode(t, s.Classic, v.Message(t)); !bytes.Equal(got, frame) {
				t.Errorf("the classic form is\n%x, want\n%x", clip(got), clip(frame))
			}
			encoded++
		})
	}
	t.Logf("%s: %d encoded, %d decoded, %d defects survived, %d of them understood", s.List, encoded, decoded, survived, recovered)
}

func clip(b []byte) []byte { return b[:min(len(b), 200)] }

// Filters are those that older writers have, with the key of the vectors.
func Filters(t testing.TB) *filter.Registry {
	t.Helper()
	compress, err := gzip.New(gzip.Default)
	encrypt, errKey := aes.New([]byte("0123456789abcdef"))
	r, errSet := filter.NewRegistry(md5.Filter{}, compress, encrypt)
	if err := errors.Join(err, errKey, errSet); err != nil {
		t.Fatal(err)
	}
	return r
}

// Encode gives the frame of m, which must be as long as m.Size says.
func Encode(t testing.TB, form proto.Factory, m *message.Message) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := form(proto.Stream{Writer: &out, Filters: Filters(t)}).Pack(m); err != nil {
		t.Fatal(err)
	}
	if m.Size != out.Len() {
		t.Errorf("Size is %d for a frame of %d bytes", m.Size, out.Len())
	}
	return out.Bytes()
}

func (s Suite) checkDecodes(t *testing.T, v Vector, frame []byte) {
	t.Helper()
	var m message.Message
	in := bufio.NewReader(bytes.NewReader(frame))
	if err := s.Default(proto.Stream{Reader: in, Filters: Filters(t)}).Unpack(&m); err != nil {
		t.Fatal(err)
	}
	if in.Buffered() > 0 {
		t.Errorf("%d bytes of the frame are left", in.Buffered())
	}
	want := s.carried(t, v)
	checkHeader(t, &m, want, len(frame))
	if !bytes.Equal(m.Body, want.Body) {
		t.Errorf("got body %x, want %x", clip(m.Body), clip(want.Body))
	}
}

func checkHeader(t *testing.T, got, want *message.Message, size int) {
	t.Helper()
	if got.Seq != want.Seq || got.Type != want.Type || got.Method != want.Method || got.Codec != want.Codec || got.Size != size {
		t.Errorf("got header %+v, want %+v", got, want)
	}
	if !bytes.Equal(got.Filters, want.Filters) {
		t.Errorf("got filters %q, want %q", got.Filters, want.Filters)
	}
	if !maps.Equal(maps.Collect(got.Meta.All()), maps.Collect(want.Meta.All())) {
		t.Errorf("got metadata %v, want %v", got.Meta, want.Meta)
	}
	if (got.Status == nil) != (want.Status == nil) || got.Status.Error() != want.Status.Error() {
		t.Errorf("got status %v, want %v", got.Status, want.Status)
	}
}

// gzipState is what it takes to read any gzip.
const gzipState = 64 << 10

// checkSurvives: whatever the bytes are, they cost no more than themselves.
func (s Suite) checkSurvives(t *testing.T, v Vector, frame []byte) {
	t.Helper()
	most := uint64(2*len(frame) + cmp.Or(s.Slack, 4096))
	if slices.Contains(v.Filters, int(filter.IDGzip)) {
		most += gzipState
	}
	var err error
	got := alloctest.Bytes(most, func() func() {
		in := bufio.NewReader(bytes.NewReader(frame))
		p, m := s.Default(proto.Stream{Reader: in, Filters: Filters(t)}), new(message.Message)
		return func() { err = p.Unpack(m) }
	})
	if got > most {
		t.Errorf("decoding %d bytes allocated %d (error: %v)", len(frame), got, err)
	}
}
