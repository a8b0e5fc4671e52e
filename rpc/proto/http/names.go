package http

import (
	"strconv"
	"strings"

	"github.com/dserver/dserver/rpc/codec"
)

// What an older writer calls itself, and what we do. They decide what an answer
// looks like.
const (
	oldAgent = "drpc-httpproto/1.1"
	ourAgent = "dserver-http/1"
)

// Metadata that the endpoint and its plugins look for by these names.
const (
	metaTimeout = "X-Timeout-Ms"
	metaAccept  = "X-Accept-Body-Codec"
	metaRealIP  = "X-Real-IP"
)

// The endpoint's control messages.
const (
	controlPrefix = "/_"
	routeGoaway   = "/_goaway"
)

// belongsToHTTP tells of the headers, in lower case, that speak of the connection, of
// the body or of who is talking. They never are metadata.
func belongsToHTTP(name string) bool {
	switch name {
	case "accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type",
		"date", "expect", "host", "keep-alive", "proxy-connection", "server", "te", "trailer",
		"transfer-encoding", "upgrade", "user-agent",
		"x-content-encoding", "x-meta", "x-mtype", "x-seq":
		return true
	}
	return false
}

// trueName gives the spelling of metadata that is looked for by its exact name. Older
// writers and proxies change it on the way; "" is a name that nobody looks for.
func trueName(name string) string {
	switch name {
	case "x-timeout-ms":
		return metaTimeout
	case "x-accept-body-codec":
		return metaAccept
	case "x-real-ip":
		return metaRealIP
	case "x-secure-body":
		return "X-Secure-Body"
	case "x-reply-secure-body":
		return "X-Reply-Secure-Body"
	case "hb_", "seq", "deadline_ms", "traceparent", "tracestate":
		return name
	}
	return ""
}

// isToken tells whether name can be the name of a header.
func isToken(name string) bool {
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0:
			return false
		}
	}
	return name != ""
}

// isText tells whether value can stand in a header.
func isText(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// customType is the media type of a codec that has none: its id follows.
const customType = "application/x-codec-"

// mediaType gives the type of a codec's bodies; "" if it has none.
func mediaType(id byte) string {
	switch id {
	case codec.IDJSON:
		return "application/json"
	case codec.IDProtobuf:
		return "application/x-protobuf"
	case codec.IDForm:
		return "application/x-www-form-urlencoded"
	case codec.IDPlain:
		return "text/plain"
	case codec.IDXML:
		return "text/xml"
	}
	return ""
}

// codecOf gives the codec of bodies of a type. Parameters do not count.
func codecOf(contentType string) (id byte, ok bool) {
	name, _, _ := strings.Cut(contentType, ";")
	switch name = strings.ToLower(strings.TrimSpace(name)); name {
	case "application/json":
		return codec.IDJSON, true
	case "application/x-protobuf":
		return codec.IDProtobuf, true
	case "application/x-www-form-urlencoded":
		return codec.IDForm, true
	case "text/plain":
		return codec.IDPlain, true
	case "text/xml":
		return codec.IDXML, true
	}
	if digits, custom := strings.CutPrefix(name, customType); custom {
		n, err := strconv.ParseUint(digits, 10, 8)
		return byte(n), err == nil && n > 0
	}
	return 0, false
}

// acceptedCodec gives the codec that an Accept header names, of several the one with
// the highest quality; 0 if it names none that we know.
func acceptedCodec(accept string) (best byte) {
	quality := 0.0
	for item := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(item, ";")
		id, ok := codecOf(name)
		if q := qualityOf(params); ok && q > quality {
			best, quality = id, q
		}
	}
	return best
}

// acceptsGzip reads an Accept-Encoding header.
func acceptsGzip(header string) bool {
	for item := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(item, ";")
		if strings.EqualFold(strings.TrimSpace(name), gzipName) {
			return qualityOf(params) > 0
		}
	}
	return false
}

// qualityOf is the weight among the parameters of an item; 1 if there is none.
func qualityOf(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if strings.EqualFold(name, "q") {
			q, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0
			}
			return q
		}
	}
	return 1
}
