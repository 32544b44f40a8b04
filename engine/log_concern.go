package engine

import (
	"errors"
	"slices"

	"strongroom/audit"
)

// concern finds which entries concern a document beyond those that name it: the
// request of the erasure it is of, the run of retention that archived or deleted it,
// and the approval where two persons were needed. It is for one goroutine; the zero
// concern is ready.
type concern struct {
	deed grantedDeed // the last that was looked for
}

// grantedDeed is a stretch of entries of one call, and the entries of its approval:
// none if it needed none.
type grantedDeed struct {
	first, last uint64
	approval    []uint64
}

// behind returns the entries, by their numbers, that belong to an entry and need not
// name its document. A restored vault may have no row of what its log tells; then the
// entry stands alone.
func (c *concern) behind(t *tx, e *audit.Entry) ([]uint64, error) {
	seqs, err := c.approval(t, e)
	if err != nil || e.Document == "" {
		return seqs, err
	}
	if runID, is := e.Facts["run"].AsText(); is {
		switch r, err := t.run(runID); {
		case err == nil && r.ended != 0:
			seqs = append(seqs, r.began, r.ended)
		case err == nil:
			seqs = append(seqs, r.began)
		case !errors.Is(err, ErrRunNotFound):
			return nil, err
		}
	}
	if erasureID, is := e.Facts["erasure"].AsText(); is {
		request, err := c.request(t, erasureID)
		if err != nil {
			return nil, err
		}
		seqs = append(seqs, request...)
	}
	return seqs, nil
}

// waiting returns the requests to erase a document that no entry about it tells of
// yet: nothing has been done.
func (c *concern) waiting(t *tx, doc id) (seqs []uint64, err error) {
	rows := t.Cursor(bucketErasing)
	for k, _ := rows.First(); k != nil; {
		of := id(k)
		if t.Get(bucketErasing, erasureKey(of, doc)) != nil {
			request, err := c.request(t, of.String())
			if err != nil {
				return nil, err
			}
			seqs = append(seqs, request...)
		}
		next, more := of.Beside(false)
		if !more {
			break
		}
		k, _ = rows.Seek(next[:]) // the next erasure
	}
	return seqs, nil
}

// request returns the entry that asked for an erasure, with its approval.
func (c *concern) request(t *tx, erasureID string) ([]uint64, error) {
	made, err := t.erasure(erasureID)
	if errors.Is(err, ErrErasureNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e, err := t.entry(made.seq)
	if err != nil {
		return nil, err
	}
	approval, err := c.approval(t, &e.Entry)
	return append(approval[:len(approval):len(approval)], made.seq), err
}

// decidedOps are the operations of calls that two persons may be needed for, as far
// as documents are concerned.
var decidedOps = []audit.Op{
	audit.OpHoldReleased, audit.OpDocumentDeleted, audit.OpErasureRequested, audit.OpLockBroken, audit.OpMatterExported,
}

// approval returns the request and the grant of an approval that an entry's call was
// made by. The grant is the entry behind the last of the call, in one transaction
// with it; a call that releases many holds has as many entries.
func (c *concern) approval(t *tx, e *audit.Entry) ([]uint64, error) {
	if !slices.Contains(decidedOps, e.Op) {
		return nil, nil
	}
	found := grantedDeed{first: e.Seq, last: e.Seq}
	for seq := e.Seq; seq <= t.Last(); seq++ {
		next, err := t.entry(seq)
		if err != nil {
			return nil, err
		}
		if !next.Time.Equal(e.Time) {
			break
		}
		if next.Op == audit.OpApprovalGranted {
			if found.approval, err = t.grantOf(&next.Entry, e); err != nil {
				return nil, err
			}
			break
		}
		if next.Op != e.Op || next.Actor != e.Actor {
			break
		}
		if c.deed.first <= seq && seq <= c.deed.last { // seen from another of its entries
			found.last, found.approval = c.deed.last, c.deed.approval
			break
		}
		found.last = seq
	}
	c.deed = found
	return found.approval, nil
}

// grantOf returns the entries of the approval that was granted, if it was asked for
// by whom the deed is of.
func (t *tx) grantOf(granted, deed *audit.Entry) ([]uint64, error) {
	approvalID, _ := granted.Facts["approval"].AsText()
	a, err := t.approval(approvalID)
	if errors.Is(err, ErrApprovalNotFound) || err == nil && a.RequestedBy != deed.Actor {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for seq := t.firstSince(a.RequestedAt, granted.Seq); seq < granted.Seq; seq++ {
		e, err := t.entry(seq)
		if err != nil || e.Time.After(a.RequestedAt) {
			return []uint64{granted.Seq}, err
		}
		if id, _ := e.Facts["approval"].AsText(); e.Op == audit.OpApprovalRequested && id == a.ID {
			return []uint64{seq, granted.Seq}, nil
		}
	}
	return []uint64{granted.Seq}, nil
}
