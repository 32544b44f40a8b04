package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/httpapi"
	"strongroom/httpapi/witness"
)

const (
	// witnessEvery is how often witnesses are asked.
	witnessEvery = time.Hour
	// witnessStart is how long a start waits for witnesses: one that is away keeps
	// no server from starting.
	witnessStart = 15 * time.Second
)

// witnessing has the checkpoints of the vaults signed by the witnesses of a policy.
type witnessing struct {
	client *witness.Client
	vaults map[string]*engine.Vault
	log    zerolog.Logger

	cancel  context.CancelFunc
	running sync.WaitGroup

	mu   sync.Mutex
	miss map[string]string // what is wrong, by the name of the vault
}

// startWitnessing asks about what each vault has signed before anything else is
// signed: a directory that was brought back to an earlier state must not sign a
// second history. Then it asks hourly. nil if there is no client. The caller stops
// it before it closes the vaults.
func startWitnessing(ctx context.Context, client *witness.Client, vaults map[string]*engine.Vault, log zerolog.Logger) *witnessing {
	if client == nil {
		return nil
	}
	w := &witnessing{client: client, vaults: vaults, log: log, miss: map[string]string{}}
	first, cancel := context.WithTimeout(ctx, witnessStart)
	w.all(first, (*engine.Vault).LastCheckpoint)
	cancel()
	ctx, w.cancel = context.WithCancel(context.WithoutCancel(ctx))
	w.running.Go(func() {
		for ctx.Err() == nil {
			w.all(ctx, (*engine.Vault).Checkpoint)
			wait(ctx, witnessEvery)
		}
	})
	return w
}

func (w *witnessing) stop() {
	if w != nil {
		w.cancel()
		w.running.Wait()
	}
}

// all asks about every vault, at once.
func (w *witnessing) all(ctx context.Context, checkpoint func(*engine.Vault, context.Context) (engine.Checkpoint, error)) {
	var asking sync.WaitGroup
	for name, v := range w.vaults {
		asking.Go(func() {
			c, err := checkpoint(v, ctx)
			if errors.Is(err, engine.ErrNoCheckpoint) || ctx.Err() != nil {
				return
			}
			if err == nil {
				_, err = w.ask(ctx, v, c)
			}
			w.tell(name, c, err)
		})
	}
	asking.Wait()
}

// ask has the witnesses sign a checkpoint. The error is that they are not as many
// as the policy wants, with what each has said, or that the vault signs no more.
func (w *witnessing) ask(ctx context.Context, v *engine.Vault, c engine.Checkpoint) ([]witness.Answer, error) {
	answers := w.client.Ask(ctx, witness.VaultLog{Vault: v}, witness.SignedOf(c))
	var said []string
	for _, a := range answers {
		if errors.Is(a.Err, engine.ErrContradicted) {
			return answers, fmt.Errorf("witness %s: %w", a.Name, a.Err)
		}
		if a.Err != nil {
			said = append(said, fmt.Sprintf("witness %s: %v", a.Name, a.Err))
		}
	}
	now, err := v.LastCheckpoint(ctx)
	if err != nil {
		return answers, err
	}
	if now.Size != c.Size { // it has gone on; what was signed of c stands in the witnessed one
		if now, err = v.Witnessed(ctx); err != nil {
			return answers, errors.Join(errors.New("no witness has signed"), errors.New(strings.Join(said, "; ")))
		}
	}
	p, err := w.client.Policy().For(now.Verifier)
	if err != nil {
		return answers, err
	}
	if _, err := p.Open(now.Note); errors.Is(err, audit.ErrQuorum) {
		return answers, fmt.Errorf("%w: %s", err, strings.Join(said, "; "))
	} else if err != nil {
		return answers, err
	}
	if len(said) > 0 {
		w.log.Info().Str("vault", v.Name()).Strs("said", said).Msg("some witnesses did not sign; the others are enough")
	}
	return answers, nil
}

// Witness is what an admin asks for: as hourly, but now.
func (w *witnessing) Witness(ctx context.Context, v *engine.Vault) (httpapi.Witnessing, error) {
	c, err := v.Checkpoint(ctx)
	if err != nil {
		return httpapi.Witnessing{}, err
	}
	answers, err := w.ask(ctx, v, c)
	w.tell(v.Name(), c, err)
	if errors.Is(err, engine.ErrContradicted) {
		return httpapi.Witnessing{}, err
	}
	is := httpapi.Witnessing{Checkpoint: c, Enough: err == nil}
	if now, err := v.Witnessed(ctx); err == nil && now.Checkpoint == c.Checkpoint {
		is.Checkpoint = now
	}
	for _, a := range answers {
		is.Said = append(is.Said, httpapi.WitnessSaid{Name: a.Name, At: a.Time, Err: a.Err})
	}
	return is, nil
}

// tell logs what became of it, and keeps what is wrong for readyz.
func (w *witnessing) tell(name string, c engine.Checkpoint, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	log := w.log.With().Str("vault", name).Logger()
	switch {
	case err == nil:
		delete(w.miss, name)
		log.Info().Int64("size", c.Size).Msg("checkpoint witnessed")
	case errors.Is(err, engine.ErrContradicted):
		delete(w.miss, name) // the vault tells of it itself
		log.Error().Err(err).Msg("the vault signs no more")
	default:
		w.miss[name] = "its checkpoints are not witnessed; the log says why, and it is tried again hourly"
		log.Warn().Err(err).Msg("checkpoint not witnessed; it is tried again hourly")
	}
}

// warnings tell which vaults are not witnessed.
func (w *witnessing) warnings() map[string]string {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.miss)
}

// witness is what this server signs for others; nil if it was told of no log.
func (o Options) witness(log zerolog.Logger) (*witness.Server, error) {
	if o.WitnessFor == nil {
		return nil, nil
	}
	w, err := witness.Open(o.Place.Data, *o.WitnessFor)
	if err != nil {
		return nil, fmt.Errorf("--witness-for: %w", err)
	}
	var origins []string
	for _, l := range o.WitnessFor.Logs {
		origins = append(origins, l.Key.Name)
	}
	slices.Sort(origins)
	log.Info().Str("key", w.Verifier()).Strs("logs", slices.Compact(origins)).Msg("witness of logs")
	return witness.NewServer(w, log), nil
}

// withWitness serves its paths beside the others, which have none of them.
func withWitness(rest http.Handler, w *witness.Server) http.Handler {
	if w == nil {
		return rest
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.Serves(r.URL.Path) {
			rw.Header().Set("X-Request-Id", httpapi.RequestID(r))
			w.ServeHTTP(rw, r)
			return
		}
		rest.ServeHTTP(rw, r)
	})
}
