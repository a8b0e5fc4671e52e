package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
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

// stateStyle paints a state of an instance, a sandbox or a worker.
func stateStyle(state string) style {
	switch state {
	case "running", "serving", "ready", "committed":
		return green
	case "failed", "stuck", "rolled_back", "refused":
		return red
	case "stopped", "finished", "gone":
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
