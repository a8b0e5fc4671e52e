package gfservice

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"

	"github.com/gogf/gf/v2/os/glog"
)

// bridge returns a goframe logger that writes to l. After a fatal message goframe
// ends the process; here it tells fatal instead and ends the goroutine, which is
// the one way to keep it from its os.Exit that works in any goroutine.
func bridge(l *slog.Logger, fatal chan<- error) *glog.Logger {
	g := glog.New()
	g.SetStdoutPrint(false)
	g.SetStack(false)
	g.SetHandlers(func(ctx context.Context, in *glog.HandlerInput) {
		text := strings.TrimSpace(in.ValuesContent())
		var attrs []slog.Attr
		if in.Stack != "" {
			attrs = append(attrs, slog.String("stack", in.Stack))
		}
		l.LogAttrs(ctx, level(in.Level, text), text, attrs...)
		in.Next(ctx) // to a file, if one was asked for
		if in.Level == glog.LEVEL_FATA {
			first, _, _ := strings.Cut(text, "\n")
			select {
			case fatal <- fmt.Errorf("goframe gave up: %s", first):
			default: // the first one is enough
			}
			runtime.Goexit()
		}
	})
	return g
}

// level translates; what ghttp says about its own coming and going is noise here,
// the sandbox's state says it.
func level(g int, text string) slog.Level {
	switch g {
	case glog.LEVEL_DEBU:
		return slog.LevelDebug
	case glog.LEVEL_INFO, glog.LEVEL_NOTI:
		if strings.HasPrefix(text, "pid[") || strings.HasPrefix(text, "openapi specification is disabled") {
			return slog.LevelDebug
		}
		return slog.LevelInfo
	case glog.LEVEL_WARN:
		return slog.LevelWarn
	}
	return slog.LevelError
}
