package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"strongroom/audit"
	"strongroom/engine/internal/check"
)

// As returns the vault as this actor sees it, by the access the actor says: whole
// to admins and auditors, and to all others without what is restricted, as if it
// had never been. Every read of the view returned keeps to that; a host that lets
// several people read asks it for each of them. It is one of two, which are equal
// in all else, live as long as the vault, and may be compared.
//
// Changes, and those reads that take an actor, go by the actor whatever the view. What
// a run or an erasure has counted is told as it was counted: who may read those is for
// the host to ask first.
func (v *Vault) As(actor Actor) *Vault {
	if Meet(actor.Access, AccessAuditor) == AccessAuditor {
		return v.whole
	}
	return v.part
}

// Narrow returns the query as it is to be asked of an index of all documents for
// whom this view of the vault is: see [LogReader.Criteria].
func (v *Vault) Narrow(q DocumentQuery) DocumentQuery {
	q.unrestricted = q.unrestricted || v.partial
	return q
}

// restricts says whether only admins and auditors may see a document.
func (t *tx) restricts(d *document) (bool, error) {
	if d.restricted || !d.deferred {
		return d.restricted, nil
	}
	s, err := t.settings()
	return s.RestrictDeferred, err
}

// seen says whether who asks may see the document. One that is damaged is for
// whoever reads it to report.
func (t *tx) seen(documentID string) bool {
	_, err := t.document(documentID)
	return !errors.Is(err, ErrDocumentNotFound)
}

// hiddenStates are the states, as the index spells them, of what only admins and
// auditors see.
func (t *tx) hiddenStates() (string, error) {
	s, err := t.settings()
	if s.RestrictDeferred {
		return statesRestricted + statesDeferred, err
	}
	return statesRestricted, err
}

// hiddenObligations are those of the documents that who asks may not see; nil if
// all may be seen.
func (t *tx) hiddenObligations() (map[id]bool, error) {
	if !t.partial() {
		return nil, nil
	}
	hidden := map[id]bool{}
	err := t.eachHidden(func(doc id) error {
		for _, of := range t.obligationsOf(doc) {
			hidden[of] = true
		}
		return nil
	})
	return hidden, err
}

// hiddenMatters are those that documents were ever held for which who asks may not
// see; nil if all may be seen.
func (t *tx) hiddenMatters() (map[string]bool, error) {
	if !t.partial() {
		return nil, nil
	}
	hidden := map[string]bool{}
	err := t.eachHidden(func(doc id) error {
		for _, of := range t.holdsOf(doc) {
			h, err := decodeHold(of, t.Get(bucketHolds, of[:]))
			if err != nil {
				return err
			}
			hidden[h.Matter] = true
		}
		return nil
	})
	return hidden, err
}

// eachHidden goes through the documents that only admins and auditors see.
func (t *tx) eachHidden(fn func(doc id) error) error {
	spelled, err := t.hiddenStates()
	if err != nil {
		return err
	}
	for _, state := range spelled {
		prefix := indexPrefix(kindState, string(state))
		rows := t.Cursor(bucketIndex)
		for row, _ := rows.Seek(prefix); bytes.HasPrefix(row, prefix); row, _ = rows.Next() {
			if err := fn(id(row[len(prefix):])); err != nil {
				return err
			}
		}
	}
	return nil
}

// RestrictDocument makes a document one that only admins and auditors see
// (Article 18 of the GDPR): to all others it does not exist, and is in no list,
// count or detail. It needs admin access and a reason, which stands in the entry's
// detail. Neither lock nor hold stands in its way, and the revision stays as it is.
// Restricting what is restricted by hand returns it as it is.
func (v *Vault) RestrictDocument(ctx context.Context, actor Actor, documentID string, cond Condition, reason string) (Document, Receipt, error) {
	return v.setRestricted(ctx, actor, documentID, cond, reason, true)
}

// UnrestrictDocument undoes RestrictDocument, and needs the same. What is restricted
// because its erasure is deferred stays so as long as it is.
func (v *Vault) UnrestrictDocument(ctx context.Context, actor Actor, documentID string, cond Condition, reason string) (Document, Receipt, error) {
	return v.setRestricted(ctx, actor, documentID, cond, reason, false)
}

func (v *Vault) setRestricted(ctx context.Context, actor Actor, documentID string, cond Condition, reason string, restricted bool) (Document, Receipt, error) {
	var c checks
	reason = check.Trim(reason)
	c.Required("reason", reason, check.MaxComment)
	if err := c.err(); err != nil {
		return Document{}, Receipt{}, err
	}
	return update(v, ctx, actor, func(t *tx) (Document, audit.Event, error) {
		if err := t.may(AccessAdmin); err != nil {
			return Document{}, audit.Event{}, err
		}
		old, err := t.liveDocument(documentID)
		if err == nil {
			err = cond.IfMatch.check(old.Revision)
		}
		if err != nil {
			return Document{}, audit.Event{}, err
		}
		d, event := t.restrict(old, restricted, reason)
		return d.Document, event, nil
	})
}

// restrict is asked for what holds already, too.
func (t *tx) restrict(old *document, restricted bool, reason string) (*document, audit.Event) {
	if old.restricted == restricted {
		return old, audit.Event{}
	}
	d := old.clone()
	d.restricted = restricted
	t.store(old, d, grant{})
	op := audit.OpDocumentUnrestricted
	if restricted {
		op = audit.OpDocumentRestricted
	}
	detail := detailMembers{}
	detail.text("reason", reason)
	return d, audit.Event{Op: op, Document: d.ID, Facts: audit.Facts{}, Detail: encodeDetail(detail)}
}

// documentRestricted repeats what a log says of the restriction of a document by
// hand. That of a deferred erasure follows from the erasure.
func (e pastEntry) documentRestricted(t *tx) (pastOutcome, audit.Event, error) {
	restricted := e.Op == audit.OpDocumentRestricted
	old, err := t.document(e.Document)
	switch {
	case errors.Is(err, ErrDocumentNotFound) || err == nil && (old.deleted || old.restricted == restricted):
		return nothingRepeated("")
	case err != nil:
		return pastOutcome{}, audit.Event{}, err
	}
	out := pastOutcome{}
	if !restricted {
		out.loosens = fmt.Sprintf("shows document %s to everybody again", e.Document)
	}
	_, event := t.restrict(old, restricted, e.text("reason"))
	return out, event, nil
}

// markDeferred tells documents that an erasure of them is deferred, which up to
// format 2 the erasure alone knew.
func (t *tx) markDeferred() {
	waits := map[id]bool{}
	rows := t.Cursor(bucketErasing)
	for k, value := rows.First(); k != nil; k, value = rows.Next() {
		if left, err := decodeErasing(value); err == nil && left.deferred != 0 && len(k) == 2*len(id{}) {
			waits[id(k[len(id{}):])] = true
		}
	}
	done := map[id]bool{} // what is deleted, and erased by one of several
	rows = t.Cursor(bucketErased)
	for k, _ := rows.First(); k != nil; k, _ = rows.Next() {
		if len(k) == 2*len(id{}) {
			done[id(k[len(id{}):])] = true
		}
	}
	for doc := range waits {
		old, err := decodeDocument(doc, t.Get(bucketDocuments, doc[:]))
		if err != nil || done[doc] { // a damaged one is for Verify to find
			continue
		}
		d := old.clone()
		d.deferred = true
		t.putRows(bucketIndex, indexRows(old), indexRows(d))
		t.Put(bucketDocuments, doc[:], d.encode())
	}
}
