package webhook_test

import (
	"sync"
	"testing"
	"time"

	"strongroom/engine"
)

// Webhooks that are made and asked for all at once are each told once.
func TestManyMakeWebhooksAtOnce(t *testing.T) {
	inBubble(t, func(k *kit) {
		r := k.receive(here, nil)
		k.start()
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				for range 20 {
					w, _, _, err := k.CreateWebhook(k.t.Context(), k.Admin, engine.NewWebhook{URL: r.url, Events: []string{"document.created"}})
					if err == nil {
						_, err = k.d.Deliveries(k.t.Context(), w.ID, engine.DeliveryQuery{})
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		k.make("one")
		time.Sleep(time.Hour)
		if s := k.d.Stats(); s.Webhooks != 320 || s.Lag > 0 || len(r.messages()) != 320 {
			t.Errorf("%+v, told %d times", s, len(r.messages()))
		}
	})
}
