package engine

import (
	"maps"
	"slices"
)

// What a change in a scratchpad is. None is 0, so that a record that was cut
// short is no change.
const (
	draftPatch   = 1
	draftVersion = 2
)

func (d *draft) encode() []byte {
	e := newEncoder(128 + 128*len(d.Changes))
	e.num(d.Base)
	e.time(d.Ends)
	e.num(uint64(len(d.Changes)))
	for _, c := range d.Changes {
		e.nested(c.encode())
	}
	return e.b
}

// decodeDraft reads a scratchpad; nil is an empty one.
func decodeDraft(b []byte) (*draft, error) {
	dr := &draft{}
	if b == nil {
		return dr, nil
	}
	d := newDecoder(b)
	dr.Base = d.num()
	dr.Ends = d.time()
	n := d.count()
	if n > maxDraft {
		d.fail()
		n = 0
	}
	for range n {
		c, err := decodeDraftChange(d.nested())
		if err != nil {
			return nil, err
		}
		dr.Changes = append(dr.Changes, c)
	}
	return dr, d.done("scratchpad")
}

func (c *draftChange) encode() []byte {
	e := newEncoder(128)
	if c.Version == nil {
		e.num(draftPatch)
		e.time(c.At)
		e.patch(c.Patch)
		return e.b
	}
	e.num(draftVersion)
	e.time(c.At)
	e.str(c.Version.MediaType)
	e.str(c.Version.FileName)
	e.str(c.Version.Comment)
	e.str(c.Version.Label)
	e.raw(c.Digest[:])
	e.num(uint64(c.Size))
	e.num(c.Restored)
	e.num(c.Ref)
	return e.b
}

func decodeDraftChange(b []byte) (c draftChange, err error) {
	d := newDecoder(b)
	kind := d.num()
	c.At = d.time()
	switch kind {
	case draftPatch:
		c.Patch = d.patch()
	case draftVersion:
		c.Version = &NewVersion{MediaType: d.str(), FileName: d.str(), Comment: d.str(), Label: d.str()}
		d.raw(c.Digest[:])
		c.Size = int64(d.num())
		c.Restored = d.num()
		c.Ref = d.num()
	default:
		d.fail()
	}
	return c, d.done("change in a scratchpad")
}

// patch writes a patch without an edit password, which no scratchpad takes.
func (e *encoder) patch(p *DocumentPatch) {
	for _, text := range []*string{p.Name, p.Category, p.Description, p.OwnerID, p.ExternalID} {
		e.flag(text != nil)
		if text != nil {
			e.str(*text)
		}
	}
	e.flag(p.Tags != nil)
	if p.Tags != nil {
		e.strs(*p.Tags)
	}
	e.strs(p.AddTags)
	e.strs(p.RemoveTags)
	e.flag(p.ClearCustomFields)
	e.flag(p.CustomFields != nil)
	if p.CustomFields == nil {
		return
	}
	set := maps.Clone(p.CustomFields)
	var removed []string
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if set[name] == nil {
			removed = append(removed, name)
			delete(set, name)
		}
	}
	e.strs(removed)
	e.fields(set)
}

func (d *decoder) patch() *DocumentPatch {
	p := &DocumentPatch{}
	for _, text := range []**string{&p.Name, &p.Category, &p.Description, &p.OwnerID, &p.ExternalID} {
		if d.flag() {
			*text = new(d.str())
		}
	}
	if d.flag() {
		p.Tags = new(d.strs())
	}
	p.AddTags = d.strs()
	p.RemoveTags = d.strs()
	p.ClearCustomFields = d.flag()
	if !d.flag() {
		return p
	}
	removed := d.strs()
	if p.CustomFields = d.fields(); p.CustomFields == nil {
		p.CustomFields = map[string]any{}
	}
	for _, name := range removed {
		if _, set := p.CustomFields[name]; set {
			d.fail()
		}
		p.CustomFields[name] = nil
	}
	return p
}

func (e *encoder) strs(list []string) {
	e.num(uint64(len(list)))
	for _, s := range list {
		e.str(s)
	}
}

func (d *decoder) strs() (list []string) {
	for range d.count() {
		list = append(list, d.str())
	}
	return list
}
