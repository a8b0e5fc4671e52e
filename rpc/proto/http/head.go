package http

import (
	"errors"
	"fmt"
	nethttp "net/http"
	"strconv"
	"strings"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// head is what comes before a body.
type head struct {
	size  int // bytes
	reply bool
	minor int // of the version 1.x

	method, target string // of a request
	code           int    // of a reply
	reason         string

	length      int64 // of the body; -1 if it was not said
	chunked     bool
	hasType     bool // there is a Content-Type
	contentType string
	encoding    string // the one that readers of all kinds know
	ourEncoding string // the one that older readers know
	expect      string

	close, keep            bool // what Connection says
	agent, server          string
	accept, acceptEncoding string

	hasSeq bool
	seq    int32
	mtype  message.Type // Undefined if it was not said
	meta   string       // what no header can carry

	foreign []field // all other headers
	seen    seen
}

// field is one header.
type field struct{ name, value string }

// seen notes the headers that must not come twice.
type seen uint16

const (
	seenLength seen = 1 << iota
	seenTransfer
	seenHost
	seenType
	seenSeq
	seenMType
	seenMeta
	seenExpect
)

// Bounds of a head.
const (
	headRoom  = 8 << 10 // bytes besides those of the metadata
	maxFields = 256     // headers
)

// headLimit is how many bytes a head may have; 0 is no bound.
func (p *Proto) headLimit() int {
	if p.stream.Limits.Metadata <= 0 {
		return 0
	}
	return p.stream.Limits.Metadata + headRoom
}

// refusal makes the answer to what is not handed on.
func refusal(code status.Code, format string, args ...any) *status.Status {
	s := status.New(code, fmt.Sprintf(format, args...))
	if text := nethttp.StatusText(int(code)); strings.HasPrefix(s.Msg, "code ") && text != "" {
		s.Msg = text
	}
	return s
}

// bad is the refusal of what does not obey the grammar.
func bad(format string, args ...any) error { return refusal(status.BadMessage, format, args...) }

// readHead reads up to the empty line. An error that is a status is the answer for who
// sent a request. The head has what was read so far.
func (p *Proto) readHead() (*head, error) {
	h := &head{length: -1}
	l := lines{in: p.stream.Reader, most: p.headLimit()}
	line, err := l.next()
	if err == nil && line == "" {
		line, err = l.next() // some clients end a body with an empty line too many
	}
	h.reply = strings.HasPrefix(line, "HTTP/")
	switch {
	case errors.Is(err, errLongHead):
		return h, refusal(nethttp.StatusRequestURITooLong, "the first line is longer than %d bytes", l.most)
	case err != nil:
		return h, err
	case h.reply:
		err = h.parseStatusLine(line)
	default:
		err = h.parseRequestLine(line)
	}
	if err != nil {
		return h, err
	}
	if err := h.readFields(&l); err != nil {
		return h, err
	}
	h.size = l.size
	return h, h.checkFraming()
}

func (h *head) readFields(l *lines) error {
	for count := 0; ; count++ {
		line, err := l.next()
		switch {
		case errors.Is(err, errLongHead):
			return refusal(nethttp.StatusRequestHeaderFieldsTooLarge, "the head is longer than %d bytes", l.most)
		case err != nil:
			return err
		case line == "":
			return nil
		case count == maxFields:
			return refusal(nethttp.StatusRequestHeaderFieldsTooLarge, "there are more than %d headers", maxFields)
		}
		f, err := parseField(line)
		if err == nil {
			err = h.take(f)
		}
		if err != nil {
			return err
		}
	}
}

// parseRequestLine takes an empty target, as older writers have it in an
// authentication.
func (h *head) parseRequestLine(line string) error {
	parts := strings.SplitN(line, " ", 3)
	if len(parts) != 3 || !isToken(parts[0]) || !isText(parts[1]) || strings.ContainsRune(parts[1], '\t') {
		return bad("the first line is no request line")
	}
	h.method, h.target = parts[0], parts[1]
	return h.parseVersion(parts[2])
}

func (h *head) parseStatusLine(line string) (err error) {
	version, rest, _ := strings.Cut(line, " ")
	digits, reason, _ := strings.Cut(rest, " ")
	code, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || len(digits) != 3 || code < 100 || !isText(reason) {
		return bad("the first line is no status line")
	}
	h.code, h.reason = int(code), reason
	return h.parseVersion(version)
}

func (h *head) parseVersion(version string) error {
	digits, ok := strings.CutPrefix(version, "HTTP/")
	if !ok || len(digits) != 3 || digits[1] != '.' || !isDigit(digits[0]) || !isDigit(digits[2]) {
		return bad("the first line has no version of HTTP")
	}
	if digits[0] != '1' {
		return refusal(nethttp.StatusHTTPVersionNotSupported, "this is HTTP/1.1")
	}
	h.minor = int(digits[2] - '0')
	return nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// parseField refuses what some readers take for another header than others do: lines
// that go on, blanks before the colon, control characters.
func parseField(line string) (field, error) {
	name, value, found := strings.Cut(line, ":")
	switch {
	case line[0] == ' ' || line[0] == '\t':
		return field{}, bad("a header goes on in a second line")
	case !found || !isToken(name):
		return field{}, bad("a line of the head is no header")
	case !isText(value):
		return field{}, bad("header %s has a control character", name)
	}
	return field{name, strings.Trim(value, " \t")}, nil
}

// checkFraming makes sure that there is one way only to tell where the body ends.
func (h *head) checkFraming() error {
	switch {
	case h.chunked && h.length >= 0:
		return bad("Content-Length and Transfer-Encoding exclude each other")
	case h.chunked && h.minor == 0:
		return bad("HTTP/1.0 has no Transfer-Encoding")
	}
	return nil
}
