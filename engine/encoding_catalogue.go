package engine

import (
	"maps"
	"slices"

	"strongroom/engine/internal/store"
)

// The records of obligations, fields and settings.

func (o *obligation) encode() []byte {
	e := store.NewEncoder(256)
	e.Str(o.Title)
	e.Str(o.Description)
	e.Str(o.DueDate.String())
	e.Str(o.OwnerID)
	e.Str(o.DocumentID)
	e.Str(string(o.Recurrence))
	e.Str(o.anchor.String())
	e.Str(o.next)
	e.Num(o.reminded)
	e.Time(o.CompletedAt)
	e.Str(o.CompletedBy)
	e.Str(o.Note)
	evidence := o.Evidence.value()
	e.Str(evidence.DocumentID)
	e.Num(evidence.Version)
	e.Time(o.CreatedAt)
	e.Time(o.UpdatedAt)
	e.Num(o.Revision)
	return e.Bytes()
}

func decodeObligation(at id, b []byte) (*obligation, error) {
	d := store.NewDecoder(b)
	o := &obligation{id: at, Obligation: Obligation{ID: at.String()}}
	o.Title = d.Str()
	o.Description = d.Str()
	o.DueDate = decodeDue(d)
	o.OwnerID = d.Str()
	o.DocumentID = d.Str()
	o.Recurrence = Recurrence(d.Str())
	o.anchor = decodeDue(d)
	o.next = d.Str()
	o.reminded = d.Num()
	o.CompletedAt = d.Time()
	o.CompletedBy = d.Str()
	o.Note = d.Str()
	if e := (Evidence{d.Str(), d.Num()}); e != (Evidence{}) {
		o.Evidence = &e
	}
	o.CreatedAt = d.Time()
	o.UpdatedAt = d.Time()
	o.Revision = d.Num()
	if periodOf(o.Recurrence) == 0 && o.Recurrence != "" || o.reminded > notReminded {
		d.Fail()
	}
	return o, d.Done("obligation " + o.ID)
}

// due refuses what is none, so that whatever is read can be reckoned with.
func decodeDue(d *store.Decoder) Due {
	due, err := ParseDue(d.Str())
	if err != nil {
		d.Fail()
	}
	return due
}

func (f *Field) encode() []byte {
	e := store.NewEncoder(128)
	e.Str(f.Label)
	e.Str(string(f.Type))
	e.Num(uint64(len(f.Choices)))
	for _, choice := range f.Choices {
		e.Str(choice)
	}
	e.Flag(f.Required)
	e.Str(f.Description)
	e.Time(f.CreatedAt)
	e.Time(f.UpdatedAt)
	e.Num(f.Revision)
	return e.Bytes()
}

func decodeField(key, b []byte) (Field, error) {
	d := store.NewDecoder(b)
	f := Field{Key: string(key)}
	f.Label = d.Str()
	f.Type = FieldType(d.Str())
	if n := d.Count(); n > 0 {
		f.Choices = make([]string, n)
		for i := range f.Choices {
			f.Choices[i] = d.Str()
		}
	}
	f.Required = d.Flag()
	f.Description = d.Str()
	f.CreatedAt = d.Time()
	f.UpdatedAt = d.Time()
	f.Revision = d.Num()
	return f, d.Done("field " + f.Key)
}

func (s *Settings) encode() []byte {
	e := store.NewEncoder(128)
	e.Num(s.Revision)
	e.Flag(s.AuditReads)
	e.Num(uint64(len(s.Categories)))
	for _, c := range s.Categories {
		e.Str(c)
	}
	e.Str(string(s.RetentionConflict))
	e.Str(s.RetentionRunAt)
	e.Str(s.TimeZone)
	e.Num(uint64(len(s.ReminderDays)))
	for _, days := range s.ReminderDays {
		e.Num(days)
	}
	e.Num(s.MaxClockGapDays)
	e.Flag(s.Paused)
	e.Str(s.SearchLanguage)
	e.Num(s.MaxVersions)
	e.Strs(s.formerZones)
	e.Flag(s.RestrictDeferred)
	e.Strs(wordsOf(s.TwoPersons))
	e.Flag(!s.SignInByKey) // so that a record of before says that they do
	return e.Bytes()
}

func decodeSettings(b []byte) (Settings, error) {
	if b == nil {
		return defaultSettings(), nil
	}
	d := store.NewDecoder(b)
	s := Settings{Revision: d.Num(), AuditReads: d.Flag()}
	s.Categories = make([]string, d.Count())
	for i := range s.Categories {
		s.Categories[i] = d.Str()
	}
	s.RetentionConflict = Conflict(d.Str())
	s.RetentionRunAt = d.Str()
	s.TimeZone = d.Str()
	s.ReminderDays = make([]uint64, d.Count())
	for i := range s.ReminderDays {
		s.ReminderDays[i] = d.Num()
	}
	s.MaxClockGapDays = d.Num()
	s.Paused = d.Flag()
	s.SearchLanguage = d.Str()
	if s.MaxVersions = d.Num(); s.MaxVersions == 0 { // a record of before there was a bound
		s.MaxVersions = defaultMaxVersions
	}
	s.formerZones = d.Strs()
	s.RestrictDeferred = d.Flag()
	for _, what := range d.Strs() {
		s.TwoPersons = append(s.TwoPersons, Covered(what))
	}
	s.SignInByKey = !d.Flag()
	return s, d.Done("settings")
}

// What a change in a scratchpad is. None is 0, so that a record that was cut
// short is no change.
const (
	pendingPatch   = 1
	pendingVersion = 2
)

func (d *scratchpad) encode() []byte {
	e := store.NewEncoder(128 + 128*len(d.Changes))
	e.Num(d.Base)
	e.Time(d.Ends)
	e.Num(uint64(len(d.Changes)))
	for _, c := range d.Changes {
		e.Nested(c.encode())
	}
	e.Raw(d.seal[:])
	return e.Bytes()
}

// decodeScratchpad reads a scratchpad; nil is an empty one.
func decodeScratchpad(b []byte) (*scratchpad, error) {
	pad := &scratchpad{}
	if b == nil {
		return pad, nil
	}
	d := store.NewDecoder(b)
	pad.Base = d.Num()
	pad.Ends = d.Time()
	n := d.Count()
	if n > maxPending {
		d.Fail()
		n = 0
	}
	for range n {
		c, err := decodePendingChange(d.Nested())
		if err != nil {
			return nil, err
		}
		pad.Changes = append(pad.Changes, c)
	}
	d.Raw(pad.seal[:])
	return pad, d.Done("scratchpad")
}

func (c *pendingChange) encode() []byte {
	e := store.NewEncoder(128)
	if c.Version == nil {
		e.Num(pendingPatch)
		e.Time(c.At)
		encodePatch(e, c.Patch)
		return e.Bytes()
	}
	e.Num(pendingVersion)
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

func decodePendingChange(b []byte) (c pendingChange, err error) {
	d := store.NewDecoder(b)
	kind := d.Num()
	c.At = d.Time()
	switch kind {
	case pendingPatch:
		c.Patch = decodePatch(d)
	case pendingVersion:
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
	for _, text := range []*string{p.Name, p.Category, p.Description, p.OwnerID, p.ExternalID, p.Path} {
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
	for _, text := range []**string{&p.Name, &p.Category, &p.Description, &p.OwnerID, &p.ExternalID, &p.Path} {
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
