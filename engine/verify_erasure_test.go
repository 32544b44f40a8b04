package engine_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"

	"go.etcd.io/bbolt"
)

// Whatever is changed about an erasure behind the engine's back is found.
func TestVerifyFindsTamperedErasures(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx, closed := t.Context(), engine.UserClosed
	gone, held, other := k.Create("gone", "text"), k.Create("held", "text"), k.Create("other", "text")
	place(t, k, held.ID, "M")
	u, _, err := k.CreateUser(ctx, k.Admin, engine.NewUser{Name: "Ulla", Access: engine.AccessView})
	must(t, err)
	_, _, _, err = k.CreateKey(ctx, k.Admin, engine.NewKey{Name: "laptop", UserID: u.ID})
	must(t, err)
	_, _, err = k.UpdateUser(ctx, k.Admin, u.ID, engine.Condition{}, engine.UserPatch{Status: &closed})
	must(t, err)
	e := erase(t, k, gone.ID, held.ID)
	person, _, err := k.RequestErasure(ctx, k.Admin, engine.NewErasure{UserID: u.ID, LegalBasis: "Art. 17", Requester: "case 2"})
	must(t, err)
	sweep(k)
	line := func(op audit.Op, document string) []byte {
		page, err := k.Entries(ctx, engine.EntryQuery{Op: op, Limit: 500})
		must(t, err)
		i := slices.IndexFunc(page.Items, func(e engine.Entry) bool { return e.Document == document })
		return binary.BigEndian.AppendUint64(nil, page.Items[i].Seq)
	}
	created, placed, admin := line(audit.OpDocumentCreated, held.ID), line(audit.OpHoldPlaced, held.ID), line(audit.OpUserCreated, "")
	erased, requested := line(audit.OpDocumentCreated, gone.ID), line(audit.OpErasureRequested, "")
	must(t, k.Close())

	of := engine.KeyOf(e.ID)
	goneKey, heldKey := slices.Concat(of, engine.KeyOf(gone.ID)), slices.Concat(of, engine.KeyOf(held.ID))
	personKey := slices.Concat(engine.KeyOf(person.ID), engine.KeyOf(u.ID))
	record := func(fn func(*engine.Erasure)) func(*bbolt.Tx) error {
		return edit("erasures", of, func(k, b []byte) []byte { return engine.EditErasure(k, b, fn) })
	}
	bare := func(_, row []byte) []byte { return row[:8] }
	const state, missing = engine.CodeState, audit.CodeDetailMissing
	tampers := []tamper{
		{name: "another legal basis", code: state, db: record(func(e *engine.Erasure) { e.LegalBasis = "none" })},
		{name: "another requester", code: state, db: record(func(e *engine.Erasure) { e.Requester = "nobody" })},
		{name: "asked for by another", code: state, db: record(func(e *engine.Erasure) { e.RequestedBy = u.ID })},
		{name: "of a user", code: state, db: record(func(e *engine.Erasure) { e.UserID = u.ID })},
		{name: "a document more", code: state, db: record(func(e *engine.Erasure) { e.Total++ })},
		{name: "one more completed", code: state, db: record(func(e *engine.Erasure) { e.Completed, e.Deferred = 2, 0 })},
		{name: "none deferred", code: state, db: record(func(e *engine.Erasure) { e.Deferred = 0 })},
		{name: "no erasure", code: state, db: drop("erasures", of)},
		{name: "an erasure that cannot be read", code: state, db: put("erasures", of, []byte{9})},
		{name: "an erasure nobody asked for", code: state, db: func(b *bbolt.Tx) error {
			rows := b.Bucket([]byte("erasures"))
			return rows.Put(engine.KeyOf(engine.NewID()), bytes.Clone(rows.Get(of)))
		}},
		{name: "nothing left", code: state, db: drop("erasing", heldKey)},
		{name: "not deferred", code: state, db: put("erasing", heldKey, []byte{1, 0, 0})},
		{name: "something left of what is done", code: state, db: put("erasing", goneKey, []byte{1, 0, 0})},
		{name: "another document is to be erased", code: state, db: func(b *bbolt.Tx) error {
			return errors.Join(drop("erasing", heldKey)(b), put("erasing", slices.Concat(of, engine.KeyOf(other.ID)), []byte{1, 0, 0})(b))
		}},
		{name: "it goes on elsewhere", code: state, db: edit("erasing", heldKey, func(_, b []byte) []byte { b[len(b)-1] = 1; return b })},
		{name: "of no erasure", code: state, db: put("erasing", append(engine.KeyOf(engine.NewID()), heldKey[16:]...), []byte{1, 0, 0})},
		{name: "not erased", code: state, db: drop("erased", goneKey)},
		{name: "erased by another entry", code: state, db: put("erased", goneKey, created)},
		{name: "a user erased by another entry", code: state, db: put("erased", personKey, created)},
		{name: "erased, and is there", code: state, db: put("erased", heldKey, created)},
		{name: "the user's name", code: state, db: edit("users", engine.KeyOf(u.ID), func(_, b []byte) []byte { return bytes.Replace(b, []byte("erased"), []byte("known!"), 1) })},
		{name: "a detail of who is not erased", code: missing, db: edit("detail", admin, bare)},
		{name: "a detail of a document that is only deferred", code: missing, db: drop("detail", created)},
		{name: "the detail of a hold", code: missing, db: edit("detail", placed, bare)},
		{name: "why it was asked for", code: missing, db: drop("detail", requested)},
		{name: "a detail is back", code: audit.CodeDetailMismatch, db: put("detail", erased, make([]byte, 32))},
	}
	path := filepath.Join(k.Dir, "rows.db")
	good := readFile(t, path)
	for _, c := range tampers {
		spoil(t, k.Dir, c.db)
		if found := findings(k.Dir, engine.VerifyOptions{}); !slices.ContainsFunc(found, func(f audit.Finding) bool { return f.Code == c.code }) {
			t.Errorf("%s: want a finding %q, got %v", c.name, c.code, found)
		}
		must(t, os.WriteFile(path, good, 0o600))
	}
}
