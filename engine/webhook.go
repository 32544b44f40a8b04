package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/check"
	"strongroom/engine/internal/secret"
	"strongroom/engine/internal/store"
)

// Webhook is a subscription: where events are to be told, and which. An event is
// an entry of the log about to be told, and what tells it is not this package's
// business: package engine/webhook reads the log and delivers.
type Webhook struct {
	ID  string
	URL string
	// Events are patterns: an operation ("document.deleted"), all of a noun
	// ("hold.*") or everything ("*"). None: everything but document.downloaded.
	Events      []string
	Description string
	Active      bool
	// DisabledReason says why it was taken out of service: gone or failing; "" if
	// it was not, or an admin has activated it again.
	DisabledReason DisabledReason
	CreatedAt      time.Time
	// CreatedSeq is the entry of its creation: it is told of what comes after.
	CreatedSeq uint64
	Revision   uint64
}

// DisabledReason is why a webhook was taken out of service.
type DisabledReason string

const (
	DisabledGone    DisabledReason = "gone"    // the endpoint answered 410
	DisabledFailing DisabledReason = "failing" // for days it answered nothing but failure
)

// Wants says whether the webhook is told of an operation.
func (w *Webhook) Wants(op audit.Op) bool {
	if len(w.Events) == 0 {
		return op != audit.OpDocumentDownloaded
	}
	return slices.ContainsFunc(w.Events, func(pattern string) bool { return check.Matches(pattern, string(op)) })
}

// NewWebhook describes a webhook to be made. URL is required.
type NewWebhook struct {
	URL         string
	Events      []string
	Description string
	Inactive    bool
}

// WebhookPatch: nil leaves a member alone. Active true ends a disabling.
type WebhookPatch struct {
	URL         *string
	Events      *[]string
	Description *string
	Active      *bool
}

// webhook is a Webhook as stored, with what its messages are signed with. That
// has to be recoverable, so rows.db has it as it is; it is in no entry, and who
// asks for a webhook does not get it.
type webhook struct {
	Webhook
	at     id
	secret []byte
	former []byte    // the secret before the last rotation; it signs too, until:
	until  time.Time // zero: never rotated
}

// Webhook returns one webhook, without its secret. ErrWebhookNotFound.
func (v *Vault) Webhook(ctx context.Context, webhookID string) (Webhook, error) {
	return view(v, func(t *tx) (Webhook, error) {
		w, err := t.webhook(webhookID)
		if err != nil {
			return Webhook{}, err
		}
		return w.Webhook, nil
	})
}

// Webhooks lists webhooks in the order in which they were made.
func (v *Vault) Webhooks(ctx context.Context, p Paging) (Page[Webhook], error) {
	return view(v, func(t *tx) (Page[Webhook], error) {
		return idPage(t, bucketWebhooks, listWebhooks, p, func(at id, b []byte) (Webhook, error) {
			w, err := decodeWebhook(at, b)
			if err != nil {
				return Webhook{}, err
			}
			return w.Webhook, nil
		})
	})
}

func (t *tx) webhook(webhookID string) (*webhook, error) {
	at, ok := store.ParseID(webhookID)
	if !ok {
		return nil, ErrWebhookNotFound
	}
	b := t.Get(bucketWebhooks, at[:])
	if b == nil {
		return nil, ErrWebhookNotFound
	}
	return decodeWebhook(at, b)
}

func (t *tx) putWebhook(w *webhook) { t.Put(bucketWebhooks, w.at[:], w.encode()) }

// CreateWebhook makes a webhook, which is told of what happens from then on. The
// Secret is what its messages are signed with, and is shown this once. It needs
// admin access.
func (v *Vault) CreateWebhook(ctx context.Context, actor Actor, n NewWebhook) (Webhook, Secret, Receipt, error) {
	made := &webhook{secret: secret.NewSigningKey(), Webhook: Webhook{
		URL: n.URL, Events: n.Events, Description: n.Description, Active: !n.Inactive,
	}}
	if err := made.check(); err != nil {
		return Webhook{}, Secret{}, Receipt{}, err
	}
	w, receipt, err := update(v, ctx, actor, func(t *tx) (Webhook, audit.Event, error) { return t.createWebhook(*made) })
	if err != nil {
		return Webhook{}, Secret{}, Receipt{}, err
	}
	return w, signingSecret(made.secret), receipt, nil
}

