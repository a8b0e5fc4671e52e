package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// span is a duration as people say it, with its two largest units.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}

// since is how long ago t was.
func since(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return span(time.Since(t))
}

// ago is since for a time that is over.
func ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return since(t) + " ago"
}

// size is a number of bytes as people say it.
func size(n uint64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/unit, 0
	for ; v >= unit; i++ {
		v /= unit
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGTPE"[i])
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "ss") || strings.HasSuffix(noun, "x") {
		return strconv.Itoa(n) + " " + noun + "es"
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// short is a build ID as people compare it.
func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return orDash(id)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// clean makes a text that a program wrote fit for one line of somebody's terminal:
// without colours, and with a dot for whatever else moves the cursor.
func clean(text string) string {
	text = strings.TrimRight(text, "\r\n")
	var b strings.Builder
	for len(text) > 0 {
		if rest, ok := strings.CutPrefix(text, "\x1b["); ok {
			end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > ';' })
			if end < 0 {
				break
			}
			text = rest[end+1:]
			continue
		}
		r, n := utf8.DecodeRuneInString(text)
		switch {
		case r == '\t':
			b.WriteByte(' ')
		case !unicode.IsPrint(r), r == utf8.RuneError && n == 1:
			b.WriteRune('·')
		default:
			b.WriteString(text[:n])
		}
		text = text[n:]
	}
	return b.String()
}

// stateStyle paints a state of an instance, a sandbox, a worker or a program.
func stateStyle(state string) style {
	switch state {
	case "running", "serving", "ready", "committed":
		return green
	case "failed", "fatal", "stuck", "rolled_back", "refused":
		return red
	case "stopped", "finished", "exited", "gone":
		return dim
	}
	return yellow
}

// stamp is a time in a log: with its date unless a person looks on.
func (p *printer) stamp(t time.Time) string {
	switch {
	case t.IsZero():
		return "-"
	case p.terminal:
		return t.Local().Format("15:04:05.000")
	}
	return t.Local().Format("2006-01-02T15:04:05.000Z07:00")
}
