package replay

import (
	"testing"

	"strongroom/audit"
)

// narrator follows entries about one document.
type narrator struct {
	*testing.T
	*Document
	n uint64
}

func (d *narrator) try(op audit.Op, version uint64, detail string, facts ...any) error {
	d.n++
	return d.Follow(said(d.n, op, d.ID, version, detail, facts...))
}

func (d *narrator) tell(op audit.Op, version uint64, detail string, facts ...any) {
	d.Helper()
	if err := d.try(op, version, detail, facts...); err != nil {
		d.Fatalf("%s: %v", op, err)
	}
}

func (d *narrator) stands(facts, texts string) {
	d.Helper()
	want(d.T, "the document", shown(d.Record().Facts), facts)
	want(d.T, "the document", shown(d.Record().Texts), texts)
}

// newNarrator begins with a document of one version.
func newNarrator(t *testing.T) *narrator {
	t.Helper()
	d := &narrator{T: t, Document: NewDocument("D")}
	d.tell(audit.OpDocumentCreated, 1, `{"name":"Lease","fileName":"lease.txt","tags":["a","b"],"customFields":{"amount":12,"note":""}}`,
		"owner", "ada", "digest", "sha256:1", "size", 3, "mediaType", "text/plain", "chain", "c1")
	return d
}

func (d *narrator) version(number uint64) {
	d.Helper()
	d.tell(audit.OpDocumentVersionAdded, number, "", "digest", "sha256:2", "size", 4, "mediaType", "text/plain", "chain", "c2")
}

const born = "created at: 2026-11-21T17:36:02.123Z; created by: ada"

func TestDocument(t *testing.T) {
	d := newNarrator(t)
	d.stands(born+"; the current version: 1; the number of versions: 1; the owner: ada; the revision: 1; updated at: 2026-11-21T17:36:02.123Z; updated by: ada",
		`customFields.amount: 12; customFields.note: ""; name: Lease; tags: "a" "b" `)
	d.tell(audit.OpDocumentUpdated, 0, `{"tags":{"old":["a","b"],"new":[]},"ownerId":{"old":"ada","new":"eve"},"customFields.amount":{"old":12,"new":null},`+
		`"customFields.note":{"old":"","new":"x"},"editProtected":{"old":false,"new":true}}`, "owner", "eve", "revision", 2, "retainUntil", "2027-01-01T00:00:00.000Z")
	d.version(2)
	d.tell(audit.OpDocumentReverted, 1, `{"name":{"old":"Lease","new":"Sale"}}`, "discardedFrom", 2, "discardedTo", 2, "revision", 4)
	d.tell(audit.OpDocumentArchived, 0, "", "revision", 5)
	d.stands("archived: true; "+born+"; the current version: 1; the end of its retention: 2027-01-01T00:00:00.000Z; the number of versions: 2; the owner: eve; "+
		"the revision: 5; updated at: 2026-11-21T17:36:06.123Z; updated by: ada", `customFields.note: "x"; editProtected: true; name: Sale`)
	want(t, "version 1", shown(d.Versions[0].Facts), born+"; the chain: c1; the digest: sha256:1; the media type: text/plain; the number: 1; the size: 3")
	want(t, "version 1", shown(d.Versions[0].Texts), "the file name: lease.txt")
	want(t, "version 2", shown(d.Versions[1].Facts), "created at: 2026-11-21T17:36:04.123Z; created by: ada; discarded: true; the chain: c2; the digest: sha256:2; "+
		"the media type: text/plain; the number: 2; the previous chain: c1; the size: 4")
	d.tell(audit.OpDocumentUnarchived, 0, "", "revision", 6)
	want(t, "archived", d.Record().Facts["archived"], Value{})
	want(t, "the last detail that an erasure erases", d.Told, uint64(4))
}

