package ctl

import (
	"context"
	"maps"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// MaxLogLines is how many of a log's newest lines can be asked for at once.
	MaxLogLines = 100_000
	// AllLogLines is for LogQuery.Lines.
	AllLogLines = -1

	defaultLines  = 100      // of a log, when n is not given
	maxLogNames   = 1024     // in one query
	maxLogPattern = 10 << 10 // bytes of a regular expression
)

// LogStreams are what a line can come from: a logger, standard output or standard
// error.
func LogStreams() []string { return []string{"log", "out", "err"} }

// LogLine is one line of captured output: GET /v1/logs, a stream of NDJSON.
type LogLine struct {
	Log        string    `json:"log,omitempty"` // the log it is in, if that is not the one of the instance
	Offset     int64     `json:"offset"`        // where the line ends, in bytes since the log began: over 0, rising, going on over rotations
	Time       time.Time `json:"time"`
	Name       string    `json:"name"`                 // program, worker, sandbox (single mode) or master
	Instance   int       `json:"instance,omitempty"`   // if the log tells
	Generation int       `json:"generation,omitempty"` // if the log tells
	Stream     string    `json:"stream"`               // log, out or err
	Text       string    `json:"text"`
}

// LogQuery selects log lines. The zero value selects the last 0 lines of all.
type LogQuery struct {
	Names  []string // programs, sandboxes, workers or "master"; none means all
	Stream string   // one of LogStreams; empty means all
	Since  time.Time
	Until  time.Time // is not included; the zero time is no bound, as for Since
	Grep   string    // a regular expression (RE2) that the text matches; empty means any text
	Lines  int       // how many of the newest to begin with; AllLogLines: all
	Follow bool      // go on with new ones until the caller leaves

	// After gives for each log, the one of the instance being "", the Offset of the
	// line behind which to begin. If it is not nil, Lines is unused, and of a log that
	// is not in it come all lines from Since on.
	After map[string]int64
}

// Validate says what cannot be.
func (q LogQuery) Validate() error {
	if len(q.Names) > maxLogNames || slices.Contains(q.Names, "") {
		return Problemf(ErrInvalid, "cannot read the log: there must be at most %d names, and no empty one", maxLogNames)
	}
	if streams := LogStreams(); q.Stream != "" && !slices.Contains(streams, q.Stream) {
		return Problemf(ErrInvalid, "cannot read the log: the stream %q must be one of %s", q.Stream, strings.Join(streams, ", "))
	}
	if q.Lines < AllLogLines || q.Lines > MaxLogLines {
		return Problemf(ErrInvalid, "cannot read the log: %d lines must be from 0 to %d, or all", q.Lines, MaxLogLines)
	}
	if !q.Until.IsZero() && q.Follow {
		return Problemf(ErrInvalid, "cannot read the log: what is followed has no end")
	}
	if !q.Until.IsZero() && !q.Until.After(q.Since) {
		return Problemf(ErrInvalid, "cannot read the log: its end %s is not after its begin %s", q.Until.Format(time.RFC3339), q.Since.Format(time.RFC3339))
	}
	if _, err := q.Pattern(); err != nil {
		return Problemf(ErrInvalid, "cannot read the log: %v", err)
	}
	return nil
}

// Pattern is Grep, compiled; nil if it is empty.
func (q LogQuery) Pattern() (*regexp.Regexp, error) {
	if q.Grep == "" {
		return nil, nil
	}
	if len(q.Grep) > maxLogPattern {
		return nil, Problemf(ErrInvalid, "the pattern has %d bytes, more than %d", len(q.Grep), maxLogPattern)
	}
	return regexp.Compile(q.Grep)
}

// Logs calls emit for each selected line: GET /v1/logs. With q.Follow it goes on
// as [Client.Events] does.
func (c *Client) Logs(ctx context.Context, q LogQuery, emit func(LogLine) error) error {
	seen := make(map[string]int64)
	maps.Copy(seen, q.After)
	asked := time.Now()
	path := func(begun bool) string {
		if begun && q.After == nil {
			// What was asked for at first has been sent; of a log of which nothing came
			// only new lines are missing.
			q.Since = asked
		}
		if begun {
			q.After = seen
		}
		return "/v1/logs?" + q.encode()
	}
	return c.follow(ctx, path, q.Follow, func(line []byte) error {
		l, err := parse[LogLine](line)
		if err != nil {
			return err
		}
		seen[l.Log] = l.Offset
		return emit(l)
	})
}

// The parameters of a query are n, name, stream, grep, from, until and follow; and,
// to go on, since for the offset in the log of the instance and after, OFFSET:LOG,
// for those in others. An empty after says that there are none.
func (q LogQuery) encode() string {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	switch {
	case q.After != nil:
		v.Set("after", "")
	case q.Lines < 0:
		v.Set("n", "all")
	default:
		v.Set("n", strconv.Itoa(q.Lines))
	}
	for _, log := range slices.Sorted(maps.Keys(q.After)) {
		if offset := strconv.FormatInt(q.After[log], 10); log == "" {
			v.Set("since", offset)
		} else {
			v.Add("after", offset+":"+log)
		}
	}
	v["name"] = q.Names
	set("stream", q.Stream)
	set("grep", q.Grep)
	set("from", stamp(q.Since))
	set("until", stamp(q.Until))
	if q.Follow {
		v.Set("follow", "1")
	}
	return v.Encode()
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

func (c *call) logs() error {
	v, err := c.query("name", "n", "since", "after", "from", "until", "stream", "grep", "follow")
	if err != nil {
		return err
	}
	q, err := decodeLogQuery(v)
	if err != nil {
		return err
	}
	return stream(c, func(ctx context.Context, emit func(LogLine) error) error {
		return c.server.master.Logs(ctx, q, emit)
	})
}

func decodeLogQuery(v url.Values) (LogQuery, error) {
	q := LogQuery{Names: v["name"], Stream: v.Get("stream"), Grep: v.Get("grep"), Lines: AllLogLines}
	var err error
	if v.Get("n") != "all" {
		var lines uint64
		if lines, err = number(v, "n", defaultLines, MaxLogLines); err != nil {
			return q, err
		}
		q.Lines = int(lines)
	}
	if q.After, err = offsets(v); err != nil {
		return q, err
	}
	if q.Since, err = moment(v, "from"); err != nil {
		return q, err
	}
	if q.Until, err = moment(v, "until"); err != nil {
		return q, err
	}
	if q.Follow, err = flag(v, "follow"); err != nil {
		return q, err
	}
	return q, q.Validate()
}

// offsets is nil if there are none.
func offsets(v url.Values) (map[string]int64, error) {
	if !v.Has("since") && !v.Has("after") {
		return nil, nil
	}
	since, err := number(v, "since", 0, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	after := make(map[string]int64)
	if since > 0 {
		after[""] = int64(since)
	}
	for _, text := range v["after"] {
		if text == "" {
			continue
		}
		offset, log, ok := strings.Cut(text, ":")
		n, err := strconv.ParseInt(offset, 10, 64)
		if err != nil || !ok || n < 0 || log == "" {
			return nil, Problemf(ErrInvalid, "cannot use after=%q: it must be an offset and a log, OFFSET:LOG", text)
		}
		after[log] = n
	}
	return after, nil
}

func moment(v url.Values, key string) (time.Time, error) {
	text := v.Get(key)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, Problemf(ErrInvalid, "cannot use %s=%q: it must be a time such as 2006-01-02T15:04:05Z", key, text)
	}
	return t, nil
}
