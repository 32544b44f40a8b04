package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/check"
	"strongroom/engine/internal/store"
)

// Bag is an export of documents, to be written: see MakeBag.
type Bag struct {
	Documents uint64
	Seq       uint64  // the last entry it tells of
	Receipt   Receipt // of matter.exported
	At        time.Time

	v     *Vault // whole
	actor Actor
	asked BagChoice
	ids   []id
	list  audit.Hash // of the ids
}

// BagChoice chooses the documents of a bag, by one of its first three members.
type BagChoice struct {
	Matter      string         // all that were ever held for it, deleted since or not
	Query       *DocumentQuery // as in Documents; Sort and Paging are not looked at
	DocumentIDs []string       // those deleted too
	Says        string         // what was asked for, for the reader of the bag; "": nothing
}

// MakeBag fixes which documents an export has, at one entry of the log, and writes
// the entry matter.exported with their number and the digest of the list. It needs
// auditor access. *NeedsTwoError; ErrMatterNotFound; *InvalidError for a query that is none, for a
// document that is not there, and for a choice that is none.
func (v *Vault) MakeBag(ctx context.Context, actor Actor, c BagChoice) (*Bag, error) {
	if chosen := btoi(c.Matter != "") + btoi(c.Query != nil) + btoi(c.DocumentIDs != nil); chosen != 1 {
		return nil, invalid("filter", "must choose the documents, or documentIds must, or matter, and only one of them")
	}
	if c.Query != nil {
		q := *c.Query
		q.Sort, q.Paging = "", Paging{}
		c.Query = &q
	}
	b := &Bag{v: v.whole, actor: actor, asked: c}
	b.actor.assent = nil // it is good for making the bag
	if err := b.choose(ctx); err != nil {
		return nil, err
	}
	at, receipt, err := update(v, ctx, actor, func(t *tx) (time.Time, audit.Event, error) {
		if err := t.may(AccessAuditor); err != nil {
			return time.Time{}, audit.Event{}, err
		}
		if err := t.needsTwo(CoveredExport, b.deed()); err != nil {
			return time.Time{}, audit.Event{}, err
		}
		t.Note()
		return t.Now(), b.event(), nil
	})
	if err != nil {
		return nil, err
	}
	b.At, b.Receipt = at, receipt
	return b, nil
}

// exportMake is an export as a deed. It has the documents' number and the digest of
// their list: one that has become of others is another.
type exportMake struct {
	Matter    string         `json:"matter,omitempty"`
	Query     *DocumentQuery `json:"filter,omitempty"`
	IDs       []string       `json:"documentIds,omitempty"`
	None      bool           `json:"noDocuments,omitempty"`
	Says      string         `json:"says,omitempty"`
	Documents uint64         `json:"documents"`
	List      audit.Hash     `json:"list"`
}

func (b *Bag) deed() *exportMake {
	none := b.asked.DocumentIDs != nil && len(b.asked.DocumentIDs) == 0
	return &exportMake{b.asked.Matter, b.asked.Query, b.asked.DocumentIDs, none, b.asked.Says, b.Documents, b.list}
}

// judged: the call itself says of which documents it is.
func (d *exportMake) judged(*tx) (string, error) { return "", nil }

func (d *exportMake) run(v *Vault, ctx context.Context, actor Actor) (any, Receipt, error) {
	c := BagChoice{d.Matter, d.Query, d.IDs, d.Says}
	if d.None {
		c.DocumentIDs = []string{}
	}
	b, err := v.MakeBag(ctx, actor, c)
	if err != nil {
		return nil, Receipt{}, err
	}
	return b, b.Receipt, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (b *Bag) event() audit.Event {
	detail := detailMembers{}
	detail.text("matter", b.asked.Matter)
	return audit.Event{Op: audit.OpMatterExported, Detail: encodeDetail(detail), Facts: audit.Facts{
		"documents": audit.Number(b.Documents), "list": audit.Text(b.list.String()), "seq": audit.Number(b.Seq),
	}}
}

// choose finds the documents, in the order in which they were made. It is one
// transaction, the only one here that grows with the vault: a list put together from
// several would be of no one moment. It reads and hands over 16 bytes of each, and
// whoever writes does not wait for it.
func (b *Bag) choose(ctx context.Context) error {
	_, err := view(b.v, func(t *tx) (_ struct{}, err error) {
		b.Seq = t.Last()
		switch {
		case b.asked.Matter != "":
			b.ids, err = t.everHeld(ctx, b.asked.Matter)
		case b.asked.Query != nil:
			b.ids, err = t.matching(ctx, *b.asked.Query)
		default:
			b.ids, err = t.named(b.asked.DocumentIDs)
		}
		return struct{}{}, err
	})
	slices.SortFunc(b.ids, func(x, y id) int { return bytes.Compare(x[:], y[:]) })
	b.ids = slices.Compact(b.ids)
	b.Documents = uint64(len(b.ids))
	digest := sha256.New()
	for _, key := range b.ids {
		fmt.Fprintf(digest, "%s\n", key)
	}
	b.list = audit.Hash(digest.Sum(nil))
	return err
}

// everHeld returns the documents that bear or bore a hold for a matter, one for each
// hold.
func (t *tx) everHeld(ctx context.Context, matter string) (ids []id, err error) {
	if t.Get(bucketMatters, []byte(matter)) == nil {
		return nil, ErrMatterNotFound
	}
	prefix := indexPrefix(holdMatter, text(matter))
	rows := t.Cursor(bucketHoldRows)
	for k, _ := rows.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = rows.Next() {
		h, err := t.hold(idText(k[len(prefix)+1:]))
		if err != nil {
			return nil, err
		}
		if of, ok := store.ParseID(h.DocumentID); ok {
			ids = append(ids, of)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

func (t *tx) matching(ctx context.Context, q DocumentQuery) (ids []id, err error) {
	q.Sort, q.Paging = SortCreated, Paging{Limit: maxLimit}
	for {
		l, err := q.lister()
		if err != nil {
			return nil, err
		}
		page, err := t.documents(l)
		if err != nil {
			return nil, err
		}
		for _, d := range page.Items {
			of, _ := store.ParseID(d.ID)
			ids = append(ids, of)
		}
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			return ids, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

func (t *tx) named(documentIDs []string) (ids []id, err error) {
	if len(documentIDs) > maxNamed {
		return nil, invalid("documentIds", "must be at most %d", maxNamed)
	}
	for i, documentID := range documentIDs {
		d, err := t.document(documentID)
		if errors.Is(err, ErrDocumentNotFound) {
			return nil, invalid(fmt.Sprintf("documentIds.%d", i), "is the id of no document of this vault")
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, d.id)
	}
	return ids, nil
}

// maxNamed is how many documents a bag may be asked for by their ids.
const maxNamed = 10_000

// Name is the name of the bag's directory; the ZIP file is called so too.
func (b *Bag) Name() string { return fmt.Sprintf("export-%s-%d", b.v.name, b.Receipt.Seq) }

// title says what the bag is of.
func (b *Bag) title() string {
	switch {
	case b.asked.Matter != "":
		return "Matter " + b.asked.Matter
	case b.asked.Says != "":
		return check.Trim(b.asked.Says)
	}
	return "Chosen documents"
}
