package http

import (
	"cmp"
	"errors"
	"io"
	nethttp "net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/status"
)

const (
	gzipName = "gzip"

	maxChunkLines = 4 << 10  // bytes of the lines between chunks and behind them
	chunkLine     = 16       // more of them for each byte of the body
	keptBody      = 64 << 10 // of the memory for bodies, from one message to the next
)

// bodyLimit is how many bytes may follow the head.
func (p *Proto) bodyLimit(h *head) int64 {
	if limit := p.stream.Limits.Message; limit > 0 {
		return max(int64(limit-h.size), 0)
	}
	return 1<<32 - 1
}

// readBody reads what follows the head; it is valid until the next call. Memory grows
// with what comes, whatever was announced.
func (p *Proto) readBody(h *head) (body []byte, err error) {
	if cap(p.body) > keptBody {
		p.body = nil
	}
	defer func() { p.body = body[:0] }()
	limit := p.bodyLimit(h)
	switch {
	case h.chunked:
		return p.readChunks(h, limit)
	case h.length > limit:
		return nil, tooLarge(limit)
	case h.length >= 0:
		body, err = appendExactly(p.body, p.stream.Reader, h.length)
	case h.reply:
		h.close = true // it ends with the connection
		if body, err = appendFrom(p.body, p.stream.Reader, limit+1); err == nil && int64(len(body)) > limit {
			err = tooLarge(limit)
		}
	}
	h.size += len(body)
	return body, err
}

func tooLarge(limit int64) error {
	return refusal(nethttp.StatusRequestEntityTooLarge, "the body has more than %d bytes", limit)
}

// readChunks counts the chunks' own lines as well: a byte of the body pays for some of
// them only. (The reader of net/http does not tell its complaints about the form from
// those of the connection, nor how much it read.)
func (p *Proto) readChunks(h *head, limit int64) (body []byte, err error) {
	l := lines{in: p.stream.Reader}
	defer func() { h.size += l.size + len(body) }()
	for body = p.body; ; {
		l.most = maxChunkLines + chunkLine*len(body)
		size, err := l.chunkSize()
		switch {
		case err != nil:
			return body, err
		case size == 0:
			return body, l.skipTrailer()
		case size > limit-int64(len(body)):
			return body, tooLarge(limit)
		}
		if body, err = appendExactly(body, p.stream.Reader, size); err != nil {
			return body, err
		}
		if line, err := l.inside(); err != nil || line != "" {
			return body, cmp.Or(err, bad("a chunk is longer than it says"))
		}
	}
}

// inside is next for lines after which more must follow.
func (l *lines) inside() (string, error) {
	line, err := l.next()
	switch {
	case errors.Is(err, errLongHead):
		err = bad("the lines of the chunks have more than %d bytes", l.most)
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return line, err
}

func (l *lines) chunkSize() (int64, error) {
	line, err := l.inside()
	if err != nil {
		return 0, err
	}
	digits, _, _ := strings.Cut(line, ";")
	size, err := strconv.ParseUint(strings.TrimRight(digits, " \t"), 16, 63)
	if err != nil || !isText(line) {
		return 0, bad("a chunk has no size")
	}
	return int64(size), nil
}

// skipTrailer reads the headers behind the chunks, which nobody asked for.
func (l *lines) skipTrailer() error {
	for {
		line, err := l.inside()
		if err != nil || line == "" {
			return err
		}
		if _, err := parseField(line); err != nil {
			return err
		}
	}
}

// appendExactly appends n bytes of r.
func appendExactly(dst []byte, r io.Reader, n int64) ([]byte, error) {
	start := len(dst)
	dst, err := appendFrom(dst, r, n)
	if err == nil && int64(len(dst)-start) < n {
		err = io.ErrUnexpectedEOF
	}
	return dst, err
}

// appendFrom appends up to n bytes of r, fewer if it ends before.
func appendFrom(dst []byte, r io.Reader, n int64) ([]byte, error) {
	for start := len(dst); ; {
		have := len(dst) - start
		step := int(min(n-int64(have), int64(max(have, 4096))))
		if step == 0 {
			return dst, nil
		}
		dst = slices.Grow(dst, step)
		got, err := r.Read(dst[len(dst) : len(dst)+step])
		dst = dst[:len(dst)+got]
		switch {
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return dst, err
		}
	}
}

// filters gives the filters that the head says the body went through.
func (h *head) filters() ([]byte, *status.Status) {
	name := h.ourEncoding
	if name == "" {
		name = h.encoding
	}
	switch strings.ToLower(name) {
	case "", "identity":
		return nil, nil
	case gzipName, "x-gzip":
		return []byte{filter.IDGzip}, nil
	}
	return nil, refusal(nethttp.StatusUnsupportedMediaType, "of the content encodings there is gzip only")
}

// unpackBody undoes the filters.
func (p *Proto) unpackBody(m *message.Message, h *head, body []byte) *status.Status {
	ids, st := h.filters()
	if st != nil {
		return st
	}
	m.Body = body
	if len(ids) > 0 && len(body) > 0 {
		if _, ok := p.stream.Filters.Lookup(filter.IDGzip); !ok {
			return refusal(nethttp.StatusUnsupportedMediaType, "there are no content encodings here")
		}
		var err error
		m.Body, err = p.stream.Filters.Unpack(body, ids, p.stream.Limits.Message)
		switch {
		case errors.Is(err, proto.ErrTooLarge):
			return refusal(nethttp.StatusRequestEntityTooLarge, "%v", err)
		case err != nil:
			return refusal(status.BadMessage, "%v", err)
		}
	}
	m.Filters = ids
	return nil
}
