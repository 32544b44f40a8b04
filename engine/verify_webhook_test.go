package engine_test

import (
	"bytes"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"

	"go.etcd.io/bbolt"
)

// webhooked makes webhooks of all kinds, and returns the one that is tampered
// with: rotated, changed and disabled.
func webhooked(t *testing.T, k *enginetest.Kit) engine.Webhook {
	t.Helper()
	ctx := t.Context()
	subscribe(k, engine.NewWebhook{URL: "https://example.com/plain"})
	gone, _ := subscribe(k, engine.NewWebhook{URL: "https://example.com/gone"})
	_, _, err := k.DeleteWebhook(ctx, k.Admin, gone.ID, engine.Condition{})
	must(t, err)
	w, _ := subscribe(k, engine.NewWebhook{URL: "https://example.com/before", Events: []string{"hold.*"}, Description: "the ERP"})
	url := "https://example.com/after"
	_, _, err = k.UpdateWebhook(ctx, k.Admin, w.ID, engine.Condition{}, engine.WebhookPatch{URL: &url})
	must(t, err)
	_, _, _, err = k.RotateWebhook(ctx, k.Admin, w.ID, engine.Condition{})
	must(t, err)
	w, _, err = k.LogReader().DisableWebhook(ctx, engine.System(), w.ID, engine.Condition{}, engine.DisabledGone)
	must(t, err)
	return w
}

// webhooks tampers with each member of a record.
func (e *evidence) webhooks() (list []tamper) {
	const state = engine.CodeState
	key := engine.KeyOf(e.webhook.ID)
	for name, change := range map[string]func(*engine.StoredWebhook){
		"another URL":            func(w *engine.StoredWebhook) { w.URL = "https://example.com/other" },
		"other events":           func(w *engine.StoredWebhook) { w.Events = nil },
		"another description":    func(w *engine.StoredWebhook) { w.Description = "" },
		"active again":           func(w *engine.StoredWebhook) { w.Active = true },
		"another reason":         func(w *engine.StoredWebhook) { w.DisabledReason = "failing" },
		"another creation":       func(w *engine.StoredWebhook) { w.CreatedSeq-- },
		"another time":           func(w *engine.StoredWebhook) { w.CreatedAt = w.CreatedAt.Add(1e6) },
		"another revision":       func(w *engine.StoredWebhook) { w.Revision++ },
		"a secret that signs on": func(w *engine.StoredWebhook) { w.Prolong() },
		"the secret of before":   func(w *engine.StoredWebhook) { w.Swap() },
	} {
		list = append(list, tamper{name: name, code: state, db: edit("webhooks", key, func(_, value []byte) []byte {
			return engine.ChangeWebhook(e.webhook.ID, value, change)
		})})
	}
	return append(list,
		tamper{name: "no webhook", code: state, db: drop("webhooks", key)},
		tamper{name: "a webhook nobody made", code: state, db: func(b *bbolt.Tx) error {
			rows := b.Bucket([]byte("webhooks"))
			return rows.Put(engine.KeyOf(engine.NewID()), bytes.Clone(rows.Get(key)))
		}},
		tamper{name: "a webhook that cannot be read", code: state, db: put("webhooks", key, []byte{9})},
		tamper{name: "a webhook with a short key", code: state, db: put("webhooks", key[:3], []byte{9})},
	)
}
