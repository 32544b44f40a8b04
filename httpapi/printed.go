package httpapi

// How the types print themselves that lists are made of, and what is read most. Each
// says what its tags say, in their order.

func (l List[T]) print(w *wire) {
	w.begin()
	items(w, "items", l.Items)
	w.filled("nextCursor", l.NextCursor)
	w.end()
}

func (d Document) print(w *wire) {
	w.begin()
	w.text("id", d.ID)
	w.text("externalId", d.ExternalID)
	w.text("name", d.Name)
	w.text("category", d.Category)
	w.text("description", d.Description)
	w.text("ownerId", d.OwnerID)
	w.texts("tags", d.Tags)
	w.values("customFields", d.CustomFields)
	w.text("status", d.Status)
	w.truth("archived", d.Archived)
	w.text("product", d.Product)
	w.text("templateId", d.TemplateID)
	w.text("agreementId", d.AgreementID)
	if d.CurrentVersion != nil {
		w.member("currentVersion")
		d.CurrentVersion.print(w)
	}
	w.number("versionCount", d.VersionCount)
	w.number("holdCount", d.HoldCount)
	if d.Lock != nil {
		w.member("lock")
		d.Lock.print(w)
	}
	if d.Text != nil {
		w.member("text")
		d.Text.print(w)
	}
	w.truth("editProtected", d.EditProtected)
	w.text("path", d.Path)
	w.truth("restricted", d.Restricted)
	w.time("createdAt", d.CreatedAt)
	w.text("createdBy", d.CreatedBy)
	w.time("updatedAt", d.UpdatedAt)
	w.text("updatedBy", d.UpdatedBy)
	w.number("revision", d.Revision)
	w.number("auditSeq", d.AuditSeq)
	w.end()
}

func (v Version) print(w *wire) {
	w.begin()
	w.text("documentId", v.DocumentID)
	w.number("number", v.Number)
	w.digest("digest", v.Digest)
	w.size("size", v.Size)
	w.text("mediaType", v.MediaType)
	w.text("fileName", v.FileName)
	w.text("comment", v.Comment)
	w.text("label", v.Label)
	w.time("createdAt", v.CreatedAt)
	w.text("createdBy", v.CreatedBy)
	w.hash("previousChain", v.PreviousChain)
	w.hash("chain", v.Chain)
	w.truth("current", v.Current)
	w.truth("discarded", v.Discarded)
	if v.Draft != 0 {
		w.number("draft", v.Draft)
	}
	if v.SuppliedText != nil {
		w.member("suppliedText")
		v.SuppliedText.print(w)
	}
	w.end()
}

func (t SuppliedText) print(w *wire) {
	w.begin()
	w.digest("digest", t.Digest)
	w.size("size", t.Size)
	w.end()
}

func (t TextState) print(w *wire) {
	w.begin()
	w.text("state", t.State)
	w.text("reason", t.Reason)
	w.end()
}

func (l Lock) print(w *wire) {
	w.begin()
	w.filled("lockToken", l.LockToken)
	w.text("lockDurationInSeconds", l.LockDurationInSeconds)
	w.time("lockedUntilDateTime", l.LockedUntilDateTime)
	w.text("lockedByApp", l.LockedByApp)
	w.text("lockType", l.LockType)
	w.text("useScratchPad", l.UseScratchPad)
	w.filled("scratchPadStale", l.ScratchPadStale)
	w.text("fence", l.Fence)
	w.member("lockedByUser")
	l.LockedByUser.print(w)
	w.end()
}

func (u LockUser) print(w *wire) {
	w.begin()
	w.text("userId", u.UserID)
	w.text("userName", u.UserName)
	w.text("email", u.Email)
	w.text("userStatus", u.UserStatus)
	w.text("accountId", u.AccountID)
	w.text("accountName", u.AccountName)
	w.end()
}

// The facts are those of a line that was read, which spells them as encoding/json
// does. A detail is whatever the vault keeps.
func (e Entry) print(w *wire) {
	w.begin()
	w.number("seq", e.Seq)
	w.hash("prev", e.Prev)
	w.time("time", e.Time)
	w.text("actor", e.Actor)
	w.text("key", e.Key)
	w.text("op", e.Op)
	w.text("document", e.Document)
	w.number("version", e.Version)
	w.spelled("facts", e.Facts)
	w.text("detailDigest", e.DetailDigest)
	w.hash("hash", e.Hash)
	if len(e.Detail) > 0 {
		w.raw("detail", e.Detail)
	}
	w.filled("salt", e.Salt)
	w.end()
}

func (f FoundDocument) print(w *wire) {
	w.begin()
	w.member("document")
	f.Document.print(w)
	w.member("score")
	w.value(f.Score)
	w.texts("snippets", f.Snippets)
	w.end()
}

func (f Found) print(w *wire) {
	w.begin()
	items(w, "items", f.Items)
	w.number("total", f.Total)
	w.number("took", f.Took)
	w.filled("nextCursor", f.NextCursor)
	if f.CompleteThrough != nil {
		w.number("completeThrough", *f.CompleteThrough)
	}
	if f.TextWaiting != 0 {
		w.number("textWaiting", f.TextWaiting)
	}
	w.end()
}
