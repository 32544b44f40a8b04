package webhook_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"strongroom/engine"
)

// What was told is not told again after a restart in good order, and what was not
// told is.
func TestRestarting(t *testing.T) {
	inBubble(t, func(k *kit) {
		r := k.receive(here, nil)
		k.start()
		w := k.hook(r, "document.*")
		var seqs []uint64
		for i := range 5 {
			seqs = append(seqs, k.make(fmt.Sprint(i), "and another")...)
			time.Sleep(time.Second)
			k.halt()
			seqs = append(seqs, k.make("while it is away")...)
			k.start()
		}
		time.Sleep(time.Second)
		if !slices.Equal(r.seqs(), seqs) {
			t.Errorf("told %d, want %d", r.seqs(), seqs)
		}
		for i, d := range k.deliveries(w) {
			if d.N != uint64(i)+1 || d.Seq != seqs[i] || d.Attempt != 1 || d.Status != "delivered" || d.HTTPStatus != 200 {
				t.Errorf("delivery %d is %+v", i, d)
			}
		}
	})
}

// Failures and what is set aside outlive a restart; the time in which nothing was
// tried is no failure.
func TestRestartingWhileItFails(t *testing.T) {
	inBubble(t, func(k *kit) {
		r := k.receive(here, status(500))
		k.start()
		w := k.hook(r, "document.*")
		began := time.Now()
		k.make("one")
		time.Sleep(time.Hour)
		k.halt()
		k.start()
		time.Sleep(7 * time.Hour)
		if got := since(began, r.messages()); got != "0s 5s 5m5s 35m5s 2h35m5s 7h35m5s" {
			t.Errorf("tried after %s", got)
		}
		k.halt()
		time.Sleep(30 * 24 * time.Hour)
		k.start()
		time.Sleep(24 * time.Hour)
		if is := k.webhook(w); !is.Active {
			t.Errorf("it is disabled for the time in which nobody tried: %+v", is)
		}
		time.Sleep(5 * 24 * time.Hour)
		if is := k.webhook(w); is.DisabledReason != "failing" {
			t.Errorf("%+v", is)
		}
	})
}

// lost loses the file in some way while nothing is delivered, with an event that
// nobody was told.
func lost(t *testing.T, lose func(k *kit, path string)) {
	t.Helper()
	inBubble(t, func(k *kit) {
		r := k.receive(here, nil)
		k.start()
		w := k.hook(r, "document.*")
		seqs := k.make("told")
		time.Sleep(time.Second)
		k.halt()
		k.make("not told")
		lose(k, filepath.Join(k.Dir, "webhooks.db"))
		head := k.Head().Seq
		k.start()
		seqs = append(seqs, k.make("told again")...)
		time.Sleep(time.Second)
		if !slices.Equal(r.seqs(), seqs) {
			t.Errorf("told %d, want %d", r.seqs(), seqs)
		}
		named := func(report string) bool {
			return strings.Contains(report, w.ID) && strings.Contains(report, fmt.Sprintf("after entry %d,", head))
		}
		if !slices.ContainsFunc(k.reports, named) {
			t.Errorf("the webhook is not named: %q", k.reports)
		}
		list := k.deliveries(w)
		if len(list) != 2 || list[0].Status != "skipped" || list[0].Seq != head || list[0].Error == "" || list[1].Seq != seqs[1] {
			t.Errorf("the list says %+v", list)
		}
		if _, err := k.d.Redeliver(k.t.Context(), w.ID, list[0].N); err != engine.ErrDeliveryNotFound {
			t.Errorf("what was not delivered is delivered again: %v", err)
		}
	})
}

func TestLosingTheFile(t *testing.T) {
	lost(t, func(k *kit, path string) { k.must(os.Remove(path)) })
	for name, damage := range map[string]func(b []byte) []byte{
		// Besides the two meta pages it needs two at least, so one of them is gone. In half
		// of the file they may all lie, and then nothing is lost.
		"cut":     func(b []byte) []byte { return b[:3*os.Getpagesize()] },
		"empty":   func(b []byte) []byte { return b[:100] },
		"garbage": func(b []byte) []byte { return []byte(strings.Repeat("garbage", 10_000)) },
		"pages": func(b []byte) []byte {
			for i := 2 * 4096; i < len(b); i++ {
				b[i] ^= 0x55
			}
			return b
		},
	} {
		lost(t, func(k *kit, path string) {
			b, err := os.ReadFile(path)
			k.must(err)
			k.must(os.WriteFile(path, damage(b), 0o600))
			t.Cleanup(func() {
				if len(k.reports) != 2 || !strings.Contains(k.reports[0], "is lost") || !strings.Contains(k.reports[1], "goes on after entry") {
					t.Errorf("%s: reported %q", name, k.reports)
				}
			})
		})
	}
}

