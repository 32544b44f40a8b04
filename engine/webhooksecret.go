package engine

import (
	"context"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/secret"
)

// signingOverlap is how long a secret signs on after its rotation.
const signingOverlap = 24 * time.Hour

func signingSecret(key []byte) Secret { return Secret{secret.SpellSigningKey(key)} }

// RotateWebhook gives a webhook another secret, shown this once. For 24 hours
// messages carry a signature by the old one too; if it was rotated within them,
// the one before that signs no more. It needs admin access.
// ErrWebhookNotFound.
func (v *Vault) RotateWebhook(ctx context.Context, actor Actor, webhookID string, m Match) (Webhook, Secret, Receipt, error) {
	key := secret.NewSigningKey()
	w, receipt, err := v.changeWebhook(ctx, actor, webhookID, m, func(t *tx, w *webhook) (audit.Event, error) {
		w.former, w.secret, w.until = w.secret, key, t.Now().Add(signingOverlap)
		facts := w.facts()
		facts["until"] = audit.Text(factTime(w.until))
		return audit.Event{Op: audit.OpWebhookUpdated, Facts: facts}, nil
	})
	if err != nil {
		return Webhook{}, Secret{}, Receipt{}, err
	}
	return w, signingSecret(key), receipt, nil
}

// WebhookTarget is what delivering to a webhook takes, as of one instant.
type WebhookTarget struct {
	Webhook
	// Secrets sign its messages, the newest first: one, or two for a day after a
	// rotation. They are for who delivers and for nobody else.
	Secrets []Secret
	// Paused is that of the settings: nothing is delivered.
	Paused bool
}

// WebhookTarget is asked before each delivery, so that what an admin has changed
// holds from the next one on. ErrWebhookNotFound.
func (v *Vault) WebhookTarget(ctx context.Context, webhookID string) (WebhookTarget, error) {
	return view(v, func(t *tx) (WebhookTarget, error) {
		w, err := t.webhook(webhookID)
		if err != nil {
			return WebhookTarget{}, err
		}
		s, err := t.settings()
		if err != nil {
			return WebhookTarget{}, err
		}
		target := WebhookTarget{Webhook: w.Webhook, Secrets: []Secret{signingSecret(w.secret)}, Paused: s.Paused}
		if t.Now().Before(w.until) {
			target.Secrets = append(target.Secrets, signingSecret(w.former))
		}
		return target, nil
	})
}
