package replay

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"strongroom/audit"
)

// Document is what the entries about one document say of it. Make one with
// [NewDocument].
type Document struct {
	ID          string
	Deleted     bool
	Versions    []Version
	Holds       map[string]*Hold  // by id, those released too
	Obligations map[string]*Thing // by id, those that are there
	Erasures    map[string]uint64 // by id: the last entry that completed it, or a part of it
	Drafts      map[string]Draft  // by user: the scratchpads that are kept
	Snapshot    string            // the digest of what is kept of it, as it was locked; "": nothing is
	Migrations  []*Migration      // of the vault, for Follow and Record to take into account
	Told        uint64            // the last entry with a detail that an erasure erases; 0: none is left

	record      Thing
	seq         uint64            // the last entry that was followed
	active      map[string]uint64 // holds, by matter; a matter whose holds are released stays, with 0
	held        uint64            // active holds
	retainUntil time.Time
}

// Version is what a log says of one version.
type Version struct {
	Thing
	Number uint64
	Seq    uint64 // its entry
	Digest string
}

// NewDocument returns what no entries say of a document.
func NewDocument(id string) *Document {
	return &Document{ID: id, record: *newThing()}
}

// mostKept is how many members, or versions, Reset keeps the memory of.
const mostKept = 64

// Reset forgets the document for another, of which no entries say anything yet. Its
// memory is used again: nothing that was taken from it before may be used any more.
func (d *Document) Reset(id string) {
	record, versions := d.record, d.Versions[:0]
	if cap(versions) > mostKept {
		versions = nil
	}
	record.reset()
	*d = Document{ID: id, record: record, Versions: versions}
}

// Record is what must hold of the document itself. Of a deleted one, its
// tombstone.
func (d *Document) Record() Thing {
	d.migrate(math.MaxUint64)
	if !d.Deleted && len(d.active) > 0 {
		d.record.Facts["its active holds by matter"] = d.borne()
	}
	return d.record
}

// Follow takes the next entry about the document, with the exact bytes of its
// detail; nil if it has none, or has it no more. An error says that the entry
// cannot be.
func (d *Document) Follow(e audit.Entry, detail []byte) error {
	switch {
	case e.Document != d.ID:
		return fmt.Errorf("is about another document, %q", e.Document)
	case e.Seq <= d.seq:
		return fmt.Errorf("comes after entry %d", d.seq)
	case (d.seq == 0) != (e.Op == audit.OpDocumentCreated):
		return fmt.Errorf("%s is, or is not, the first about the document", e.Op)
	case d.Deleted && e.Op != audit.OpErasureCompleted:
		return errors.New("is about a document that was deleted before")
	case !d.Deleted && e.Op == audit.OpErasureCompleted:
		return errors.New("erases a document that was not deleted before")
	}
	d.migrate(e.Seq)
	d.seq = e.Seq
	r, err := read(e, detail)
	if err != nil {
		return err
	}
	if detail != nil && !e.Op.Kept() {
		d.Told = e.Seq
	}
	return d.follow(r)
}

func (d *Document) follow(e *entry) error {
	var err error
	switch e.Op {
	case audit.OpDocumentCreated:
		d.record.Facts["created by"] = Text(e.Actor)
		e.made(&d.record)
		d.describe(e)
		err = d.version(e)
	case audit.OpDocumentVersionAdded:
		err = d.version(e)
	case audit.OpDocumentArchived:
		d.record.Facts["archived"] = Flag(true)
		err = d.unheld()
	case audit.OpDocumentUnarchived:
		d.record.Facts["archived"] = Flag(false)
	case audit.OpDocumentReverted:
		d.describe(e)
		err = d.discard(e)
	case audit.OpDocumentUpdated:
		d.describe(e)
	case audit.OpDocumentDeleted:
		err = d.delete(e)
	case audit.OpObligationCreated, audit.OpObligationUpdated, audit.OpObligationCompleted, audit.OpObligationReopened,
		audit.OpObligationDeleted, audit.OpObligationDueSoon, audit.OpObligationOverdue:
		return d.obligation(e)
	case audit.OpHoldPlaced, audit.OpHoldReleased:
		return d.hold(e)
	case audit.OpErasureDeferred:
		d.record.Facts["its erasure is deferred"] = Flag(true)
		return nil
	case audit.OpDocumentRestricted, audit.OpDocumentUnrestricted:
		d.record.Facts["restricted"] = Flag(e.Op == audit.OpDocumentRestricted)
		return nil
	case audit.OpDocumentTextSet:
		d.slide(e)
		return d.texted(e)
	case audit.OpErasureCompleted:
		if d.Erasures == nil {
			d.Erasures = map[string]uint64{}
		}
		delete(d.record.Texts, "name")
		if e.number("resume") == 0 {
			d.record.Facts["its erasure is deferred"] = Flag(false)
		}
		d.Erasures[e.word("erasure")] = e.Seq
		return nil
	default: // leaves the revision
		return d.lock(e)
	}
	d.slide(e)
	if revised := d.revised(e); err == nil {
		err = revised
	}
	return err
}

