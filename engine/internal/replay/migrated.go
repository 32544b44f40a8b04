package replay

import (
	"fmt"
	"strconv"
	"strings"

	"strongroom/audit"
)

// Members of things of which the entries of earlier formats did not tell, and
// which a migration tells.
const (
	Format       = "its format" // of the vault
	Secret       = "its secret"
	FormerSecret = "its former secret"
	PlannedAt    = "the instant of its plan"
)

// Migration is what a vault.migrated tells of documents, with those that follow it
// at once. It takes the place of what the entries before it say.
type Migration struct {
	seq       uint64
	documents map[string][][]string // the words of each text, by document
}

// Migrations returns those of the vault, for [Document.Migrations].
func (a *Accounts) Migrations() []*Migration { return a.migrations }

// Subjects returns the digest of the documents of an erasure, or of its user.
func (a *Accounts) Subjects(erasure string) string { return a.subjects[erasure] }

// Left is what a log says is left of an erasure of one document, or of a user: the
// entry that deferred it, and where it goes on.
type Left struct{ Deferred, Resume uint64 }

// Left returns what is left of an erasure that was begun, or deferred. Of one that
// was not, and of one that is done, it is zero.
func (a *Accounts) Left(erasure, subject string) Left { return a.erasing[erasure+" "+subject] }

// progress takes into account how far an erasure has come.
func (a *Accounts) progress(e audit.Entry) {
	erasure, _ := e.Facts["erasure"].AsText()
	subject := e.Document
	if subject == "" {
		subject, _ = e.Facts["user"].AsText()
	}
	name := erasure + " " + subject
	left := a.erasing[name]
	if e.Op == audit.OpErasureDeferred {
		left.Deferred = e.Seq
		a.erasing[name] = left
		return
	}
	if t := a.things[Erasures][erasure]; t != nil {
		t.Facts["its last completion"] = Number(e.Seq)
	}
	if n, told := e.Facts["resume"].AsNumber(); told {
		left.Resume = n
		a.erasing[name] = left
	} else {
		delete(a.erasing, name)
	}
}

// migrated takes a migration into account, or what of it did not fit into the
// entry before.
func (a *Accounts) migrated(e *entry) error {
	from, to := Number(e.number("from")), Number(e.number("format"))
	_, part := e.Facts["part"]
	switch {
	case part && (len(a.migrations) == 0 || a.Vault.Facts[Format] != to):
		return fmt.Errorf("is part of a migration that did not begin")
	case part:
	case e.number("from") >= e.number("format") || uint64(a.Vault.Facts[Format].number) >= e.number("format"):
		return fmt.Errorf("migrates from format %s to %s, and the vault had %s", from, to, a.Vault.Facts[Format])
	default:
		a.Vault.Facts[Format] = to
		a.migrations = append(a.migrations, &Migration{seq: e.Seq, documents: map[string][][]string{}})
		clear(a.erasing)
	}
	texts, _ := e.Facts["state"].AsTexts()
	for _, text := range texts {
		words := strings.Fields(text)
		for i, word := range words {
			if word == "-" {
				words[i] = ""
			}
		}
		if err := a.told(words); err != nil {
			return fmt.Errorf("%w: %q", err, text)
		}
	}
	return nil
}

// told takes one text of a migration into account.
func (a *Accounts) told(words []string) error {
	of := func(kind Kind, n int, fn func(t *Thing)) error {
		if len(words) != n || a.things[kind][words[1]] == nil {
			return fmt.Errorf("tells of no %s", kind)
		}
		fn(a.things[kind][words[1]])
		return nil
	}
	if len(words) < 3 {
		return fmt.Errorf("tells of nothing")
	}
	switch words[0] {
	case "key":
		return of(Keys, 3, func(t *Thing) { t.Facts[Secret] = Text(words[2]) })
	case "webhook":
		return of(Webhooks, 4, func(t *Thing) { t.Facts[Secret], t.Facts[FormerSecret] = Text(words[2]), Text(words[3]) })
	case "run":
		return of(Runs, 3, func(t *Thing) { t.Facts[PlannedAt] = instant(words[2]) })
	case "erasure":
		return of(Erasures, 3, func(*Thing) { a.subjects[words[1]] = words[2] })
	case "erasing":
		return of(Erasures, 5, func(*Thing) { a.erasing[words[1]+" "+words[2]] = Left{count(words[3]), count(words[4])} })
	}
	m := a.migrations[len(a.migrations)-1]
	m.documents[words[1]] = append(m.documents[words[1]], words)
	return nil
}

func instant(word string) Value {
	at, err := audit.ParseTime(word)
	if err != nil {
		return Text(word)
	}
	return Time(at)
}

func count(word string) uint64 {
	n, _ := strconv.ParseUint(word, 10, 64) // another text is 0, which is not what is there
	return n
}

// migrate takes the migrations before an entry into account: what they tell of the
// document is all there was then.
func (d *Document) migrate(before uint64) {
	for len(d.Migrations) > 0 && d.Migrations[0].seq < before {
		m := d.Migrations[0]
		d.Migrations = d.Migrations[1:]
		if m.seq < d.seq || d.seq == 0 || d.Deleted {
			continue
		}
		app := d.record.Texts[LockedByApp]
		d.unlocked()
		d.Drafts = nil
		delete(d.record.Facts, Password)
		for _, words := range m.documents[d.ID] {
			d.told(words, app)
		}
	}
}

// told takes one text of a migration into account; app is what the entries before
// say of the application of the lock.
func (d *Document) told(words []string, app Value) {
	switch {
	case words[0] == "password" && len(words) == 3:
		d.record.Facts[Password] = Text(words[2])
	case words[0] == "snapshot" && len(words) == 3:
		d.Snapshot = words[2]
	case words[0] == "drafts" && len(words) == 5:
		d.keepDraft(words[2], words[3], count(words[4]))
	case words[0] == "lock" && len(words) == 10:
		d.record.Facts[LockFence] = Number(count(words[2]))
		d.record.Facts[Locker] = Text(words[3])
		d.record.Facts[LockKey] = Text(words[4])
		d.record.Facts[LockSeconds] = Number(count(words[5]))
		d.record.Facts[LockUntil] = instant(words[6])
		d.record.Facts[Scratchpad] = Flag(words[7] == "true")
		d.record.Facts[LockBase] = Number(count(words[8]))
		if words[9] == "true" {
			d.record.Texts[LockedByApp] = app
		}
	}
}
