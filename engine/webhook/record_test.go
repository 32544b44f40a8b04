package webhook

import (
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// What cannot be written down, because the disk is full, is kept and listed, a
// list's worth of it, and written when it can be.
func TestWhatCannotBeWrittenDownIsKept(t *testing.T) {
	k := enginetest.New(t)
	d, err := Open(k.Vault, k.Dir, Options{})
	must(t, err)
	w, _, _, err := k.CreateWebhook(t.Context(), k.Admin, engine.NewWebhook{URL: "https://example.com/"})
	must(t, err)
	e, err := d.endpoint(t.Context(), w.ID)
	must(t, err)
	note := func(n int) {
		e.mu.Lock()
		defer e.mu.Unlock()
		for range n {
			e.note(engine.Delivery{Seq: 7, Status: engine.DeliveryDone})
		}
	}
	note(3)
	must(t, d.flush(false))
	must(t, d.state.close())
	d.state.db, err = bbolt.Open(filepath.Join(k.Dir, file), 0o600, &bbolt.Options{ReadOnly: true})
	must(t, err)
	note(7)
	page, err := d.Deliveries(t.Context(), w.ID, engine.DeliveryQuery{Paging: engine.Paging{Limit: 8}})
	must(t, err)
	if len(page.Items) != 8 || page.Items[0].N != 10 || page.Items[7].N != 3 || page.NextCursor != "3" {
		t.Errorf("while nothing can be written: %+v", page)
	}
	for range 3 {
		note(700)
		if err := d.flush(false); err == nil {
			t.Fatal("it was written down")
		}
		if len(e.fresh) > keptDeliveries {
			t.Errorf("%d are kept in memory", len(e.fresh))
		}
	}
	must(t, d.state.close())
	again, err := openDB(filepath.Join(k.Dir, file))
	must(t, err)
	d.state.db = again.db
	must(t, d.flush(false))
	page, err = d.Deliveries(t.Context(), w.ID, engine.DeliveryQuery{Paging: engine.Paging{Limit: 500}})
	must(t, err)
	if len(page.Items) != 500 || page.Items[0].N != 2_110 || page.NextCursor != "1611" {
		t.Errorf("%d, from %d on, then %q", len(page.Items), page.Items[0].N, page.NextCursor)
	}
	must(t, d.Close())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
