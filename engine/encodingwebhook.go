package engine

import "strongroom/engine/internal/secret"

func (w *webhook) encode() []byte {
	e := newEncoder(256)
	e.str(w.URL)
	e.num(uint64(len(w.Events)))
	for _, pattern := range w.Events {
		e.str(pattern)
	}
	e.str(w.Description)
	e.flag(w.Active)
	e.str(w.DisabledReason)
	e.time(w.CreatedAt)
	e.num(w.CreatedSeq)
	e.num(w.Revision)
	e.nested(w.secret)
	e.nested(w.former)
	e.time(w.until)
	return e.b
}

func decodeWebhook(at id, b []byte) (*webhook, error) {
	d := newDecoder(b)
	w := &webhook{at: at, Webhook: Webhook{ID: at.String()}}
	w.URL = d.str()
	if n := d.count(); n > 0 {
		w.Events = make([]string, n)
		for i := range w.Events {
			w.Events[i] = d.str()
		}
	}
	w.Description = d.str()
	w.Active = d.flag()
	w.DisabledReason = d.str()
	w.CreatedAt = d.time()
	w.CreatedSeq = d.num()
	w.Revision = d.num()
	w.secret = append(w.secret, d.nested()...)
	w.former = append(w.former, d.nested()...)
	w.until = d.time()
	if d.err == nil && (len(w.secret) != secret.SigningKeySize || w.until.IsZero() != (len(w.former) == 0)) {
		d.fail()
	}
	return w, d.done("webhook " + w.ID)
}
