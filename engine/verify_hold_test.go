package engine_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"

	"go.etcd.io/bbolt"
)

// The holds of a vault with something of everything: two matters, a hold that
// has none, and one of a document that was deleted since.
type heldEvidence struct{ stands, unnamed, over, gone engine.Hold }

func newHeldEvidence(t *testing.T, k *enginetest.Kit, live, gone string) (e heldEvidence) {
	e.stands, e.unnamed, e.over, e.gone = place(t, k, live, "Acme"), place(t, k, live, ""), place(t, k, live, "Bolt"), place(t, k, gone, "Acme")
	e.over, e.gone = release(t, k, e.over.ID), release(t, k, e.gone.ID)
	return e
}

// holds tampers with each member of a record, with what is counted of them, and
// with each index row.
func (e *evidence) holdTampers(t *testing.T) (list []tamper) {
	const state, index = engine.CodeState, engine.CodeIndex
	stands, over, gone := engine.KeyOf(e.held.stands.ID), engine.KeyOf(e.held.over.ID), engine.KeyOf(e.held.gone.ID)
	hold := func(key []byte, fn func(*engine.Hold)) func(*bbolt.Tx) error {
		return edit("holds", key, func(k, b []byte) []byte { return engine.EditHold(k, b, fn) })
	}
	matter := func(fn func(*engine.Matter, *uint64)) func(*bbolt.Tx) error {
		return edit("matters", []byte("Acme"), func(k, b []byte) []byte { return engine.EditMatter(k, b, fn) })
	}
	borne := func(matter string, active int) func(*bbolt.Tx) error {
		return edit("documents", engine.KeyOf(e.live.ID), func(k, b []byte) []byte { return engine.EditBorne(k, b, matter, active) })
	}
	list = []tamper{
		{name: "a hold that is not counted", code: state, db: borne("Acme", 0)},
		{name: "a hold too many counted", code: state, db: borne("", 2)},
		{name: "a matter forgotten by its document", code: state, db: borne("Bolt", -1)},
		{name: "another reason", code: state, db: hold(stands, func(h *engine.Hold) { h.Reason = "none" })},
		{name: "another matter", code: state, db: hold(stands, func(h *engine.Hold) { h.Matter = "Bolt" })},
		{name: "placed at another time", code: state, db: hold(stands, func(h *engine.Hold) { h.PlacedAt = h.PlacedAt.Add(time.Hour) })},
		{name: "placed by another", code: state, db: hold(gone, func(h *engine.Hold) { h.PlacedBy = e.user.ID })},
		{name: "released, and nobody did", code: state, db: hold(stands, func(h *engine.Hold) { h.ReleasedAt = h.PlacedAt })},
		{name: "not released any more", code: state, db: hold(gone, func(h *engine.Hold) { h.ReleasedAt = time.Time{} })},
		{name: "released at another time", code: state, db: hold(over, func(h *engine.Hold) { h.ReleasedAt = h.ReleasedAt.Add(time.Hour) })},
		{name: "released by another", code: state, db: hold(over, func(h *engine.Hold) { h.ReleasedBy = e.user.ID })},
		{name: "released for another reason", code: state, db: hold(over, func(h *engine.Hold) { h.ReleaseReason = "" })},
		{name: "of another document", code: state, db: hold(stands, func(h *engine.Hold) { h.DocumentID = e.archived.ID })},
		{name: "of no document", code: state, db: hold(stands, func(h *engine.Hold) { h.DocumentID = engine.NewID() })},
		{name: "no hold", code: state, db: drop("holds", stands)},
		{name: "no hold of a deleted document", code: state, db: drop("holds", gone)},
		{name: "a hold nobody placed", code: index, db: func(b *bbolt.Tx) error {
			rows := b.Bucket([]byte("holds"))
			return rows.Put(engine.KeyOf(engine.NewID()), bytes.Clone(rows.Get(stands)))
		}},
		{name: "a hold nobody placed, with its row", code: state, db: func(b *bbolt.Tx) error {
			rows, key := b.Bucket([]byte("holds")), engine.KeyOf(engine.NewID())
			if err := rows.Put(key, bytes.Clone(rows.Get(stands))); err != nil {
				return err
			}
			return put("holdrows", append([]byte("d"), append(append(engine.KeyOf(e.live.ID), 'a'), key...)...), nil)(b)
		}},
		{name: "a hold that cannot be read", code: state, db: put("holds", stands, []byte{9})},
		{name: "a hold with a short key", code: state, db: put("holds", stands[:3], []byte{9})},
		{name: "the reason in the log", code: audit.CodeDetailMissing, db: edit("detail", e.line(audit.OpHoldReleased), func(_, row []byte) []byte { return row[:8] })},

		{name: "an active hold less of a matter", code: state, db: matter(func(m *engine.Matter, _ *uint64) { m.Active-- })},
		{name: "a released hold more of a matter", code: state, db: matter(func(m *engine.Matter, _ *uint64) { m.Released++ })},
		{name: "a document less of a matter", code: state, db: matter(func(m *engine.Matter, _ *uint64) { m.Documents-- })},
		{name: "the beginning of a matter", code: state, db: matter(func(m *engine.Matter, _ *uint64) { m.FirstPlacedAt = m.FirstPlacedAt.Add(-time.Hour) })},
		{name: "the end of a matter", code: state, db: matter(func(m *engine.Matter, _ *uint64) { m.LastReleasedAt = m.LastReleasedAt.Add(time.Hour) })},
		{name: "the last entry of a matter", code: state, db: matter(func(_ *engine.Matter, seq *uint64) { *seq-- })},
		{name: "an entry of a matter that never was", code: state, db: matter(func(_ *engine.Matter, seq *uint64) { *seq = 1 << 40 })},
		{name: "no matter", code: state, db: drop("matters", []byte("Bolt"))},
		{name: "a matter too many", code: state, db: func(b *bbolt.Tx) error {
			rows := b.Bucket([]byte("matters"))
			return rows.Put([]byte("Acme II"), bytes.Clone(rows.Get([]byte("Acme"))))
		}},
		{name: "a matter that cannot be read", code: state, db: put("matters", []byte("Bolt"), []byte{9})},
		{name: "a short row of holds", code: index, db: put("holdrows", []byte("ar"), nil)},
	}
	return append(list, e.holdRows(t)...)
}

func (e *evidence) holdRows(t *testing.T) (list []tamper) {
	db, err := bbolt.Open(filepath.Join(e.dir, "rows.db"), 0o600, &bbolt.Options{ReadOnly: true})
	must(t, err)
	defer db.Close()
	kinds := map[byte]bool{}
	must(t, db.View(func(b *bbolt.Tx) error {
		return b.Bucket([]byte("holdrows")).ForEach(func(k, _ []byte) error {
			kinds[k[0]] = true
			row := bytes.Clone(k)
			list = append(list, tamper{name: fmt.Sprintf("no row of holds %q", row), code: engine.CodeIndex, db: drop("holdrows", row)},
				tamper{name: fmt.Sprintf("a row of holds with a value %q", row), code: engine.CodeIndex, db: put("holdrows", row, []byte("x"))})
			other := append(bytes.Clone(row[:len(row)-16]), engine.KeyOf(engine.NewID())...)
			list = append(list, tamper{name: fmt.Sprintf("a row of holds %q", other), code: engine.CodeIndex, db: put("holdrows", other, nil)})
			return nil
		})
	}))
	if len(kinds) != 3 {
		t.Errorf("there are rows of the kinds %v", kinds)
	}
	return list
}
