package http

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
)

// targetOf gives what a request line has for a method: a path, with a query if there is
// a question mark. A full URL gives the host as well.
func (p *Proto) targetOf(method string) (target, host string, err error) {
	path, query, hasQuery := strings.Cut(method, "?")
	if _, full := cutScheme(method); full {
		u, err := url.Parse(method)
		if err != nil {
			return "", "", fmt.Errorf("the method is no URL: %w", err)
		}
		path, query, host = u.Path, u.RawQuery, u.Host
		hasQuery = query != ""
	}
	// A colon before the first slash would be the end of a scheme.
	first, _, _ := strings.Cut(path, "/")
	target = strings.ReplaceAll(p.escape(first, "%#?"), ":", "%3A") + p.escape(path[len(first):], "%#?")
	if hasQuery {
		target += "?" + p.escape(query, "#")
	}
	if host = cmp.Or(host, p.options.Host); !isText(host) {
		return "", "", fmt.Errorf("the host %q has a control character", host)
	}
	return target, host, nil
}

// escape encodes what cannot stand in a target, and the characters of also. Older
// writers leave all that their readers understand.
func (p *Proto) escape(text, also string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		stays := c > ' ' && c != 0x7f && (p.options.Classic || isPlain(c)) && strings.IndexByte(also, c) < 0
		if stays {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

// isPlain tells of the characters that have no need of an escape in a path or a query.
func isPlain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~!$&'()*+,;=:@/?%", c) >= 0
}
