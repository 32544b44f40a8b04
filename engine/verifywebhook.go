package engine

import (
	"fmt"
	"slices"

	"strongroom/audit"
)

// saidWebhook is a webhook as its entries tell it. What it signs with they do
// not tell, only until when the secret before signs on.
type saidWebhook struct {
	Webhook
	until  string // as in facts
	erased bool   // a detail is gone, so URL and description are not known
}

func (a *accounts) followWebhook(e audit.Entry, told detail) error {
	at, _ := e.Facts["webhook"].AsText()
	w := a.webhooks[at]
	if (w == nil) != (e.Op == audit.OpWebhookCreated) {
		return fmt.Errorf("%s: webhook %s was made before, or never", e.Op, at)
	}
	switch e.Op {
	case audit.OpWebhookDeleted:
		delete(a.webhooks, at)
		return nil
	case audit.OpWebhookCreated:
		w = &saidWebhook{Webhook: Webhook{ID: at, CreatedAt: e.Time, CreatedSeq: e.Seq}}
		a.webhooks[at] = w
	}
	w.Revision++
	if e.Op == audit.OpWebhookDisabled {
		w.Active = false
		w.DisabledReason, _ = e.Facts["reason"].AsText()
		return nil
	}
	active, _ := e.Facts["active"].AsText()
	if w.Active = active == "true"; w.Active {
		w.DisabledReason = ""
	}
	w.Events, _ = e.Facts["events"].AsTexts()
	if until, ok := e.Facts["until"].AsText(); ok {
		w.until = until
	}
	if _, ok := told.members["url"]; ok {
		w.URL = told.text("url")
	}
	if _, ok := told.members["description"]; ok {
		w.Description = told.text("description")
	}
	w.erased = w.erased || told.erased
	return nil
}

// webhooks compares every webhook with the log. They are few, and can be deleted
// meanwhile, so all are read in one transaction.
func (c *checker) webhooks() error {
	_, err := view(c.v, func(t *tx) (struct{}, error) {
		c.catchUp(t)
		met := map[string]bool{}
		rows := t.Cursor(bucketWebhooks)
		for k, value := rows.First(); k != nil && len(met) <= maxWebhooks; k, value = rows.Next() {
			if len(k) != len(id{}) {
				c.find(0, CodeState, "%s has a row with the key %x", bucketWebhooks, k)
				continue
			}
			met[id(k).String()] = true
			c.compareWebhook(id(k), value)
		}
		for _, known := range sortedKeys(c.said.webhooks) {
			if !met[known] {
				c.find(0, CodeState, "webhook %s of the log is missing", known)
			}
		}
		return struct{}{}, nil
	})
	return err
}

func (c *checker) compareWebhook(at id, value []byte) {
	w, err := decodeWebhook(at, value)
	if err != nil {
		c.find(0, CodeState, "%v", err)
		return
	}
	said, ok := c.said.webhooks[w.ID]
	if !ok {
		c.find(0, CodeState, "webhook %s is not in the log", w.ID)
		return
	}
	what := "webhook " + w.ID
	c.differ(what, member{"active", w.Active, said.Active}, member{"why it is disabled", w.DisabledReason, said.DisabledReason},
		member{"created at", w.CreatedAt, said.CreatedAt}, member{"the entry of its creation", w.CreatedSeq, said.CreatedSeq},
		member{"the end of its former secret", factTime(w.until), said.until}, member{"the revision", w.Revision, said.Revision})
	if !slices.Equal(w.Events, said.Events) {
		c.find(0, CodeState, "%s: its events are %q, the log says %q", what, w.Events, said.Events)
	}
	if !said.erased {
		c.differ(what, member{"the URL", w.URL, said.URL}, member{"the description", w.Description, said.Description})
	}
}