func TestTexts(t *testing.T) {
	d := newNarrator(t)
	d.version(2)
	texts := func(version int, want string) {
		t.Helper()
		facts := d.Versions[version-1].Facts
		if is := shown(Members{"digest": facts[TextDigest], "size": facts[TextSize]}); is != want {
			t.Errorf("version %d: %s, want %s", version, is, want)
		}
	}
	d.tell(audit.OpDocumentTextSet, 1, "", "digest", "sha256:7", "size", 9)
	texts(1, "digest: sha256:7; size: 9")
	texts(2, "")
	want(t, "the revision", d.Record().Facts["the revision"], Number(2))
	d.tell(audit.OpDocumentTextSet, 1, "", "size", 0)
	texts(1, "")
	fails(t, d.try(audit.OpDocumentTextSet, 3, "", "digest", "sha256:7", "size", 9), "gives version 3 of 2")
	fails(t, d.try(audit.OpDocumentTextSet, 1, "", "size", 9), "a digest or a size")
	fails(t, d.try(audit.OpDocumentTextSet, 1, "", "digest", "sha256:7", "size", 0), "a digest or a size")
}

func TestDocumentRefuses(t *testing.T) {
	fails(t, NewDocument("D").Follow(said(1, audit.OpDocumentUpdated, "D", 0, "")), "the first about the document")
	d := newNarrator(t)
	fails(t, d.Follow(said(9, audit.OpDocumentUpdated, "other", 0, "")), "another document")
	fails(t, d.Follow(said(1, audit.OpDocumentUpdated, "D", 0, "")), "comes after entry 1")
	fails(t, d.try(audit.OpDocumentCreated, 1, ""), "the first about the document")
	fails(t, d.try(audit.OpDocumentUpdated, 0, `{`, "revision", 2), "its detail")
	fails(t, d.try(audit.OpDocumentUpdated, 0, "", "revision", 7), "has revision 7, counted are 2")
	fails(t, d.try(audit.OpDocumentUpdated, 0, "", "retainUntil", "soon"), "which is no time")
	fails(t, d.try(audit.OpDocumentReverted, 1, "", "discardedFrom", 1, "discardedTo", 9), "discards versions 1 to 9 of 1")
	fails(t, d.try(audit.OpDocumentReverted, 1, "", "discardedFrom", 0, "discardedTo", 1), "discards versions 0 to 1")
	fails(t, d.try(audit.OpDocumentVersionAdded, 7, ""), "makes version 7 after 1")
	fails(t, d.try(audit.OpErasureCompleted, 0, "", "erasure", "E"), "was not deleted before")
	fails(t, d.try(audit.OpHoldReleased, 0, "", "hold", "H"), "cannot be hold.released then")
	fails(t, d.try(audit.OpHoldPlaced, 0, ""), "cannot be hold.placed then")
	fails(t, d.try(audit.OpObligationCompleted, 0, "", "obligation", "O"), "never made")
	fails(t, d.try(audit.OpObligationCreated, 0, "", "obligation", "O", "due", "soon"), "which is no time")
	d = newNarrator(t)
	d.tell(audit.OpDocumentUpdated, 0, "", "retainUntil", "2027-01-01T00:00:00.000Z")
	fails(t, d.try(audit.OpDocumentUpdated, 0, "", "retainUntil", "2026-12-31T00:00:00.000Z"), "was later before")
	fails(t, d.try(audit.OpDocumentDeleted, 1, "", "obligations", 2), "deletes 2 obligations, there were 0")
	fails(t, d.try(audit.OpDocumentUpdated, 0, ""), "deleted before")
}

