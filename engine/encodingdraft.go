package engine

import (
	"maps"
	"slices"

	"strongroom/engine/internal/store"
)

// What a change in a scratchpad is. None is 0, so that a record that was cut
// short is no change.
const (
	draftPatch   = 1
	draftVersion = 2
)

func (d *draft) encode() []byte {
	e := store.NewEncoder(128 + 128*len(d.Changes))
	e.Num(d.Base)
	e.Time(d.Ends)
	e.Num(uint64(len(d.Changes)))
	for _, c := range d.Changes {
		e.Nested(c.encode())
	}
	return e.Bytes()
}

// decodeDraft reads a scratchpad; nil is an empty one.
func decodeDraft(b []byte) (*draft, error) {
	dr := &draft{}
	if b == nil {
		return dr, nil
	}
	d := store.NewDecoder(b)
	dr.Base = d.Num()
	dr.Ends = d.Time()
	n := d.Count()
	if n > maxDraft {
		d.Fail()
		n = 0
	}
	for range n {
		c, err := decodeDraftChange(d.Nested())
		if err != nil {
			return nil, err
		}
		dr.Changes = append(dr.Changes, c)
	}
	return dr, d.Done("scratchpad")
}

func (c *draftChange) encode() []byte {
	e := store.NewEncoder(128)
	if c.Version == nil {
		e.Num(draftPatch)
		e.Time(c.At)
		encodePatch(e, c.Patch)
		return e.Bytes()
	}
	e.Num(draftVersion)
	e.Time(c.At)
	e.Str(c.Version.MediaType)
	e.Str(c.Version.FileName)
	e.Str(c.Version.Comment)
	e.Str(c.Version.Label)
	e.Raw(c.Digest[:])
	e.Num(uint64(c.Size))
	e.Num(c.Restored)
	e.Num(c.Ref)
	return e.Bytes()
}

func decodeDraftChange(b []byte) (c draftChange, err error) {
	d := store.NewDecoder(b)
	kind := d.Num()
	c.At = d.Time()
	switch kind {
	case draftPatch:
		c.Patch = decodePatch(d)
	case draftVersion:
		c.Version = &NewVersion{MediaType: d.Str(), FileName: d.Str(), Comment: d.Str(), Label: d.Str()}
		d.Raw(c.Digest[:])
		c.Size = int64(d.Num())
		c.Restored = d.Num()
		c.Ref = d.Num()
	default:
		d.Fail()
	}
	return c, d.Done("change in a scratchpad")
}

// encodePatch writes a patch without an edit password, which no scratchpad takes.
func encodePatch(e *store.Encoder, p *DocumentPatch) {
	for _, text := range []*string{p.Name, p.Category, p.Description, p.OwnerID, p.ExternalID} {
		e.Flag(text != nil)
		if text != nil {
			e.Str(*text)
		}
	}
	e.Flag(p.Tags != nil)
	if p.Tags != nil {
		e.Strs(*p.Tags)
	}
	e.Strs(p.AddTags)
	e.Strs(p.RemoveTags)
	e.Flag(p.ClearCustomFields)
	e.Flag(p.CustomFields != nil)
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
	e.Strs(removed)
	encodeFields(e, set)
}

func decodePatch(d *store.Decoder) *DocumentPatch {
	p := &DocumentPatch{}
	for _, text := range []**string{&p.Name, &p.Category, &p.Description, &p.OwnerID, &p.ExternalID} {
		if d.Flag() {
			*text = new(d.Str())
		}
	}
	if d.Flag() {
		p.Tags = new(d.Strs())
	}
	p.AddTags = d.Strs()
	p.RemoveTags = d.Strs()
	p.ClearCustomFields = d.Flag()
	if !d.Flag() {
		return p
	}
	removed := d.Strs()
	if p.CustomFields = decodeFields(d); p.CustomFields == nil {
		p.CustomFields = map[string]any{}
	}
	for _, name := range removed {
		if _, set := p.CustomFields[name]; set {
			d.Fail()
		}
		p.CustomFields[name] = nil
	}
	return p
}
