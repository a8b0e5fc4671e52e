package logfile

import (
	"regexp"
	"slices"
	"time"
)

// slack is how much later than its time a line may stand in a log: processes
// collect lines before they write them.
const slack = 5 * time.Second

// Query selects lines. The zero Query selects the last 0 lines.
type Query struct {
	// Names are those whose lines are wanted. Default: all.
	Names []string
	// Stream is StreamLog, StreamOut or StreamErr. Default: all of them.
	Stream string
	// Since and Until bound the time of a line; Since is included, Until is not. A
	// line of unknown time has that of the one before it. The lines of a raw log
	// have the time at which their file was begun, or last written to. Default: no
	// bounds.
	Since, Until time.Time
	// Match is found in the text of each line. Default: any text.
	Match *regexp.Regexp
	// Lines is how many of the newest to begin with. Less than 0 is all.
	Lines int
	// After gives by the Label of a log the Offset behind which to begin there. If
	// it is not nil Lines is unused, and in logs that are not in it all lines from
	// Since on are selected.
	After map[string]int64
	// Follow says to go on with what comes.
	Follow bool
}

// filter applies a Query to the lines of one log.
type filter struct {
	query *Query
	since time.Time
	owner string // whose lines are those of unknown form
	raw   bool
	now   time.Time // of the last line whose time was known
	late  bool      // lines from now on are behind Until
}

func newFilter(q *Query, r *Reader) *filter {
	f := &filter{query: q, since: q.Since, owner: r.owner, raw: r.form == rawForm{}}
	if _, known := q.After[r.label]; known {
		f.since = time.Time{}
	}
	return f
}

// enter tells that lines of a file follow.
func (f *filter) enter(s *segment) {
	if f.raw {
		f.now = time.Unix(0, s.base)
	}
}

// wants tells whether a line is selected; it keeps the time.
func (f *filter) wants(line []byte, form form) (Line, bool) {
	h, known := form.peek(line)
	if known {
		f.now = h.time
	}
	q := f.query
	if !q.Until.IsZero() && !f.now.Before(q.Until) {
		f.late = f.late || f.now.Sub(q.Until) > slack
		return Line{}, false
	}
	if !f.since.IsZero() && !f.raw && f.now.Before(f.since) {
		return Line{}, false
	}
	if !known {
		h = head{name: []byte(f.owner), stream: StreamErr}
		if f.raw {
			h.stream = StreamOut
		}
	}
	if q.Stream != "" && h.stream != q.Stream || !f.named(h.name) {
		return Line{}, false
	}
	if q.Match != nil && h.size > 0 && !q.Match.Match(line[h.size:]) {
		return Line{}, false
	}
	l := Line{Name: string(h.name), Stream: h.stream}
	if known {
		l, known = form.parse(line)
	}
	if !known {
		l.Text = string(line)
	}
	if q.Match != nil && h.size == 0 && !q.Match.MatchString(l.Text) {
		return Line{}, false
	}
	return l, true
}

func (f *filter) named(name []byte) bool {
	return len(f.query.Names) == 0 || slices.Contains(f.query.Names, string(name))
}

// old tells whether all wanted lines are in this file or in newer ones.
func (f *filter) old(s *segment) bool {
	if f.since.IsZero() {
		return false
	}
	begin, ok := s.begins()
	return ok && begin.Before(f.since.Add(-slack))
}