func TestLock(t *testing.T) {
	d := newNarrator(t)
	locked := func(want string) {
		t.Helper()
		facts := d.Record().Facts
		if is := shown(Members{"by": facts["who locks it"], "fence": facts["the fence of its lock"]}); is != want {
			t.Errorf("locked: %s, want %s", is, want)
		}
	}
	d.tell(audit.OpLockAcquired, 0, `{"lockedByApp":"x"}`, "fence", 1, "scratchpad", "true", "seconds", 300)
	d.tell(audit.OpLockRenewed, 0, "", "draft", 1)
	locked("by: ada; fence: 1")
	d.tell(audit.OpLockReleased, 0, "", "draft", "purged")
	locked("by: ada; fence: 1")
	d.tell(audit.OpLockBroken, 0, "", "fence", 2, "user", "ada")
	locked("fence: 2")
	d.tell(audit.OpLockAcquired, 0, "", "fence", 3)
	d.tell(audit.OpLockReleased, 0, "", "fence", 3)
	locked("fence: 3")
	want(t, "the revision", d.Record().Facts["the revision"], Number(1))
}

func TestHoldsAndMatters(t *testing.T) {
	d := newNarrator(t)
	d.tell(audit.OpHoldPlaced, 0, `{"reason":"suit","matter":"M"}`, "hold", "H")
	d.tell(audit.OpHoldPlaced, 0, `{"reason":"suit"}`, "hold", "I")
	fails(t, d.try(audit.OpHoldPlaced, 0, "", "hold", "H"), "cannot be hold.placed then")
	fails(t, d.try(audit.OpDocumentArchived, 0, ""), "bore a legal hold")
	d.tell(audit.OpHoldReleased, 0, `{"reason":"settled"}`, "hold", "H")
	want(t, "what it bears", d.Record().Facts["its active holds by matter"], List([]string{"1 ", "0 M"}))
	want(t, "hold H", shown(d.Holds["H"].Facts), "placed at: 2026-11-21T17:36:03.123Z; placed by: ada; released at: 2026-11-21T17:36:07.123Z; released by: ada; "+
		"the document: D; the matter: M; the reason: suit; the reason of the release: settled; the status: released")
	fails(t, d.try(audit.OpHoldReleased, 0, "", "hold", "H"), "cannot be hold.released then")
	d.tell(audit.OpHoldPlaced, 0, `{"reason":"again","matter":"M"}`, "hold", "J") // entry 8

	other := &narrator{T: t, Document: NewDocument("E")}
	other.tell(audit.OpDocumentCreated, 1, "")
	other.n = 20
	other.tell(audit.OpHoldPlaced, 0, `{"matter":"M"}`, "hold", "K") // entry 21

	later, before := Matters{}, Matters{}
	later.Add(other.Document, 30)
	later.Add(d.Document, 30)
	want(t, "matter M", shown(later["M"].Thing().Facts),
		"active: 2; documents: 2; first placed at: 2026-11-21T17:36:03.123Z; its last entry: 21; last released at: 2026-11-21T17:36:07.123Z; released: 1")
	before.Add(d.Document, 5)
	before.Add(other.Document, 5)
	want(t, "matter M, before", shown(before["M"].Thing().Facts), "active: 1; documents: 1; first placed at: 2026-11-21T17:36:03.123Z; its last entry: 2")
	want(t, "matters", len(later), 1)
}

