package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// Head is the log's last entry on disk. Print it (Head.Text), keep it
// elsewhere, and a cut or rewritten log is found out.
func (v *Vault) Head() audit.Head { return v.store.Head() }

// Wait returns nil as soon as there is an entry after the one given, at once
// if there is. *LogBehindError if the log does not have that one;
// ErrUnavailable when the vault is closed meanwhile.
func (v *Vault) Wait(ctx context.Context, after uint64) error {
	if after > v.Head().Seq {
		// A page may tell of an entry an instant before the head moves.
		_, err := view(v, func(t *tx) (struct{}, error) { return struct{}{}, t.beyond(after) })
		if err != nil {
			return v.behind(ctx, after, err)
		}
	}
	return v.store.Wait(ctx, after)
}

// Entry is an entry of the log with what belongs to it. Detail and Salt are
// nil where there was no detail, or an erasure has removed it, or the document may
// not be seen.
type Entry struct {
	audit.Entry
	Hash   audit.Hash
	Line   []byte // exactly as stored and hashed, newline included
	Detail []byte // the exact JSON object hashed
	Salt   []byte // 16 bytes
}

// EntryQuery chooses entries. Zero members choose all.
type EntryQuery struct {
	After      uint64 // only entries with a higher seq
	Limit      int    // 1 to 500; 0 is 50
	DocumentID string
	ActorID    string
	Op         audit.Op
	From, To   time.Time // From inclusive, To exclusive
}

// EntryPage is what one call found, in order. NextAfter is not 0 when there
// may be more: ask again with After set to it. A page can be short or empty
// and still have one, because a call looks at a bounded number of entries.
type EntryPage struct {
	Items     []Entry
	NextAfter uint64
}

// maxLook bounds how many entries or rows one call looks at to find those that
// match.
const maxLook = 10_000

// Entries returns entries in order. DocumentID follows the document's chain of
// entries and the times are bisected; ActorID and Op are compared entry by
// entry, 10,000 a call at most. *LogBehindError if the log does not have the entry
// After.
func (v *Vault) Entries(ctx context.Context, q EntryQuery) (EntryPage, error) {
	limit, err := pageLimit(q.Limit)
	if err != nil {
		return EntryPage{}, err
	}
	if actor, ok := store.ParseID(q.ActorID); ok {
		q.ActorID = actor.String()
	}
	var chain []uint64
	if q.DocumentID != "" {
		if chain, err = v.chain(ctx, q.DocumentID, q.After); err != nil {
			return EntryPage{}, err
		}
	}
	page, err := view(v, func(t *tx) (EntryPage, error) {
		if err := t.beyond(q.After); err != nil {
			return EntryPage{}, err
		}
		last := t.Last()
		first := q.After + 1
		if !q.From.IsZero() {
			first = max(first, t.firstSince(q.From, last))
		}
		if !q.To.IsZero() {
			last = t.firstSince(q.To, last) - 1
		}
		next := countUp(first, last)
		if q.DocumentID != "" {
			next = within(chain, first, last)
		}
		return t.entries(q, limit, next)
	})
	return page, v.behind(ctx, q.After, err)
}

// A page of entries is full at this many bytes too.
const maxPageBytes = 4 << 20

// entries gathers those of next that match.
func (t *tx) entries(q EntryQuery, limit int, next func() (uint64, bool)) (page EntryPage, err error) {
	size := 0
	for looked := 0; ; looked++ {
		seq, ok := next()
		if !ok {
			return page, nil
		}
		if len(page.Items) == limit || looked == maxLook || size >= maxPageBytes {
			page.NextAfter = seq - 1
			return page, nil
		}
		e, err := t.entry(seq)
		if err != nil {
			return EntryPage{}, err
		}
		if (q.ActorID == "" || e.Actor == q.ActorID) && (q.Op == "" || e.Op == q.Op) {
			page.Items = append(withRoom(page.Items, limit), e)
			size += len(e.Line) + len(e.Detail)
		}
	}
}

func countUp(first, last uint64) func() (uint64, bool) {
	seq := first - 1
	return func() (uint64, bool) { seq++; return seq, seq <= last }
}

