package webhook

import (
	"path/filepath"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// What cannot be written down is kept, a list's worth of it, and written when it
// can be.
func TestWhatCannotBeWrittenDownIsKept(t *testing.T) {
	k := enginetest.New(t)
	d, err := Open(k.Vault, k.Dir, Options{})
	must(t, err)
	w, _, _, err := k.CreateWebhook(t.Context(), k.Admin, engine.NewWebhook{URL: "https://example.com/"})
	must(t, err)
	e, err := d.endpoint(t.Context(), w.ID)
	must(t, err)
	must(t, d.state.close())
	note := func(n int) {
		e.mu.Lock()
		defer e.mu.Unlock()
		for range n {
			e.note(engine.Delivery{Seq: 7, Status: engine.DeliveryDone})
		}
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
	again, err := openDB(filepath.Join(k.Dir, file))
	must(t, err)
	d.state.db = again.db
	page, err := d.Deliveries(t.Context(), w.ID, engine.DeliveryQuery{Paging: engine.Paging{Limit: 500}})
	must(t, err)
	if len(page.Items) != 500 || page.Items[0].N != 2_100 || page.NextCursor != "1601" {
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
