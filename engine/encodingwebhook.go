package engine

import "strongroom/engine/internal/store"

func (w *webhook) encode() []byte {
	e := store.NewEncoder(256)
	e.Str(w.URL)
	e.Num(uint64(len(w.Events)))
	for _, pattern := range w.Events {
		e.Str(pattern)
	}
	e.Str(w.Description)
	e.Flag(w.Active)
	e.Str(w.DisabledReason)
	e.Time(w.CreatedAt)
	e.Num(w.CreatedSeq)
	e.Num(w.Revision)
	e.Nested(w.secret)
	e.Nested(w.former)
	e.Time(w.until)
	return e.Bytes()
}

func decodeWebhook(at id, b []byte) (*webhook, error) {
	d := store.NewDecoder(b)
	w := &webhook{at: at, Webhook: Webhook{ID: at.String()}}
	w.URL = d.Str()
	if n := d.Count(); n > 0 {
		w.Events = make([]string, n)
		for i := range w.Events {
			w.Events[i] = d.Str()
		}
	}
	w.Description = d.Str()
	w.Active = d.Flag()
	w.DisabledReason = d.Str()
	w.CreatedAt = d.Time()
	w.CreatedSeq = d.Num()
	w.Revision = d.Num()
	w.secret = append(w.secret, d.Nested()...)
	w.former = append(w.former, d.Nested()...)
	w.until = d.Time()
	if len(w.secret) != signingSize || w.until.IsZero() != (len(w.former) == 0) {
		d.Fail()
	}
	return w, d.Done("webhook " + w.ID)
}
