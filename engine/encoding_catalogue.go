package engine

import "strongroom/engine/internal/store"

// The records of obligations, fields and settings.

func (o *obligation) encode() []byte {
	e := store.NewEncoder(256)
	e.Str(o.Title)
	e.Str(o.Description)
	e.Str(o.DueDate.String())
	e.Str(o.OwnerID)
	e.Str(o.DocumentID)
	e.Str(o.Recurrence)
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
	o.Recurrence = d.Str()
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
	e.Str(s.RetentionConflict)
	e.Str(s.RetentionRunAt)
	e.Str(s.TimeZone)
	e.Num(uint64(len(s.ReminderDays)))
	for _, days := range s.ReminderDays {
		e.Num(days)
	}
	e.Num(s.MaxClockGapDays)
	e.Flag(s.Paused)
	e.Str(s.SearchLanguage)
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
	s.RetentionConflict = d.Str()
	s.RetentionRunAt = d.Str()
	s.TimeZone = d.Str()
	s.ReminderDays = make([]uint64, d.Count())
	for i := range s.ReminderDays {
		s.ReminderDays[i] = d.Num()
	}
	s.MaxClockGapDays = d.Num()
	s.Paused = d.Flag()
	s.SearchLanguage = d.Str()
	return s, d.Done("settings")
}
