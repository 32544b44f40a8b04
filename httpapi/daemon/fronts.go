package daemon

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

const (
	// grace is how long requests may run on once the server was told to stop.
	grace = 30 * time.Second

	headerTimeout = 10 * time.Second
	bodyTimeout   = 30 * time.Second // without progress
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
)

// front is a listener, what serves it, and what tells that to hurry.
type front struct {
	listener net.Listener
	handler  http.Handler
	hurry    func()
}

// lobbyOf returns that of a listener. The control socket has one that is never full.
func lobbyOf(l net.Listener) *lobby {
	switch l := l.(type) {
	case plainListener:
		return l.lobby
	case *secureListener:
		return l.lobby
	}
	return newLobby(0)
}

// serveUntil serves all fronts until ctx is done or one of them fails, then
// lets requests that run come to their end.
func serveUntil(ctx context.Context, log zerolog.Logger, fronts ...front) error {
	failed := make(chan error, len(fronts))
	var serving sync.WaitGroup
	servers := make([]*http.Server, len(fronts))
	for i, f := range fronts {
		servers[i] = &http.Server{
			Handler:           framed(f.handler),
			ConnContext:       withConn,
			ConnState:         lobbyOf(f.listener).state,
			ErrorLog:          httpErrors(log),
			ReadHeaderTimeout: headerTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeader,
			// A stream that stands still is httpapi's to end; a connection of
			// which no stream can be told so, is ended here.
			HTTP2: &http.HTTP2Config{WriteByteTimeout: bodyTimeout},
			// Else net/http answers OPTIONS * itself, with none of our headers.
			DisableGeneralOptionsHandler: true,
			// No WriteTimeout: it would cut long downloads. httpapi sets a
			// deadline for each step of an answer.
		}
		serving.Go(func() {
			if err := servers[i].Serve(f.listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
		log.Info().Msg("stopping: finishing what runs")
	case err = <-failed:
	}
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	for i, f := range fronts {
		f.hurry()
		serving.Go(func() {
			if servers[i].Shutdown(deadline) != nil {
				log.Warn().Str("after", grace.String()).Msg("requests that still ran were cut off")
				servers[i].Close()
			}
		})
	}
	serving.Wait()
	return err
}
