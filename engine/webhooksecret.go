package engine

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"time"

	"strongroom/audit"
)

// Secrets that sign are those of Standard Webhooks: whsec_ and the base64 of the
// key of HMAC-SHA256, 24 random bytes here.
const (
	signingPrefix = "whsec_"
	signingSize   = 24
	// signingOverlap is how long a secret signs on after its rotation.
	signingOverlap = 24 * time.Hour
)

func newSigningSecret() []byte {
	random := make([]byte, signingSize)
	rand.Read(random) // never fails: crypto/rand
	return random
}

func spellSigningSecret(random []byte) Secret {
	return Secret{signingPrefix + base64.StdEncoding.EncodeToString(random)}
}

// RotateWebhook gives a webhook another secret, shown this once. For 24 hours
// messages carry a signature by the old one too; if it was rotated within them,
// the one before that signs no more. It needs admin access.
// ErrWebhookNotFound.
func (v *Vault) RotateWebhook(ctx context.Context, actor Actor, webhookID string, m Match) (Webhook, Secret, Receipt, error) {
	secret := newSigningSecret()
	w, receipt, err := v.changeWebhook(ctx, actor, webhookID, m, func(t *tx, w *webhook) (audit.Event, error) {
		w.former, w.secret, w.until = w.secret, secret, t.Now().Add(signingOverlap)
		facts := w.facts()
		facts["until"] = audit.Text(factTime(w.until))
		return audit.Event{Op: audit.OpWebhookUpdated, Facts: facts}, nil
	})
	if err != nil {
		return Webhook{}, Secret{}, Receipt{}, err
	}
	return w, spellSigningSecret(secret), receipt, nil
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
		target := WebhookTarget{Webhook: w.Webhook, Secrets: []Secret{spellSigningSecret(w.secret)}, Paused: s.Paused}
		if t.Now().Before(w.until) {
			target.Secrets = append(target.Secrets, spellSigningSecret(w.former))
		}
		return target, nil
	})
}
