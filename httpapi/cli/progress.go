package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
)

// isTerminal reports whether a person reads what is written to w.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}

// showProgress shows, on a terminal, that work goes on and what state says of
// it, until stop is called; stop may be called again. Elsewhere it is quiet.
func (p *Program) showProgress(state func() string) (stop func()) {
	if !isTerminal(p.Stderr) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var showing sync.WaitGroup
	showing.Go(func() {
		const clear = "\r\x1b[K"
		for began := time.Now(); ; {
			select {
			case <-ctx.Done():
				fmt.Fprint(p.Stderr, clear)
				return
			case <-time.After(time.Second):
			}
			fmt.Fprintf(p.Stderr, "%s%s, %s", clear, state(), time.Since(began).Round(time.Second))
		}
	})
	return sync.OnceFunc(func() { cancel(); showing.Wait() })
}