// revised counts a change of metadata, versions or archived state.
func (d *Document) revised(e *entry) error {
	e.changed(&d.record)
	d.record.Facts["updated by"] = Text(e.Actor)
	if _, told := e.Facts["password"]; told {
		d.record.Facts[Password] = Text(e.word("password"))
	}
	if _, told := e.Facts["owner"]; told {
		d.record.Facts["the owner"] = Text(e.word("owner"))
	}
	if counted := d.record.Facts["the revision"]; e.number("revision") != 0 && counted != Number(e.number("revision")) {
		return fmt.Errorf("has revision %d, counted are %s", e.number("revision"), counted)
	}
	if keys, told := e.Facts["confirmed"].AsTexts(); told {
		d.record.Facts["the confirmed dates"] = List(keys)
	}
	if until, told := e.Facts["retainUntil"].AsText(); told {
		return d.retain(until)
	}
	return nil
}

// retain takes a stamp into account, which only rises.
func (d *Document) retain(until string) error {
	stamped, err := audit.ParseTime(until)
	if err != nil || stamped.Before(d.retainUntil) {
		return fmt.Errorf("is retained until %q, which is no time, or was later before", until)
	}
	d.retainUntil = stamped
	d.record.Facts["the end of its retention"] = Time(stamped)
	return nil
}

func (d *Document) version(e *entry) error {
	n := len(d.Versions)
	d.Versions = slices.Grow(d.Versions, 1)[:n+1]
	v := &d.Versions[n]
	v.reset()
	v.Number, v.Seq, v.Digest = e.Version, e.Seq, e.word("digest")
	v.Facts["the number"] = Number(e.Version)
	v.Facts["the digest"] = Text(v.Digest)
	v.Facts["the size"] = Number(e.number("size"))
	v.Facts["the media type"] = Text(e.word("mediaType"))
	v.Facts["the chain"] = Text(e.word("chain"))
	v.Facts["created by"] = Text(e.Actor)
	e.made(&v.Thing)
	e.tell(&v.Thing, "fileName", "the file name", "comment", "the comment", "label", "the label")
	if n > 0 {
		v.Facts["the previous chain"] = d.Versions[n-1].Facts["the chain"]
	}
	d.record.Facts["the number of versions"] = Number(uint64(len(d.Versions)))
	d.record.Facts["the current version"] = Number(e.Version)
	if e.Version != uint64(len(d.Versions)) {
		return fmt.Errorf("makes version %d after %d", e.Version, len(d.Versions)-1)
	}
	return nil
}

// The members of a version that tell of the text that was given for it.
const (
	TextDigest = "the digest of its text"
	TextSize   = "the size of its text"
)

// texted notes the text that was given for a version, or that it was taken away.
func (d *Document) texted(e *entry) error {
	if e.Version == 0 || e.Version > uint64(len(d.Versions)) {
		return fmt.Errorf("gives version %d of %d a text", e.Version, len(d.Versions))
	}
	if (e.word("digest") == "") != (e.number("size") == 0) {
		return errors.New("gives a text that has a digest or a size, not both")
	}
	facts := d.Versions[e.Version-1].Facts
	facts[TextDigest], facts[TextSize] = Text(e.word("digest")), Number(e.number("size"))
	return nil
}

// discard takes versions back that were added under a lock.
func (d *Document) discard(e *entry) error {
	d.record.Facts["the current version"] = Number(e.Version)
	from, some := e.Facts["discardedFrom"].AsNumber()
	to := e.number("discardedTo")
	if some && (from == 0 || from > to || to > uint64(len(d.Versions))) {
		return fmt.Errorf("discards versions %d to %d of %d", from, to, len(d.Versions))
	}
	for n := from; some && n <= to; n++ {
		d.Versions[n-1].Facts["discarded"] = Flag(true)
	}
	return nil
}

// delete leaves of the document what its tombstone has.
func (d *Document) delete(e *entry) error {
	was := d.record.Facts
	d.Deleted, d.record = true, *newThing()
	d.record.Facts["deleted"] = Flag(true)
	for _, name := range []string{"created at", "created by", "the number of versions", "the revision"} {
		d.record.Facts[name] = was[name]
	}
	for _, name := range []string{"restricted", "its erasure is deferred"} {
		if is, told := was[name]; told {
			d.record.Facts[name] = is
		}
	}
	if name, kept := e.members["name"]; kept {
		d.record.Texts["name"] = spelled(name)
	}
	obligations := uint64(len(d.Obligations))
	d.Obligations, d.Drafts, d.Snapshot = nil, nil, ""
	if n := e.number("obligations"); n != obligations {
		return fmt.Errorf("deletes %d obligations, there were %d", n, obligations)
	}
	return d.unheld()
}

// fieldPrefix is how the name of a custom field begins among the texts of a
// document.
const fieldPrefix = "customFields."

// describe takes over what a detail says of metadata, under the names it has
// there. What describes a version, or is a fact, is left out.
func (d *Document) describe(e *entry) {
	d.record.Erased = d.record.Erased || e.erased
	for name, value := range e.members {
		switch name {
		case "fileName", "comment", "label", "ownerId":
			continue
		}
		if fields, many := value.(map[string]any); many {
			for key, given := range fields {
				d.record.Texts[name+"."+key] = Given(given)
			}
			continue
		}
		if strings.HasPrefix(name, fieldPrefix) {
			d.record.Texts[name] = Given(value)
		} else {
			d.record.Texts[name] = spelled(value)
		}
	}
}

// Certificate is what the entry of a document's deletion says of its
// certificate.
func Certificate(e audit.Entry) Thing {
	r := entry{Entry: e}
	return Thing{Facts: Members{
		"the digest":  Text(r.word("certificate")),
		"the right":   Text(r.word("right")),
		"the policy":  Text(r.word("policy")),
		"the erasure": Text(r.word("erasure")),
		"deleted at":  Time(e.Time),
		"deleted by":  Text(e.Actor),
	}}
}