// check looks at a webhook, and spells it.
func (w *Webhook) check() error {
	var ops []string
	for _, op := range audit.Ops() {
		ops = append(ops, string(op))
	}
	var c checks
	w.URL = strings.TrimSpace(w.URL)
	c.URL("url", w.URL)
	w.Events = c.Events("events", w.Events, ops)
	c.Prose("description", w.Description, check.MaxComment)
	return c.err()
}

// maxWebhooks is how many webhooks a vault has at most.
const maxWebhooks = 1_000

func (t *tx) createWebhook(w webhook) (Webhook, audit.Event, error) {
	if err := t.may(AccessAdmin); err != nil {
		return Webhook{}, audit.Event{}, err
	}
	many, rows := 0, t.Cursor(bucketWebhooks)
	for k, _ := rows.First(); k != nil; k, _ = rows.Next() {
		many++
	}
	if many >= maxWebhooks {
		return Webhook{}, audit.Event{}, invalid("url", "would be that of one webhook too many: a vault has at most %d; delete one that is not needed", maxWebhooks)
	}
	at, err := t.NewID()
	if err != nil {
		return Webhook{}, audit.Event{}, err
	}
	w.at, w.ID = at, at.String()
	w.CreatedAt, w.CreatedSeq, w.Revision = t.Now(), t.Seq(), 1
	t.putWebhook(&w)
	detail := detailMembers{}
	detail.text("url", w.URL)
	detail.text("description", w.Description)
	facts := w.facts()
	facts["secret"] = digestOf(w.secret)
	return w.Webhook, audit.Event{Op: audit.OpWebhookCreated, Facts: facts, Detail: encodeDetail(detail)}, nil
}

func (w *Webhook) facts() audit.Facts {
	active := "false"
	if w.Active {
		active = "true"
	}
	return audit.Facts{"webhook": audit.Text(w.ID), "active": audit.Text(active), "events": audit.Texts(w.Events...)}
}

// UpdateWebhook changes a webhook. It needs admin access. A webhook that is not
// active keeps its place in the log: activated again, it is told first of what
// it has missed. ErrWebhookNotFound.
func (v *Vault) UpdateWebhook(ctx context.Context, actor Actor, webhookID string, cond Condition, p WebhookPatch) (Webhook, Receipt, error) {
	return v.changeWebhook(ctx, actor, webhookID, cond.IfMatch, func(t *tx, w *webhook) (audit.Event, error) {
		old := w.Webhook
		p.apply(&w.Webhook)
		if err := w.check(); err != nil {
			return audit.Event{}, err
		}
		detail := old.differences(&w.Webhook)
		if len(detail) == 0 && w.Active == old.Active && slices.Equal(w.Events, old.Events) {
			return audit.Event{}, nil
		}
		return audit.Event{Op: audit.OpWebhookUpdated, Facts: w.facts(), Detail: encodeDetail(detail)}, nil
	})
}

func (p *WebhookPatch) apply(w *Webhook) {
	set(&w.URL, p.URL)
	set(&w.Events, p.Events)
	set(&w.Description, p.Description)
	set(&w.Active, p.Active)
	if w.Active {
		w.DisabledReason = ""
	}
}

// differences are those that entries tell in the detail: the rest is in facts.
func (w *Webhook) differences(is *Webhook) map[string]any {
	detail := map[string]any{}
	if w.URL != is.URL {
		detail["url"] = changed{w.URL, is.URL}
	}
	if w.Description != is.Description {
		detail["description"] = changed{w.Description, is.Description}
	}
	return detail
}

// changeWebhook is every change of one webhook: fn changes it and returns the
// event, the zero one if all holds already.
func (v *Vault) changeWebhook(ctx context.Context, actor Actor, webhookID string, m Match,
	fn func(*tx, *webhook) (audit.Event, error)) (Webhook, Receipt, error) {
	return update(v, ctx, actor, func(t *tx) (Webhook, audit.Event, error) {
		if err := t.may(AccessAdmin); err != nil {
			return Webhook{}, audit.Event{}, err
		}
		w, err := t.webhook(webhookID)
		if err == nil {
			err = m.check(w.Revision)
		}
		if err != nil {
			return Webhook{}, audit.Event{}, err
		}
		event, err := fn(t, w)
		if err != nil || event.IsZero() {
			return w.Webhook, event, err
		}
		w.Revision++
		t.putWebhook(w)
		return w.Webhook, event, nil
	})
}

