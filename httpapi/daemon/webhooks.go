package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/engine/webhook"
	"strongroom/httpapi"
)

// deliveries are the deliverers of all vaults, at work.
type deliveries struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
	all     map[string]*webhook.Deliverer
	silent  []string // vaults whose deliveries could not be begun
	store   *Store   // where it is kept how far they are; nil: on the disk alone
}

// startDeliveries begins to deliver. The caller stops it before it closes the
// vaults. A vault whose deliveries cannot be begun is served all the same: its
// events are in its log, and told from there after the next start.
func startDeliveries(o Options, vaults map[string]*engine.Vault, log zerolog.Logger) *deliveries {
	d := &deliveries{all: map[string]*webhook.Deliverer{}, store: o.Store}
	var ctx context.Context
	ctx, d.cancel = context.WithCancel(context.Background())
	for name, v := range vaults {
		log := log.With().Str("vault", name).Logger()
		at := o.Place
		at.Vault = name
		options := webhook.Options{
			Allow: o.WebhookAllow, Proxy: o.WebhookProxy,
			Report: func(err error) { log.Warn().Err(err).Msg("webhooks") },
		}
		reached, err := d.reached(ctx, name)
		if err != nil {
			log.Error().Err(err).Msg("webhooks are not delivered: how far another server was cannot be read")
			d.silent = append(d.silent, name)
			continue
		}
		options.Reached = reached
		deliverer, err := webhook.Open(v, at.Dir(), options)
		if err != nil {
			log.Error().Err(err).Str("file", filepath.Join(at.Dir(), "webhooks.db")).Msg("webhooks are not delivered")
			d.silent = append(d.silent, name)
			continue
		}
		d.all[name] = deliverer
		d.running.Go(func() {
			if err := deliverer.Run(ctx); err != nil {
				log.Error().Err(err).Msg("webhooks are not delivered any more")
			}
		})
		if d.store != nil {
			d.running.Go(func() { d.share(ctx, name, deliverer, log) })
		}
	}
	return d
}

// stop ends the deliveries, and keeps how far they came.
func (d *deliveries) stop() error {
	d.cancel()
	d.running.Wait()
	var errs []error
	for name, deliverer := range d.all {
		if d.store != nil {
			// Without it the next owner repeats what was delivered in the last seconds.
			d.put(context.Background(), name, deliverer.Reached())
		}
		if err := deliverer.Close(); err != nil {
			errs = append(errs, fmt.Errorf("vault %q: webhooks: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// served are the deliverers as the API sees them.
func (d *deliveries) served() map[string]httpapi.Deliverer {
	served := make(map[string]httpapi.Deliverer, len(d.all))
	for name, deliverer := range d.all {
		served[name] = deliverer
	}
	return served
}

// collect measures how they stand.
func (d *deliveries) collect(e *httpapi.Exposition) {
	names := slices.Sorted(maps.Keys(d.all))
	stats := map[string]webhook.Stats{}
	for _, name := range names {
		stats[name] = d.all[name].Stats()
	}
	e.Family("strongroom_webhooks", "gauge", "Webhooks by state. failing: the last attempt failed, and it is waited for the next.")
	for _, name := range names {
		s := stats[name]
		e.Sample(float64(s.Active-s.Failing), "vault", name, "state", "active")
		e.Sample(float64(s.Failing), "vault", name, "state", "failing")
		e.Sample(float64(s.Webhooks-s.Active), "vault", name, "state", "inactive")
	}
	e.Family("strongroom_webhook_lag_entries", "gauge", "Audit entries that the active webhook furthest behind has still to be told or to pass over.")
	for _, name := range names {
		e.Sample(float64(stats[name].Lag), "vault", name)
	}
}
