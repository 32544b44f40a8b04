package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// pastErasures is what a log says of erasures, in its order. It is how those
// after a backup are repeated in the vault restored from it.
type pastErasures []pastErasure

// pastErasure is one that a log names.
type pastErasure struct {
	id, user  string
	documents []string
}

// entry takes an erasure.completed into account. A document may have several in a
// row.
func (p *pastErasures) entry(e audit.Entry) {
	erasureID, _ := e.Facts["erasure"].AsText()
	at := slices.IndexFunc(*p, func(one pastErasure) bool { return one.id == erasureID })
	if at < 0 {
		at = len(*p)
		*p = append(*p, pastErasure{id: erasureID})
	}
	one := &(*p)[at]
	if e.Document == "" {
		one.user, _ = e.Facts["user"].AsText()
	} else if n := len(one.documents); n == 0 || one.documents[n-1] != e.Document {
		one.documents = append(one.documents, e.Document)
	}
}

// erased returns the documents and users that were erased.
func (p pastErasures) erased() (ids []string) {
	for _, one := range p {
		ids = append(ids, one.documents...)
		if one.user != "" {
			ids = append(ids, one.user)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// repeatErasures erases again what a log says was erased after a backup, in the
// vault restored from it. That the backup has the documents under a hold, or
// protected, is no reason not to: the log says that this had ended. What was
// only deferred is not repeated: the hold it waited for may be lost with what else
// came after the backup. A document that came after it is not there, and passed
// over.
//
// Erased rows stay on free pages: Sweep overwrites them, or Compact leaves them
// behind.
func (v *Vault) repeatErasures(ctx context.Context, past pastErasures) error {
	for _, one := range past {
		of, ok := store.ParseID(one.id)
		if !ok {
			return invalid("log", "names an erasure %q", one.id)
		}
		if err := v.repeatErasure(ctx, of, one); err != nil {
			return fmt.Errorf("repeat erasure %s: %w", one.id, err)
		}
	}
	return nil
}

func (v *Vault) repeatErasure(ctx context.Context, of id, one pastErasure) error {
	_, _, err := update(v, ctx, Operator(), func(t *tx) (struct{}, audit.Event, error) {
		event, err := t.renewErasure(of, one)
		return struct{}{}, event, err
	})
	if err != nil {
		return err
	}
	for _, documentID := range one.documents {
		if err := v.repeatErased(ctx, of, documentID); err != nil {
			return fmt.Errorf("document %s: %w", documentID, err)
		}
	}
	if user, ok := store.ParseID(one.user); ok {
		return v.repeatErasedUser(ctx, of, user)
	}
	return nil
}

// repeatErasedUser closes a user, as they were when they were erased, and erases
// them. The last admin cannot be closed: Sweep erases them when somebody else is
// one and has done so.
func (v *Vault) repeatErasedUser(ctx context.Context, of, user id) error {
	closed := UserClosed
	_, _, err := v.UpdateUser(ctx, Operator(), user.String(), nil, UserPatch{Status: &closed})
	if errors.Is(err, ErrUserNotFound) || errors.Is(err, ErrLastAdmin) {
		return nil
	}
	if err != nil {
		return err
	}
	return v.eraseUser(ctx, dueErasure{of: of, subject: user})
}

// renewErasure notes an erasure that was asked for after the backup. Nothing is
// known of why and for whom.
func (t *tx) renewErasure(of id, one pastErasure) (audit.Event, error) {
	if _, err := t.erasure(of.String()); !errors.Is(err, ErrErasureNotFound) {
		return audit.Event{}, err
	}
	e, bucket, names := &erasure{id: of}, bucketDocuments, one.documents
	if one.user != "" {
		bucket, names = bucketUsers, []string{one.user}
	}
	var subjects []id
	for _, name := range names {
		if key, ok := store.ParseID(name); ok && t.Get(bucket, key[:]) != nil {
			subjects = append(subjects, key)
		}
	}
	if len(subjects) == 0 {
		return audit.Event{}, nil
	}
	e.UserID = one.user
	return t.addErasure(e, subjects), nil
}

// repeatErased ends the holds that a document still bears, and erases it.
func (v *Vault) repeatErased(ctx context.Context, of id, documentID string) error {
	doc, ok := store.ParseID(documentID)
	if !ok {
		return errDamaged
	}
	active, err := view(v, func(t *tx) (active []string, err error) {
		for _, key := range t.holdsOf(doc) {
			h, err := t.hold(key.String())
			if err != nil {
				return nil, err
			}
			if h.Status == HoldActive {
				active = append(active, h.ID)
			}
		}
		return active, nil
	})
	if err != nil {
		return err
	}
	for _, holdID := range active {
		if _, _, err := v.ReleaseHold(ctx, Operator(), holdID, nil, "the log tells of its release, after the backup"); err != nil {
			return err
		}
	}
	left, err := view(v, func(t *tx) (*erasing, error) {
		_, left, err := t.erasing(of, doc)
		return left, err
	})
	if err != nil || left == nil { // it came after the backup, or was erased before
		return err
	}
	return v.eraseDocuments(ctx, []dueErasure{{of: of, subject: doc, again: true}})
}
