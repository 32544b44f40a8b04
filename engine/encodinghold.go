package engine

// holds ends a document's record. One without any ends with a zero, or before
// it.
func (e *encoder) holds(holds []matterHolds) {
	e.num(uint64(len(holds)))
	for _, h := range holds {
		e.str(h.matter)
		e.num(h.active)
	}
}

func (d *decoder) holds() []matterHolds {
	n := d.count()
	if n == 0 {
		return nil
	}
	holds := make([]matterHolds, n)
	for i := range holds {
		holds[i] = matterHolds{matter: d.str(), active: d.num()}
	}
	return holds
}

func (h *hold) encode() []byte {
	e := newEncoder(128)
	e.str(h.DocumentID)
	e.str(h.Reason)
	e.str(h.Matter)
	e.time(h.PlacedAt)
	e.str(h.PlacedBy)
	e.time(h.ReleasedAt)
	e.str(h.ReleasedBy)
	e.str(h.ReleaseReason)
	return e.b
}

func decodeHold(at id, b []byte) (*hold, error) {
	d := newDecoder(b)
	h := &hold{id: at, Hold: Hold{ID: at.String(), Status: HoldActive}}
	h.DocumentID = d.str()
	h.Reason = d.str()
	h.Matter = d.str()
	h.PlacedAt = d.time()
	h.PlacedBy = d.str()
	if h.ReleasedAt = d.time(); !h.ReleasedAt.IsZero() {
		h.Status = HoldReleased
	}
	h.ReleasedBy = d.str()
	h.ReleaseReason = d.str()
	return h, d.done("hold " + h.ID)
}

func (m *matter) encode() []byte {
	e := newEncoder(48)
	e.num(m.Active)
	e.num(m.Released)
	e.num(m.Documents)
	e.time(m.FirstPlacedAt)
	e.time(m.LastReleasedAt)
	e.num(m.seq)
	return e.b
}

func decodeMatter(name, b []byte) (*matter, error) {
	d := newDecoder(b)
	m := &matter{Matter: Matter{Name: string(name)}}
	m.Active = d.num()
	m.Released = d.num()
	m.Documents = d.num()
	m.FirstPlacedAt = d.time()
	m.LastReleasedAt = d.time()
	m.seq = d.num()
	return m, d.done("a matter")
}
