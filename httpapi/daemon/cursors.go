package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"time"

	"github.com/rs/zerolog"

	"strongroom/blobstore/object"
	"strongroom/engine/webhook"
)

// cursorsKey is the object of a vault in which its owner keeps how far its webhooks are,
// for the next owner. What is delivered and not kept there yet is delivered twice by a
// takeover: receivers know it by webhook-id.
const cursorsKey = "cursors"

const (
	cursorsEvery    = 5 * time.Second
	cursorsPatience = 15 * time.Second
)

// reached reads how far the webhooks of a vault are; nil if nobody has said so.
func (d *deliveries) reached(ctx context.Context, vault string) (map[string]webhook.Reached, error) {
	if d.store == nil {
		return nil, nil
	}
	trying, cancel := context.WithTimeout(ctx, cursorsPatience)
	defer cancel()
	for {
		b, _, err := object.Read(trying, d.store.of(vault), cursorsKey)
		if errors.Is(err, object.ErrNotFound) {
			return nil, nil
		}
		if err == nil {
			reached := map[string]webhook.Reached{}
			if json.Unmarshal(b, &reached) != nil {
				return nil, nil // the file on the disk knows, or else they begin at the head
			}
			return reached, nil
		}
		if wait(trying, time.Second); trying.Err() != nil {
			return nil, err
		}
	}
}

// share keeps in the store how far they are, until ctx is done.
func (d *deliveries) share(ctx context.Context, vault string, deliverer *webhook.Deliverer, log zerolog.Logger) {
	var kept map[string]webhook.Reached
	for ctx.Err() == nil {
		now := deliverer.Reached()
		if kept == nil || !maps.EqualFunc(kept, now, func(a, b webhook.Reached) bool { return reflect.DeepEqual(a, b) }) {
			if err := d.put(ctx, vault, now); err == nil {
				kept = now
			} else if ctx.Err() == nil {
				log.Warn().Err(err).Msg("how far webhooks are could not be kept in the store; it is tried again")
			}
		}
		wait(ctx, cursorsEvery)
	}
}

func (d *deliveries) put(ctx context.Context, vault string, reached map[string]webhook.Reached) error {
	b, err := json.Marshal(reached)
	if err != nil {
		return err
	}
	putting, cancel := context.WithTimeout(ctx, cursorsEvery)
	defer cancel()
	_, err = d.store.of(vault).Put(putting, cursorsKey, b, object.Condition{})
	return err
}
