package daemon

import (
	"io"
	stdlog "log"
	"time"

	"github.com/rs/zerolog"

	"strongroom/audit"
)

// newLogger returns the log of a server: for people on a terminal, JSON lines
// for machines otherwise.
func newLogger(w io.Writer, terminal bool, level zerolog.Level) zerolog.Logger {
	if terminal {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly}
	}
	// A hook instead of zerolog's own timestamp, whose format is a variable
	// of the whole process.
	stamp := zerolog.HookFunc(func(e *zerolog.Event, _ zerolog.Level, _ string) {
		e.Str(zerolog.TimestampFieldName, audit.FormatTime(time.Now()))
	})
	return zerolog.New(w).Level(level).Hook(stamp)
}

// httpErrors is where net/http says what it cannot tell its client: a failed
// TLS handshake, a panic.
func httpErrors(log zerolog.Logger) *stdlog.Logger {
	return stdlog.New(warnings{log}, "", 0)
}

type warnings struct{ log zerolog.Logger }

func (w warnings) Write(line []byte) (int, error) {
	w.log.Warn().Msg(string(line[:max(0, len(line)-1)]))
	return len(line), nil
}
