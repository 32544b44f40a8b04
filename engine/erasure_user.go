package engine

import (
	"bytes"
	"context"
	"fmt"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// What stands for the names of an erased user and of their keys.
const (
	erasedUserName = "erased user"
	erasedKeyName  = "erased key"
)

// eraseUser replaces what names a user who is closed, in their record and in
// those of their keys, and erases the details of the entries whose fact user they
// are, in as many mutations as it takes.
func (v *Vault) eraseUser(ctx context.Context, due dueErasure) error {
	v.unwiped.Store(true) // before it is so, for a Close in between
	for more := true; more; {
		var receipt Receipt
		through, closed, err := v.erasedThrough(due)
		if err != nil || !closed {
			return err
		}
		found, through, err := v.findUserDetails(ctx, due.subject, through)
		if err == nil {
			more, receipt, err = update(v, ctx, System(), func(t *tx) (bool, audit.Event, error) {
				return t.eraseUser(due, found, through)
			})
		}
		if err != nil {
			return fmt.Errorf("erasure %s of user %s: %w", due.of, due.subject, err)
		}
		v.erasedTo(receipt.Seq)
	}
	return nil
}

// findUserDetails reads on in the log, since users' entries are not chained,
// until it has found enough for one mutation.
func (v *Vault) findUserDetails(ctx context.Context, user id, after uint64) (found []uint64, through uint64, err error) {
	through = after
	for head := v.Head().Seq; through < head && len(found) < eraseEntries; {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		through, err = view(v, func(t *tx) (last uint64, err error) {
			some, last, err := t.userDetails(user, through, userEntries)
			found = append(found, some...)
			return last, err
		})
		if err != nil {
			return nil, 0, err
		}
	}
	return found, through, nil
}

// userEntries is how many entries one transaction looks at for those of a user.
const userEntries = 2_000

// erasedThrough says up to which entry a user's details are erased, and whether
// the user is closed: one who was made active again is left alone.
func (v *Vault) erasedThrough(due dueErasure) (through uint64, closed bool, err error) {
	_, err = view(v, func(t *tx) (struct{}, error) {
		_, left, err := t.erasing(due.of, due.subject)
		if err != nil || left == nil {
			return struct{}{}, err
		}
		u, err := t.user(due.subject.String())
		through, closed = left.next, u.Status == UserClosed
		return struct{}{}, err
	})
	return through, closed, err
}

// userDetails looks at so many entries after one, and returns those with a
// detail that the erasure of a user erases, and the last it looked at.
func (t *tx) userDetails(user id, after uint64, most int) (found []uint64, last uint64, err error) {
	name, last := []byte(user.String()), after
	c := t.Cursor(bucketLog)
	for k, line := c.Seek(store.SeqKey(after + 1)); k != nil && most > 0; k, line = c.Next() {
		last, most = store.SeqOf(k), most-1
		if !bytes.Contains(line, name) {
			continue
		}
		e, err := audit.ParseEntry(line)
		if err != nil {
			return nil, 0, fmt.Errorf("entry %d: %w", last, err)
		}
		if is, _ := e.Facts["user"].AsText(); is == user.String() && !e.Detail.IsZero() && !e.Op.Kept() {
			found = append(found, e.Seq)
		}
	}
	return found, last, nil
}

func (t *tx) eraseUser(due dueErasure, found []uint64, through uint64) (more bool, event audit.Event, err error) {
	e, left, err := t.erasing(due.of, due.subject)
	if err != nil || left == nil {
		return false, audit.Event{}, err
	}
	old, err := t.user(due.subject.String())
	if err != nil || old.Status != UserClosed {
		return false, audit.Event{}, err
	}
	keys, err := t.keysOf(old.ID)
	if err != nil {
		return false, audit.Event{}, err
	}
	since, last, err := t.userDetails(due.subject, through, userEntries)
	if err != nil {
		return false, audit.Event{}, err
	}
	for _, seq := range append(found, since...) {
		if _, err := t.eraseDetail(seq); err != nil {
			return false, audit.Event{}, err
		}
	}
	u := old
	u.Name, u.Email, u.Identity = erasedUserName, "", Identity{}
	u.UpdatedAt, u.Revision = t.Now(), old.Revision+1
	t.storeUser(old, u)
	for _, k := range keys {
		k.Name = erasedKeyName
		at, _ := store.ParseID(k.ID)
		t.Put(bucketKeys, at[:], k.encode())
	}
	left.next = last
	more = last < t.Head().Seq
	t.progress(e, left, due.subject, !more)
	facts := audit.Facts{"erasure": audit.Text(e.ID), "user": audit.Text(u.ID)}
	if more {
		facts["resume"] = audit.Number(last)
	}
	return more, audit.Event{Op: audit.OpErasureCompleted, Facts: facts}, nil
}

func (t *tx) keysOf(userID string) (keys []*key, err error) {
	c := t.Cursor(bucketKeys)
	for k, b := c.First(); k != nil; k, b = c.Next() {
		one, err := decodeKey(id(k), b)
		if err != nil {
			return nil, err
		}
		if one.UserID == userID {
			keys = append(keys, one)
		}
	}
	return keys, nil
}
