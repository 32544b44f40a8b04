package engine

import "strongroom/engine/internal/store"

// holds ends a document's record. One without any ends with a zero, or before
// it.
func encodeHolds(e *store.Encoder, holds []matterHolds) {
	e.Num(uint64(len(holds)))
	for _, h := range holds {
		e.Str(h.matter)
		e.Num(h.active)
	}
}

func decodeHolds(d *store.Decoder) []matterHolds {
	n := d.Count()
	if n == 0 {
		return nil
	}
	holds := make([]matterHolds, n)
	for i := range holds {
		holds[i] = matterHolds{matter: d.Str(), active: d.Num()}
	}
	return holds
}

func (h *hold) encode() []byte {
	e := store.NewEncoder(128)
	e.Str(h.DocumentID)
	e.Str(h.Reason)
	e.Str(h.Matter)
	e.Time(h.PlacedAt)
	e.Str(h.PlacedBy)
	e.Time(h.ReleasedAt)
	e.Str(h.ReleasedBy)
	e.Str(h.ReleaseReason)
	return e.Bytes()
}

func decodeHold(at id, b []byte) (*hold, error) {
	d := store.NewDecoder(b)
	h := &hold{id: at, Hold: Hold{ID: at.String(), Status: HoldActive}}
	h.DocumentID = d.Str()
	h.Reason = d.Str()
	h.Matter = d.Str()
	h.PlacedAt = d.Time()
	h.PlacedBy = d.Str()
	if h.ReleasedAt = d.Time(); !h.ReleasedAt.IsZero() {
		h.Status = HoldReleased
	}
	h.ReleasedBy = d.Str()
	h.ReleaseReason = d.Str()
	return h, d.Done("hold " + h.ID)
}

func (m *matter) encode() []byte {
	e := store.NewEncoder(48)
	e.Num(m.Active)
	e.Num(m.Released)
	e.Num(m.Documents)
	e.Time(m.FirstPlacedAt)
	e.Time(m.LastReleasedAt)
	e.Num(m.seq)
	return e.Bytes()
}

func decodeMatter(name, b []byte) (*matter, error) {
	d := store.NewDecoder(b)
	m := &matter{Matter: Matter{Name: string(name)}}
	m.Active = d.Num()
	m.Released = d.Num()
	m.Documents = d.Num()
	m.FirstPlacedAt = d.Time()
	m.LastReleasedAt = d.Time()
	m.seq = d.Num()
	return m, d.Done("a matter")
}
