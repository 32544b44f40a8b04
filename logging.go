package main

import (
	"fmt"
	"io"
	stdlog "log"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"

	"strongroom/audit"
)

// isTerminal reports whether a person reads what is written to w.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}

// newLogger returns the log of a server: for people on a terminal, JSON lines
// for machines otherwise.
func newLogger(w io.Writer, level zerolog.Level) zerolog.Logger {
	if isTerminal(w) {
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

// levelValue is the flag --log-level.
type levelValue zerolog.Level

func (l *levelValue) String() string { return zerolog.Level(*l).String() }

func (l *levelValue) Set(s string) error {
	switch s {
	case "debug", "info", "warn", "error":
		level, err := zerolog.ParseLevel(s)
		*l = levelValue(level)
		return err
	}
	return fmt.Errorf("want debug, info, warn or error")
}
