package http

import (
	"fmt"
	nethttp "net/http"
	"strconv"
	"time"

	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto/internal/inorder"
	"github.com/dserver/dserver/rpc/status"
)

func (p *Proto) packReply(m *message.Message) error {
	number := m.Seq
	if m.Type == message.AuthReply {
		// It has a number of its own. To a plain client, which cannot authenticate, it is
		// the answer to what it asked instead; peers that can have nothing in the queue.
		number = p.waiting.Newest()
	}
	a := p.waiting.Note(number)
	if a == nil {
		return p.packNumbered(m)
	}
	a.last = a.last || m.Type == message.AuthReply
	last := p.closesWith(number, a)
	if err := p.appendReply(m, a, last); err != nil {
		return err
	}
	p.ending = p.ending || last
	err := p.waiting.Answer(p.stream.Writer, number, p.frame)
	select {
	case p.room <- struct{}{}:
	default: // there is a word already
	}
	return err
}

// packNumbered writes a reply that its number pairs with its request.
func (p *Proto) packNumbered(m *message.Message) error {
	if p.plain && p.peer == stranger {
		return fmt.Errorf("a reply to %d: %w", m.Seq, inorder.ErrNotAsked)
	}
	if err := p.appendReply(m, &asker{kind: p.peerOrDefault(), seq: m.Seq}, false); err != nil {
		return err
	}
	_, err := p.stream.Writer.Write(p.frame)
	return err
}

// closesWith tells whether nothing is read after a request. An endpoint that leaves
// says so with the last answer that it owes.
func (p *Proto) closesWith(number int32, a *asker) bool {
	return a.last || p.goaway != nil && number == p.waiting.Newest()
}

func (p *Proto) peerOrDefault() kind {
	switch {
	case p.peer != stranger:
		return p.peer
	case p.options.Classic:
		return older
	}
	return kin
}

// appendReply makes the frame.
func (p *Proto) appendReply(m *message.Message, a *asker, last bool) error {
	code, body := nethttp.StatusOK, m.Body
	if m.Status != nil {
		code, body = httpCode(m.Status.Code), status.AppendText(nil, m.Status)
	}
	first, filters := statusLine(code), m.Filters
	var fields []field
	switch a.kind {
	case stranger:
		if fields = strangerFields(a, last); code == nethttp.StatusMethodNotAllowed {
			fields = append(fields, field{"Allow", "GET, HEAD, POST"})
		}
		if !a.gzip && len(filters) == 1 && filters[0] == filter.IDGzip {
			filters = nil
		}
	case older:
		fields = p.numbers(m, a.seq)
		if m.Status != nil {
			first = "HTTP/1.1 299 Business Error"
		}
	case kin:
		fields = append(p.numbers(m, a.seq), field{"Server", ourAgent})
	}
	var err error
	if m.Status != nil {
		fields = append(fields, field{"Content-Type", "application/json"})
	} else if fields, err = p.appendType(fields, m, "text/plain"); err != nil {
		return err
	}
	return p.appendFrame(m, frame{first, fields, body, filters, a.bare})
}

func statusLine(code int) string {
	return "HTTP/1.1 " + strconv.Itoa(code) + " " + nethttp.StatusText(code)
}

// httpCode is what a status is for programs that know HTTP alone.
func httpCode(code status.Code) int {
	switch {
	case 400 <= code && code <= 599:
		return int(code)
	case code == status.InvalidOperation:
		return nethttp.StatusBadRequest
	case 100 <= code && code <= 199:
		return nethttp.StatusBadGateway
	case code == status.Unknown:
		return nethttp.StatusInternalServerError
	}
	return nethttp.StatusUnprocessableEntity
}

// strangerFields are the headers that plain clients expect.
func strangerFields(a *asker, last bool) []field {
	fields := []field{
		{"Date", time.Now().UTC().Format(nethttp.TimeFormat)},
		{"X-Content-Type-Options", "nosniff"}, // a text is no page, whatever is in it
	}
	if a.hasSeq {
		fields = append(fields, field{"X-Seq", strconv.Itoa(int(a.seq))})
	}
	switch {
	case last:
		fields = append(fields, field{"Connection", "close"})
	case a.keep:
		fields = append(fields, field{"Connection", "keep-alive"})
	}
	return fields
}
