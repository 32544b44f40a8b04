package engine

import (
	"errors"
	"fmt"
	"slices"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// The steps that put entries of a log in force again, but those of policies and
// settings.

// nothingRepeated is what a step returns that has nothing to do.
func nothingRepeated(lost string) (pastOutcome, audit.Event, error) {
	return pastOutcome{lost: lost}, audit.Event{}, nil
}

// impossible is the error of an entry that cannot be, after those before it.
func impossible(format string, args ...any) (pastOutcome, audit.Event, error) {
	return pastOutcome{}, audit.Event{}, invalid("log", format, args...)
}

func (e pastEntry) holdPlaced() (pastStep, error) {
	n := NewHold{Reason: e.text("reason"), Matter: e.text("matter")}
	lost := ""
	if n.Reason == "" {
		n.Reason = fmt.Sprintf("placed again from the log, entry %d", e.Seq)
		lost = fmt.Sprintf("hold %s is placed, without its reason and matter: the details have none", e.word("hold"))
	}
	e.members = nil
	return func(t *tx) (pastOutcome, audit.Event, error) {
		key, ok := store.ParseID(e.word("hold"))
		if !ok || t.Get(bucketHolds, key[:]) != nil {
			return impossible("the hold %q has no id, or was placed before", e.word("hold"))
		}
		d, err := t.document(e.Document)
		switch {
		case errors.Is(err, ErrDocumentNotFound):
			return nothingRepeated(fmt.Sprintf("hold %s: the backup does not have document %s", e.word("hold"), e.Document))
		case err != nil:
			return pastOutcome{}, audit.Event{}, err
		case d.deleted:
			return impossible("document %s was deleted before", e.Document)
		}
		_, event, err := t.placeHoldAs(key, d, n)
		return pastOutcome{lost: lost}, event, err
	}, n.check()
}

func (e pastEntry) holdReleased() (pastStep, error) {
	reason, err := releaseReason(e.text("reason"))
	e.members = nil
	return func(t *tx) (pastOutcome, audit.Event, error) {
		name := e.word("hold")
		h, err := t.hold(name)
		if errors.Is(err, ErrHoldNotFound) { // of a document that the backup does not have
			return nothingRepeated("")
		}
		if err != nil || h.Status == HoldReleased {
			return pastOutcome{}, audit.Event{}, err
		}
		if h.DocumentID != e.Document {
			return impossible("hold %s is of document %s", name, h.DocumentID)
		}
		_, event, err := t.releaseHold(name, nil, reason)
		return pastOutcome{loosens: fmt.Sprintf("releases hold %s of document %s", name, e.Document)}, event, err
	}, err
}

// userUpdated asks not for another admin: who administered the vault since may
// not be in the backup.
func (e pastEntry) userUpdated() (pastStep, error) {
	var p UserPatch
	p.Access, p.Status = new(Access), new(UserStatus(e.word("status")))
	if err := p.Access.UnmarshalText([]byte(e.word("access"))); err != nil {
		return nil, err
	}
	p.CanLockEnvelopes = new(e.word("canLock") == "true")
	if name := e.text("name"); name != "" {
		p.Name = &name
	}
	if email, told := e.members["email"].(string); told {
		p.Email = &email
	}
	if _, told := e.Facts["issuer"]; told {
		p.Identity = &Identity{e.word("issuer"), e.word("subject")}
	}
	e.members = nil
	return func(t *tx) (pastOutcome, audit.Event, error) {
		old, err := t.user(e.word("user"))
		if errors.Is(err, ErrUserNotFound) { // made since, and not again
			return nothingRepeated("")
		}
		if err != nil {
			return pastOutcome{}, audit.Event{}, err
		}
		u, out := p.apply(old), pastOutcome{}
		if t.emailFree(u.Email, u.ID) != nil {
			u.Email = old.Email
			out.lost = fmt.Sprintf("user %s keeps their e-mail address: somebody else has the new one", u.ID)
		}
		if u.Left = e.word("left") == "true"; u.Identity.isSet() && t.identityFree(u.Identity, u.ID) != nil {
			u.Identity = old.Identity
			out.lost = fmt.Sprintf("user %s is not linked as they were: somebody else has come with that identity", u.ID)
		}
		if u == old {
			return out, audit.Event{}, nil
		}
		if old.Access.Permits(u.Access) != nil || u.Status == UserActive && old.Status == UserClosed || u.CanLockEnvelopes && !old.CanLockEnvelopes ||
			u.Identity.isSet() && u.Identity != old.Identity {
			out.loosens = fmt.Sprintf("lets user %s do more", u.ID)
		}
		_, event := t.changeUser(old, u)
		return out, event, nil
	}, p.check()
}

// keyEnded revokes a key that was revoked, and one that was rotated: its holder
// has the successor, which is not there, and its expiry is lost without an entry
// that makes one.
func (e pastEntry) keyEnded(t *tx) (pastOutcome, audit.Event, error) {
	lost := ""
	if e.Op == audit.OpKeyRotated {
		lost = fmt.Sprintf("key %s, the successor of key %s, works no more, nor does that: make another", e.word("successor"), e.word("key"))
	}
	_, event, err := t.revokeKey(e.word("key"))
	if errors.Is(err, ErrKeyNotFound) { // made since, and said there
		err = nil
	}
	return pastOutcome{lost: lost}, event, err
}

// calendarEnded ends an address that was ended, or replaced by another: its secret
// is in no log.
func (e pastEntry) calendarEnded(t *tx) (pastOutcome, audit.Event, error) {
	lost := ""
	if e.Op == audit.OpCalendarStarted {
		lost = fmt.Sprintf("the address of the calendar of user %s: it works no more, they can make another", e.word("user"))
	}
	u, err := t.user(e.word("user"))
	if errors.Is(err, ErrUserNotFound) { // made since, and said there
		return nothingRepeated("")
	}
	if err != nil {
		return pastOutcome{}, audit.Event{}, err
	}
	return pastOutcome{lost: lost}, t.endCalendar(u), nil
}

// clockDoubted repeats a doubt that no run has ended since.
func (e pastEntry) clockDoubted() (pastStep, error) {
	last, err := e.time("last")
	wall, failed := e.time("wall")
	if err := errors.Join(err, failed); err != nil || wall.Sub(last) <= shortestLimit {
		return nil, err
	}
	return func(t *tx) (pastOutcome, audit.Event, error) {
		if t.Get(bucketMeta, metaDoubt) != nil {
			return nothingRepeated("")
		}
		t.v.store.Clock.Suspect(last)
		t.Put(bucketMeta, metaDoubt, []byte(audit.FormatTime(last)))
		return pastOutcome{}, audit.Event{Op: audit.OpClockCorrected, Facts: audit.Facts{
			"last": audit.Text(audit.FormatTime(last)), "wall": audit.Text(audit.FormatTime(wall)),
		}}, nil
	}, nil
}

// clockAccepted does not end a doubt that the vault has: who looks at it now can
// say whether the clock is right.
func (e pastEntry) clockAccepted(t *tx) (pastOutcome, audit.Event, error) {
	if t.Get(bucketMeta, metaDoubt) == nil {
		return nothingRepeated("")
	}
	return nothingRepeated("the clock was accepted since, and is doubted again: accept it by a run if it is right")
}

// doubtEnded is of a doubt that began after the backup: neither is repeated.
func (e pastEntry) doubtEnded(*tx) (pastOutcome, audit.Event, error) {
	return pastOutcome{loosens: "accepts a clock that was doubted"}, audit.Event{}, nil
}

func (e pastEntry) documentArchived(t *tx) (pastOutcome, audit.Event, error) {
	old, err := t.document(e.Document)
	archived := e.Op == audit.OpDocumentArchived
	switch {
	case errors.Is(err, ErrDocumentNotFound) || err == nil && (old.deleted || old.Archived == archived):
		return nothingRepeated("")
	case err != nil:
		return pastOutcome{}, audit.Event{}, err
	case archived && old.unheld() != nil:
		return impossible("document %s bore a legal hold then", e.Document)
	}
	_, event := t.archive(old, archived, grant{}, warrant{})
	return pastOutcome{}, event, nil
}

// fieldDefined defines a field again, or makes its definition what it was.
func (e pastEntry) fieldDefined(t *tx) (pastOutcome, audit.Event, error) {
	old, err := t.field(e.word("field"))
	made := errors.Is(err, ErrFieldNotFound)
	if err != nil && !made {
		return pastOutcome{}, audit.Event{}, err
	}
	f := old
	f.Key, f.Type, f.Required = e.word("field"), FieldType(e.word("type")), e.word("required") == "true"
	if label := e.text("label"); label != "" {
		f.Label = label
	}
	if description, told := e.members["description"].(string); told {
		f.Description = description
	}
	if choices, told := e.strings("choices"); told {
		f.Choices = choices
	}
	if f.Type != old.Type && !made && (t.fieldUsed(f.Key) || t.fieldFree(f.Key) != nil) || f.check() != nil {
		return nothingRepeated(fmt.Sprintf("the field %s is not as it was: define it anew", e.word("field")))
	}
	if made {
		_, event, err := t.createField(f)
		return pastOutcome{}, event, err
	}
	detail := old.differences(&f)
	if len(detail) == 0 && f.Type == old.Type && f.Required == old.Required {
		return nothingRepeated("")
	}
	f.Revision, f.UpdatedAt = old.Revision+1, t.Now()
	t.Put(bucketFields, []byte(f.Key), f.encode())
	return pastOutcome{}, audit.Event{Op: audit.OpFieldUpdated, Facts: f.facts(), Detail: encodeDetail(detail)}, nil
}

// clientChanged closes a client that was closed since, and one whose secret or
// public key was changed: the old one may have been changed because somebody else
// had it, and the new one is in no log. Of other changes it takes what narrows the
// client.
func (e pastEntry) clientChanged(t *tx) (pastOutcome, audit.Event, error) {
	c, err := t.client(e.word("client"))
	if errors.Is(err, ErrClientNotFound) { // made since, and said there
		return nothingRepeated("")
	}
	if err != nil {
		return pastOutcome{}, audit.Event{}, err
	}
	out, event := pastOutcome{}, audit.Event{}
	if old := (pastEntry{Entry: audit.Entry{Facts: c.facts()}}); e.Op == audit.OpClientClosed || old.word("secret") != e.word("secret") || old.word("publicKey") != e.word("publicKey") {
		if event = c.close(); e.Op == audit.OpClientUpdated && !event.IsZero() {
			out.lost = fmt.Sprintf("client %s works no more, since it has another secret or public key: make another", c.ID)
		}
	} else {
		out.lost, event, err = e.clientNarrowed(c)
	}
	if err != nil || event.IsZero() {
		return out, event, err
	}
	c.Revision++
	t.putClient(c)
	return out, event, nil
}

func (e pastEntry) clientNarrowed(c *client) (lost string, event audit.Event, err error) {
	var access Access
	if err := access.UnmarshalText([]byte(e.word("access"))); err != nil {
		return "", audit.Event{}, err
	}
	grants, _ := e.Facts["grants"].AsTexts()
	old := *c
	c.Access, c.Impersonates = Meet(c.Access, access), c.Impersonates && e.word("impersonates") == "true"
	c.Grants = slices.DeleteFunc(slices.Clone(c.Grants), func(g Grant) bool { return !slices.Contains(grants, string(g)) })
	if !e.Detail.IsZero() || c.Access != access || c.UserID != e.word("actsAs") || len(c.Grants) != len(grants) || c.Impersonates != (e.word("impersonates") == "true") {
		lost = fmt.Sprintf("client %s has the name, redirect URIs and user that it had before, and may do no more than before and after", c.ID)
	}
	event, err = c.updated(&old)
	return lost, event, err
}

// webhookChanged takes a webhook away, or out of service. Where it sends to, and
// what it signs with, is in no log.
func (e pastEntry) webhookChanged(t *tx) (pastOutcome, audit.Event, error) {
	w, err := t.webhook(e.word("webhook"))
	if errors.Is(err, ErrWebhookNotFound) { // made since, and said there
		return nothingRepeated("")
	}
	if err != nil {
		return pastOutcome{}, audit.Event{}, err
	}
	if e.Op == audit.OpWebhookDeleted {
		t.Delete(bucketWebhooks, w.at[:])
		return pastOutcome{}, audit.Event{Op: audit.OpWebhookDeleted, Facts: audit.Facts{"webhook": audit.Text(w.ID)}}, nil
	}
	out := pastOutcome{}
	if events, _ := e.Facts["events"].AsTexts(); e.Op == audit.OpWebhookUpdated &&
		(!e.Detail.IsZero() || e.word("until") != "" || !slices.Equal(events, w.Events) || e.word("active") == "true" && !w.Active) {
		out.lost = fmt.Sprintf("webhook %s has the URL, secret, events and state that it had before", w.ID)
	}
	if !w.Active || e.word("active") == "true" {
		return out, audit.Event{}, nil
	}
	w.Active = false
	w.Revision++
	t.putWebhook(w)
	return out, audit.Event{Op: audit.OpWebhookUpdated, Facts: w.facts()}, nil
}

// approvalEnded has a request end that did since, so that it is not granted once
// more: what it came to is in entries of its own.
func (e pastEntry) approvalEnded(t *tx) (pastOutcome, audit.Event, error) {
	a, err := t.approval(e.word("approval"))
	if errors.Is(err, ErrApprovalNotFound) { // asked for since, and said there
		return nothingRepeated("")
	}
	if err != nil || a.at(t.Now()).Status != ApprovalWaiting {
		return pastOutcome{}, audit.Event{}, err
	}
	return pastOutcome{}, t.endApproval(a, ApprovalRejected, t.actor.UserID), nil
}