func TestObligations(t *testing.T) {
	d := newNarrator(t)
	d.tell(audit.OpObligationCreated, 0, `{"title":"Pay"}`, "obligation", "O", "due", "2027-01-31", "owner", "ada", "recurrence", "monthly")
	d.tell(audit.OpObligationDueSoon, 0, "", "obligation", "O", "due", "2027-01-31", "days", 7)
	made := "created at: 2026-11-21T17:36:03.123Z"
	want(t, "made", shown(d.Obligations["O"].Facts), made+"; the anchor of its recurrence: 2027-01-31; the document: D; the due date: 2027-01-31; "+
		"the last reminder: 7; the owner: ada; the recurrence: monthly; the revision: 1; updated at: 2026-11-21T17:36:03.123Z")
	d.tell(audit.OpObligationOverdue, 0, "", "obligation", "O", "due", "2027-01-31")
	want(t, "overdue", d.Obligations["O"].Facts["the last reminder"], Reminder(0))
	d.tell(audit.OpObligationUpdated, 0, `{"title":{"old":"Pay","new":"Pay rent"}}`, "obligation", "O", "due", "2027-02-28", "owner", "eve", "recurrence", "monthly", "anchor", "2027-01-31")
	d.tell(audit.OpObligationCompleted, 0, `{"note":"paid"}`, "obligation", "O", "evidence", "D", "evidenceVersion", 1, "next", "P")
	want(t, "completed", shown(d.Obligations["O"].Facts), "completed at: 2026-11-21T17:36:07.123Z; completed by: ada; "+made+
		"; its version: 1; the anchor of its recurrence: 2027-01-31; the document: D; the due date: 2027-02-28; the evidence: D; the next one: P; "+
		"the owner: eve; the recurrence: monthly; the revision: 3; updated at: 2026-11-21T17:36:07.123Z")
	want(t, "completed", shown(d.Obligations["O"].Texts), "the note: paid; the title: Pay rent")
	d.tell(audit.OpObligationReopened, 0, "", "obligation", "O")
	want(t, "reopened", shown(d.Obligations["O"].Texts), "the title: Pay rent")
	want(t, "reopened", d.Obligations["O"].Facts["completed at"], Value{})
	d.tell(audit.OpObligationCompleted, 0, "gone", "obligation", "O")
	if !d.Obligations["O"].Erased {
		t.Error("its note is known")
	}
	d.tell(audit.OpObligationDeleted, 0, "", "obligation", "O")
	want(t, "obligations", len(d.Obligations), 0)
	fails(t, d.try(audit.OpObligationOverdue, 0, "", "obligation", "O"), "deleted before")
}

func TestDeletedAndErased(t *testing.T) {
	d := newNarrator(t)
	d.tell(audit.OpObligationCreated, 0, "", "obligation", "O", "due", "2027-01-31T00:00:00.000Z")
	d.tell(audit.OpErasureDeferred, 0, "", "erasure", "E", "until", "", "why", "held")
	d.tell(audit.OpDocumentDeleted, 1, "", "obligations", 1, "certificate", "c", "right", "erasure")
	gone := "; the number of versions: 1; the revision: 2; updated at: 2026-11-21T17:36:05.123Z; updated by: ada"
	d.stands(born+"; deleted: true; its erasure is deferred: true"+gone, "")
	d.tell(audit.OpErasureCompleted, 0, "", "erasure", "E", "resume", 1)
	d.stands(born+"; deleted: true; its erasure is deferred: true"+gone, "")
	d.tell(audit.OpErasureCompleted, 0, "", "erasure", "E")
	d.stands(born+"; deleted: true"+gone, "")
	want(t, "the erasure", d.Erasures["E"], uint64(6))
	want(t, "what is told still", d.Told, uint64(1))
	e, _ := said(4, audit.OpDocumentDeleted, "D", 1, "", "certificate", "c", "right", "erasure", "policy", "P")
	want(t, "certificate", shown(Certificate(e).Facts), "deleted at: 2026-11-21T17:36:05.123Z; deleted by: ada; the digest: c; the policy: P; the right: erasure")

	d = newNarrator(t)
	d.tell(audit.OpDocumentDeleted, 1, `{"name":"Lease"}`, "certificate", "c", "right", "manual")
	want(t, "the name of its tombstone", d.Record().Texts["name"], Text("Lease"))
	d.tell(audit.OpErasureCompleted, 0, "", "erasure", "E")
	want(t, "the name once it is erased", d.Record().Texts["name"], Value{})

	d = &narrator{T: t, Document: NewDocument("D")}
	d.tell(audit.OpDocumentCreated, 1, "gone")
	d.version(2)
	if !d.Record().Erased || !d.Versions[0].Erased || d.Versions[1].Erased || d.Told != 0 {
		t.Errorf("what is known: %v, %v", d.Record(), d.Versions)
	}
}