// DeleteWebhook removes a webhook and returns it as it was. It needs admin
// access. ErrWebhookNotFound.
func (v *Vault) DeleteWebhook(ctx context.Context, actor Actor, webhookID string, cond Condition) (Webhook, Receipt, error) {
	return update(v, ctx, actor, func(t *tx) (Webhook, audit.Event, error) {
		if err := t.may(AccessAdmin); err != nil {
			return Webhook{}, audit.Event{}, err
		}
		w, err := t.webhook(webhookID)
		if err == nil {
			err = cond.IfMatch.check(w.Revision)
		}
		if err != nil {
			return Webhook{}, audit.Event{}, err
		}
		t.Delete(bucketWebhooks, w.at[:])
		return w.Webhook, audit.Event{Op: audit.OpWebhookDeleted, Facts: audit.Facts{"webhook": audit.Text(w.ID)}}, nil
	})
}

// DisableWebhook takes a webhook out of service because of what its endpoint
// answered: DisabledGone or DisabledFailing. Who delivers calls it, as System,
// with the revision it delivered to, so that a webhook which an admin has
// changed meanwhile is not disabled for what it was. It needs admin access.
func (r LogReader) DisableWebhook(ctx context.Context, actor Actor, webhookID string, cond Condition, reason DisabledReason) (Webhook, Receipt, error) {
	if reason != DisabledGone && reason != DisabledFailing {
		return Webhook{}, Receipt{}, invalid("reason", "must be %s or %s", DisabledGone, DisabledFailing)
	}
	return r.v.changeWebhook(ctx, actor, webhookID, cond.IfMatch, func(t *tx, w *webhook) (audit.Event, error) {
		if !w.Active {
			return audit.Event{}, nil
		}
		w.Active, w.DisabledReason = false, reason
		return audit.Event{
			Op: audit.OpWebhookDisabled, Facts: audit.Facts{"webhook": audit.Text(w.ID), "reason": audit.Text(string(reason))},
		}, nil
	})
}

// signingOverlap is how long a secret signs on after its rotation.
const signingOverlap = 24 * time.Hour

func signingSecret(key []byte) Secret { return Secret{secret.SpellSigningKey(key)} }

// RotateWebhook gives a webhook another secret, shown this once. For 24 hours
// messages carry a signature by the old one too; if it was rotated within them,
// the one before that signs no more. It needs admin access.
// ErrWebhookNotFound.
func (v *Vault) RotateWebhook(ctx context.Context, actor Actor, webhookID string, cond Condition) (Webhook, Secret, Receipt, error) {
	key := secret.NewSigningKey()
	w, receipt, err := v.changeWebhook(ctx, actor, webhookID, cond.IfMatch, func(t *tx, w *webhook) (audit.Event, error) {
		w.former, w.secret, w.until = w.secret, key, t.Now().Add(signingOverlap)
		facts := w.facts()
		facts["until"], facts["secret"] = audit.Text(factTime(w.until)), digestOf(w.secret)
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
// holds from the next one on. It hands out secrets that sign: never show it to
// anybody. ErrWebhookNotFound.
func (r LogReader) WebhookTarget(ctx context.Context, webhookID string) (WebhookTarget, error) {
	return view(r.v, func(t *tx) (WebhookTarget, error) {
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

// Delivery is one attempt to tell a webhook of an event, as whoever delivers
// remembers it. This package makes none: the type is here so that those who
// deliver and those who show it need not know one another.
type Delivery struct {
	N    uint64 // numbers the attempts of one webhook, from 1; 0 if it is not kept
	Seq  uint64 // the entry that was told; 0 for a test
	Type string // its operation, or webhook.test
	// Attempt counts those for this entry, from 1; 0 was asked for by an admin.
	Attempt uint64
	At      time.Time
	Status  DeliveryStatus
	// HTTPStatus is what the endpoint answered, 0 if it did not.
	HTTPStatus int
	Error      string // "" if it was delivered
	// NextAttemptAt is when the entry is tried again; zero: not by itself.
	NextAttemptAt time.Time
}

// DeliveryStatus is what became of an attempt.
type DeliveryStatus string

const (
	DeliveryDone   DeliveryStatus = "delivered" // answered 2xx
	DeliveryFailed DeliveryStatus = "failed"    // anything else
	// DeliverySkipped: entries up to this one are not delivered, because what was
	// kept of deliveries is lost.
	DeliverySkipped DeliveryStatus = "skipped"
)

// DeliveryQuery chooses deliveries. Zero members choose all.
type DeliveryQuery struct {
	Status DeliveryStatus
	Paging
}