// The file of another vault, or of one that went on otherwise, is none.
func TestTheFileOfAnotherLog(t *testing.T) {
	lost(t, func(k *kit, path string) {
		other := newKit(k.t)
		other.make(numbers(20)...)
		other.start()
		other.halt()
		b, err := os.ReadFile(filepath.Join(other.Dir, "webhooks.db"))
		k.must(err)
		k.must(os.WriteFile(path, b, 0o600))
	})
}

func TestTheListIsBounded(t *testing.T) {
	inBubble(t, func(k *kit) {
		fails := false
		r := k.receive(here, nil)
		r.answer = func(w http.ResponseWriter, _ message) {
			if fails = !fails; fails {
				w.Header().Set("Retry-After", "5")
				w.WriteHeader(503)
			}
		}
		k.start()
		w := k.hook(r, "document.*")
		k.make(numbers(600)...)
		time.Sleep(24 * time.Hour)
		var all []engine.Delivery
		q := engine.DeliveryQuery{Paging: engine.Paging{Limit: 333}}
		for {
			page, err := k.d.Deliveries(k.t.Context(), w.ID, q)
			k.must(err)
			all = append(all, page.Items...)
			if q.Cursor = page.NextCursor; q.Cursor == "" {
				break
			}
		}
		if len(all) != 1_000 || all[0].N != 1_200 || all[999].N != 201 {
			t.Fatalf("%d are kept, from %d to %d", len(all), all[0].N, all[len(all)-1].N)
		}
		for i, d := range all {
			if want := []engine.DeliveryStatus{"delivered", "failed"}[i%2]; d.Status != want || d.N != uint64(1_200-i) {
				t.Fatalf("%d is %+v", i, d)
			}
		}
		page, err := k.d.Deliveries(k.t.Context(), w.ID, engine.DeliveryQuery{Status: "failed"})
		k.must(err)
		if len(page.Items) != 50 || page.Items[49].Status != "failed" || page.NextCursor == "" {
			t.Errorf("%d failures, %q", len(page.Items), page.NextCursor)
		}
		for _, bad := range []engine.Paging{{Cursor: "x"}, {Cursor: "-1"}, {Limit: 501}, {Limit: -1}} {
			if _, err := k.d.Deliveries(k.t.Context(), w.ID, engine.DeliveryQuery{Paging: bad}); !errors.Is(err, engine.ErrInvalid) {
				t.Errorf("%+v: %v", bad, err)
			}
		}

		// With the webhook its list goes.
		_, _, err = k.DeleteWebhook(k.t.Context(), k.Admin, w.ID, engine.Condition{})
		k.must(err)
		time.Sleep(time.Second)
		if _, err := k.d.Deliveries(k.t.Context(), w.ID, q); !errors.Is(err, engine.ErrWebhookNotFound) {
			t.Errorf("deleted: %v", err)
		}
		k.halt()
		if rows := k.rows(); len(rows) != 1 {
			t.Errorf("%d rows are left: %v", len(rows), rows)
		}
	})
}

// The rows of a webhook that was deleted while nothing was delivered go at the
// next start.
func TestDeletingWhileItIsAway(t *testing.T) {
	inBubble(t, func(k *kit) {
		r := k.receive(here, nil)
		k.start()
		w := k.hook(r, "document.*")
		k.make("one")
		time.Sleep(time.Second)
		k.halt()
		_, _, err := k.DeleteWebhook(k.t.Context(), k.Admin, w.ID, engine.Condition{})
		k.must(err)
		k.start()
		k.halt()
		if rows := k.rows(); len(rows) != 1 {
			t.Errorf("%d rows are left: %v", len(rows), rows)
		}
	})
}

// rows are the keys of webhooks.db.
func (k *kit) rows() (keys []string) {
	k.t.Helper()
	db, err := bbolt.Open(filepath.Join(k.Dir, "webhooks.db"), 0o600, &bbolt.Options{ReadOnly: true})
	k.must(err)
	defer db.Close()
	k.must(db.View(func(b *bbolt.Tx) error {
		return b.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
			return bucket.ForEach(func(key, _ []byte) error {
				keys = append(keys, string(name)+" "+string(key))
				return nil
			})
		})
	}))
	return keys
}