// within walks a chain, whose last comes first, in order.
func within(chain []uint64, first, last uint64) func() (uint64, bool) {
	return func() (seq uint64, ok bool) {
		for len(chain) > 0 {
			seq, chain = chain[len(chain)-1], chain[:len(chain)-1]
			if seq >= first && seq <= last {
				return seq, true
			}
		}
		return 0, false
	}
}

// chain returns the seqs of a document's entries after one, the last first. It
// follows the chain some thousand links in each transaction: what is behind a
// link never changes.
func (v *Vault) chain(ctx context.Context, documentID string, after uint64) (seqs []uint64, err error) {
	seq, err := view(v, func(t *tx) (uint64, error) {
		d, err := t.document(documentID)
		if err != nil {
			return 0, err
		}
		return d.AuditSeq, nil
	})
	for err == nil && seq > after {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		seq, err = view(v, func(t *tx) (uint64, error) {
			for range maxLook {
				if seq <= after {
					break
				}
				seqs = append(seqs, seq)
				row, err := store.DecodeDetail(t.Get(bucketDetail, store.SeqKey(seq)))
				if err != nil || row.Prev >= seq {
					return 0, fmt.Errorf("entry %d: %w", seq, errors.Join(err, errDamaged))
				}
				seq = row.Prev
			}
			return seq, nil
		})
	}
	return seqs, err
}

// firstSince bisects for the first seq not before the instant; last+1 if none.
// Times in the log never fall, so this is exact.
func (t *tx) firstSince(at time.Time, last uint64) uint64 {
	n := sort.Search(int(last), func(i int) bool {
		e, err := audit.ParseEntry(t.Get(bucketLog, store.SeqKey(uint64(i)+1)))
		return err != nil || !e.Time.Before(at)
	})
	return uint64(n) + 1
}

// Entry returns the entry with this seq. ErrEntryNotFound if the log has none.
func (v *Vault) Entry(ctx context.Context, seq uint64) (Entry, error) {
	return view(v, func(t *tx) (Entry, error) { return t.entry(seq) })
}

// entry copies the line and its detail out of the transaction.
func (t *tx) entry(seq uint64) (Entry, error) {
	line := bytes.Clone(t.Get(bucketLog, store.SeqKey(seq)))
	if line == nil {
		return Entry{}, ErrEntryNotFound
	}
	parsed, err := audit.ParseEntry(line)
	if err != nil {
		return Entry{}, fmt.Errorf("entry %d: %w", seq, err)
	}
	row, err := store.DecodeDetail(t.Get(bucketDetail, store.SeqKey(seq)))
	if err != nil {
		return Entry{}, fmt.Errorf("detail of entry %d: %w", seq, err)
	}
	if parsed.Document != "" && t.partial() {
		if _, err := t.document(parsed.Document); errors.Is(err, ErrDocumentNotFound) {
			row = store.DetailRow{}
		} else if err != nil {
			return Entry{}, err
		}
	}
	return Entry{
		Entry: parsed, Hash: audit.HashLine(line), Line: line,
		Detail: bytes.Clone(row.Detail), Salt: bytes.Clone(row.Salt),
	}, nil
}

// documents' chain heads are in their records; the hash of one entry alone is
// read from its line.
func (t *tx) entryHash(seq uint64) (audit.Hash, error) {
	line := t.Get(bucketLog, store.SeqKey(seq))
	if line == nil {
		return audit.Hash{}, ErrEntryNotFound
	}
	return audit.HashLine(line), nil
}

// encodeDetail spells an entry's detail: a JSON object, its members sorted.
// Empty members are left out by the caller; what is passed is always encodable.
func encodeDetail(members map[string]any) []byte {
	if len(members) == 0 {
		return nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(members); err != nil {
		panic(fmt.Sprintf("engine: a detail that JSON cannot spell: %v", err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// detailMembers drops what is empty, so that a detail says only what there is.
type detailMembers map[string]any

func (m detailMembers) text(name, value string) {
	if value != "" {
		m[name] = value
	}
}

// changed is one member of a detail that tells what was and what is.
type changed struct {
	Old any `json:"old"`
	New any `json:"new"`
}
