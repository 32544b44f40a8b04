package engine

func EditHold(key, record []byte, fn func(*Hold)) []byte {
	h, err := decodeHold(id(key), record)
	if err != nil {
		panic(err)
	}
	fn(&h.Hold)
	return h.encode()
}

func EditMatter(name, record []byte, fn func(m *Matter, seq *uint64)) []byte {
	m, err := decodeMatter(name, record)
	if err != nil {
		panic(err)
	}
	fn(&m.Matter, &m.seq)
	return m.encode()
}

// EditBorne changes for how many active holds of a matter a document's record
// has counted; -1 forgets the matter.
func EditBorne(key, record []byte, matter string, active int) []byte {
	d, err := decodeDocument(id(key), record)
	if err != nil {
		panic(err)
	}
	i, found := d.heldFor(matter)
	switch {
	case !found:
		panic("not held for " + matter)
	case active < 0:
		d.holds = append(d.holds[:i:i], d.holds[i+1:]...)
	default:
		d.holds[i].active = uint64(active)
	}
	return d.encode()
}
