package engine

// The records of obligations, fields and settings.

func (o *obligation) encode() []byte {
	e := newEncoder(256)
	e.str(o.Title)
	e.str(o.Description)
	e.str(o.DueDate.String())
	e.str(o.OwnerID)
	e.str(o.DocumentID)
	e.str(o.Recurrence)
	e.str(o.anchor.String())
	e.str(o.next)
	e.num(o.reminded)
	e.time(o.CompletedAt)
	e.str(o.CompletedBy)
	e.str(o.Note)
	evidence := o.Evidence.value()
	e.str(evidence.DocumentID)
	e.num(evidence.Version)
	e.time(o.CreatedAt)
	e.time(o.UpdatedAt)
	e.num(o.Revision)
	return e.b
}

func decodeObligation(at id, b []byte) (*obligation, error) {
	d := newDecoder(b)
	o := &obligation{id: at, Obligation: Obligation{ID: at.String()}}
	o.Title = d.str()
	o.Description = d.str()
	o.DueDate = d.due()
	o.OwnerID = d.str()
	o.DocumentID = d.str()
	o.Recurrence = d.str()
	o.anchor = d.due()
	o.next = d.str()
	o.reminded = d.num()
	o.CompletedAt = d.time()
	o.CompletedBy = d.str()
	o.Note = d.str()
	if e := (Evidence{d.str(), d.num()}); e != (Evidence{}) {
		o.Evidence = &e
	}
	o.CreatedAt = d.time()
	o.UpdatedAt = d.time()
	o.Revision = d.num()
	if periodOf(o.Recurrence) == 0 && o.Recurrence != "" || o.reminded > notReminded {
		d.fail()
	}
	return o, d.done("obligation " + o.ID)
}

// due refuses what is none, so that whatever is read can be reckoned with.
func (d *decoder) due() Due {
	due, err := ParseDue(d.str())
	if err != nil {
		d.fail()
	}
	return due
}

func (f *Field) encode() []byte {
	e := newEncoder(128)
	e.str(f.Label)
	e.str(string(f.Type))
	e.num(uint64(len(f.Choices)))
	for _, choice := range f.Choices {
		e.str(choice)
	}
	e.flag(f.Required)
	e.str(f.Description)
	e.time(f.CreatedAt)
	e.time(f.UpdatedAt)
	e.num(f.Revision)
	return e.b
}

func decodeField(key, b []byte) (Field, error) {
	d := newDecoder(b)
	f := Field{Key: string(key)}
	f.Label = d.str()
	f.Type = FieldType(d.str())
	if n := d.count(); n > 0 {
		f.Choices = make([]string, n)
		for i := range f.Choices {
			f.Choices[i] = d.str()
		}
	}
	f.Required = d.flag()
	f.Description = d.str()
	f.CreatedAt = d.time()
	f.UpdatedAt = d.time()
	f.Revision = d.num()
	return f, d.done("field " + f.Key)
}

func (s *Settings) encode() []byte {
	e := newEncoder(128)
	e.num(s.Revision)
	e.flag(s.AuditReads)
	e.num(uint64(len(s.Categories)))
	for _, c := range s.Categories {
		e.str(c)
	}
	e.str(s.RetentionConflict)
	e.str(s.RetentionRunAt)
	e.str(s.TimeZone)
	e.num(uint64(len(s.ReminderDays)))
	for _, days := range s.ReminderDays {
		e.num(days)
	}
	e.num(s.MaxClockGapDays)
	e.flag(s.Paused)
	e.str(s.SearchLanguage)
	return e.b
}

func decodeSettings(b []byte) (Settings, error) {
	if b == nil {
		return defaultSettings(), nil
	}
	d := newDecoder(b)
	s := Settings{Revision: d.num(), AuditReads: d.flag()}
	s.Categories = make([]string, d.count())
	for i := range s.Categories {
		s.Categories[i] = d.str()
	}
	s.RetentionConflict = d.str()
	s.RetentionRunAt = d.str()
	s.TimeZone = d.str()
	s.ReminderDays = make([]uint64, d.count())
	for i := range s.ReminderDays {
		s.ReminderDays[i] = d.num()
	}
	s.MaxClockGapDays = d.num()
	s.Paused = d.flag()
	s.SearchLanguage = d.str()
	return s, d.done("settings")
}
