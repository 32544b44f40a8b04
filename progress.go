package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// showProgress shows, on a terminal, that work goes on and what state says of
// it, until stop is called; stop may be called again. Elsewhere it is quiet.
func (p *program) showProgress(state func() string) (stop func()) {
	if !isTerminal(p.stderr) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var showing sync.WaitGroup
	showing.Go(func() {
		const clear = "\r\x1b[K"
		for began := time.Now(); ; {
			wait(ctx, time.Second)
			if ctx.Err() != nil {
				fmt.Fprint(p.stderr, clear)
				return
			}
			fmt.Fprintf(p.stderr, "%s%s, %s", clear, state(), time.Since(began).Round(time.Second))
		}
	})
	return sync.OnceFunc(func() { cancel(); showing.Wait() })
}
