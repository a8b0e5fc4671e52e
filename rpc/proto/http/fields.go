package http

import (
	nethttp "net/http"
	"strconv"
	"strings"

	"github.com/dserver/dserver/rpc/message"
)

// take puts one header where it belongs. Names are matched whatever their case.
func (h *head) take(f field) error {
	name := strings.ToLower(f.name)
	if err := h.takeFraming(name, f.value); err != nil {
		return err
	}
	switch name {
	case "connection":
		h.takeConnection(f.value)
	case "user-agent":
		h.agent = f.value
	case "server":
		h.server = f.value
	case "accept":
		h.accept = joined(h.accept, f.value)
	case "accept-encoding":
		h.acceptEncoding = joined(h.acceptEncoding, f.value)
	case "content-encoding":
		h.encoding = joined(h.encoding, f.value)
	case "x-content-encoding":
		h.ourEncoding = joined(h.ourEncoding, f.value)
	case "content-type":
		h.hasType, h.contentType = true, f.value
		return h.once(seenType, name)
	case "host":
		return h.once(seenHost, name)
	case "x-meta":
		h.meta = f.value
		return h.once(seenMeta, name)
	case "x-seq":
		return h.takeSeq(f.value)
	case "x-mtype":
		return h.takeType(f.value)
	default:
		if !belongsToHTTP(name) {
			h.foreign = append(h.foreign, f)
		}
	}
	return nil
}

// joined is how several headers of one name are one.
func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

// once fails for a header that was there already: readers differ in which one counts.
func (h *head) once(s seen, name string) error {
	if h.seen&s != 0 {
		return bad("there are two headers %s", name)
	}
	h.seen |= s
	return nil
}

// takeFraming looks at what says where the body ends.
func (h *head) takeFraming(name, value string) error {
	switch name {
	case "content-length":
		n, err := strconv.ParseUint(value, 10, 63)
		if err != nil {
			return bad("Content-Length is no number of bytes")
		}
		h.length = int64(n)
		return h.once(seenLength, name)
	case "transfer-encoding":
		if !strings.EqualFold(value, "chunked") {
			return refusal(nethttp.StatusNotImplemented, "of the transfer encodings there is chunked only")
		}
		h.chunked = true
		return h.once(seenTransfer, name)
	case "expect":
		h.expect = value
		return h.once(seenExpect, name)
	}
	return nil
}

func (h *head) takeConnection(value string) {
	for option := range strings.SplitSeq(value, ",") {
		switch option = strings.TrimSpace(option); {
		case strings.EqualFold(option, "close"):
			h.close = true
		case strings.EqualFold(option, "keep-alive"):
			h.keep = true
		}
	}
}

func (h *head) takeSeq(value string) error {
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil {
		return bad("X-Seq is no number of 32 bits")
	}
	h.hasSeq, h.seq = true, int32(n)
	return h.once(seenSeq, "x-seq")
}

func (h *head) takeType(value string) error {
	n, err := strconv.ParseUint(value, 10, 8)
	if err != nil || message.Type(n) < message.Call || message.Type(n) > message.AuthReply {
		return bad("X-MType is no type of message")
	}
	h.mtype = message.Type(n)
	return h.once(seenMType, "x-mtype")
}

// lasts tells whether the connection is meant to outlive this message.
func (h *head) lasts() bool { return !h.close && (h.minor > 0 || h.keep) }
