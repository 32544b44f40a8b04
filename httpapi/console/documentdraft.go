package console

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"strongroom/engine"
)

// lockRow is the lock of a document, as its page tells it.
type lockRow struct {
	By, App string
	Until   When
	Sketch  bool // changes wait in a draft
	Stale   bool // the document has moved on since the draft was begun
	Minutes int
}

// drafted is what waits in one's draft until the lock is released.
type drafted struct {
	Changes  []difference
	Versions []versionRow
}

// difference is what a member was, and what it is to be.
type difference struct{ What, Was, Is string }

func (v *visit) readLock(s *sheet) error {
	if s.Document.Lock == nil {
		return nil
	}
	l, err := v.vault.Lock(v.ctx(), v.actor, s.ID)
	if errors.Is(err, engine.ErrNotLocked) { // it ended just now
		s.Document.Lock = nil
		return nil
	} else if err != nil {
		return err
	}
	s.Mine = l.Token != ""
	s.Lock = &lockRow{By: l.User.Name, App: l.LockedByApp, Until: v.When(l.Until), Sketch: l.UseScratchPad, Stale: l.ScratchPadStale, Minutes: int(l.Duration / time.Minute)}
	if s.Mine && l.UseScratchPad {
		return v.readDraft(s, l.Token)
	}
	return nil
}

// readDraft tells what waits. The page beside it is of the document as all others see
// it.
func (v *visit) readDraft(s *sheet, token string) error {
	is, err := v.vault.Sketch(v.ctx(), v.actor, s.ID, engine.Condition{LockToken: token})
	if errors.Is(err, engine.ErrNotLocked) {
		return nil
	} else if err != nil {
		return err
	}
	saved, err := v.vault.Document(v.ctx(), s.ID) // the sheet may be of the draft
	if err != nil {
		return err
	}
	s.Draft = &drafted{}
	was, now := saved, is.Document
	note := func(what, was, is string) {
		if was != is {
			s.Draft.Changes = append(s.Draft.Changes, difference{what, was, is})
		}
	}
	note("Name", was.Name, now.Name)
	note("Category", was.Category, now.Category)
	note("Description", was.Description, now.Description)
	note("Folder", was.Path, now.Path)
	note("Tags", strings.Join(was.Tags, ", "), strings.Join(now.Tags, ", "))
	owner, err := v.name(was.OwnerID)
	if err != nil {
		return err
	}
	next, err := v.name(now.OwnerID)
	if err != nil {
		return err
	}
	note("Owner", owner, next)
	for _, f := range s.Fields {
		note(f.Label, v.shownValue(f.Field, was.CustomFields[f.Key]), v.shownValue(f.Field, now.CustomFields[f.Key]))
	}
	for _, ver := range is.Versions {
		by, err := v.name(ver.CreatedBy)
		if err != nil {
			return err
		}
		s.Draft.Versions = append(s.Draft.Versions, versionRow{ver, by, v.When(ver.CreatedAt)})
	}
	return nil
}

// asEdited is the document as whoever edits it sees it: with the changes that wait in
// their own draft. A form that was filled with anything else would take them back.
func (v *visit) asEdited(documentID string) (engine.Document, error) {
	l, err := v.vault.Lock(v.ctx(), v.actor, documentID)
	if err == nil && l.Token != "" && l.UseScratchPad {
		is, err := v.vault.Sketch(v.ctx(), v.actor, documentID, engine.Condition{LockToken: l.Token})
		if err == nil || !errors.Is(err, engine.ErrNotLocked) {
			return is.Document, err
		}
	}
	return v.vault.Document(v.ctx(), documentID)
}

// shownValue is the value of a field as people read it.
func (v *visit) shownValue(f engine.Field, value any) string {
	text := fieldText(value)
	switch {
	case f.Type == engine.UserField && text != "":
		if name, err := v.name(text); err == nil {
			return name
		}
	case f.Type == engine.BooleanField && text != "":
		return map[string]string{"true": "Yes", "false": "No"}[text]
	case f.Type == engine.DateField && text != "":
		if day, err := time.Parse(time.DateOnly, text); err == nil {
			return day.Format("2 Jan 2006")
		}
	}
	return text
}

// holding is the condition of somebody who may hold the lock of the document: the
// token is the session's key's, so it is asked for, not kept.
func (v *visit) holding() engine.Condition {
	cond := v.revision()
	if l, err := v.vault.Lock(v.ctx(), v.actor, v.id("id")); err == nil {
		cond.LockToken = l.Token
	}
	return cond
}

// openDraft is the current version as the holder of the draft sees it.
func (v *visit) openDraft() (answer, error) {
	version, content, _, err := v.vault.OpenSketch(v.ctx(), v.actor, v.id("id"), v.holding())
	if err != nil {
		return answer{}, err
	}
	return v.sendContent(version, content), nil
}

func versionNumber(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		return 0, engine.ErrVersionNotFound
	}
	return n, nil
}
