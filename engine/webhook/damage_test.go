package webhook_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/webhook"
)

// flipPage damages a page of the file where it lies, or with leaf only if it has
// rows; false if there is no such page.
func (k *kit) flipPage(n int, leaf bool) bool {
	k.t.Helper()
	f, err := os.OpenFile(filepath.Join(k.Dir, "webhooks.db"), os.O_RDWR, 0)
	k.must(err)
	defer f.Close()
	b := make([]byte, os.Getpagesize())
	at := int64(n * len(b))
	if _, err := f.ReadAt(b, at); err != nil {
		return false
	}
	if leaf && b[8] != 2 { // bbolt's flags of a page
		return true
	}
	for i := range b {
		b[i] ^= 0x55
	}
	_, err = f.WriteAt(b, at)
	k.must(err)
	return true
}

// Whichever page of the file is damaged, what happens next is told, and the list
// can be asked for.
func TestDamagedPages(t *testing.T) {
	inBubble(t, func(k *kit) {
		r := k.receive(here, nil)
		k.start()
		w := k.hook(r, "document.*")
		for page := 2; ; page++ {
			k.make(numbers(30)...)
			time.Sleep(time.Minute)
			k.halt()
			if !k.flipPage(page, false) {
				break
			}
			k.start()
			r.forget()
			seqs := k.make("after")
			time.Sleep(time.Minute)
			if got := r.seqs(); !slices.Equal(got, seqs) {
				t.Errorf("page %d: told %d, want %d; %q", page, got, seqs, k.reported())
			}
			if list := k.deliveries(w); list[len(list)-1].Seq != seqs[0] {
				t.Errorf("page %d: the list says %+v; %q", page, list, k.reported())
			}
		}
	})
}

// Damage that comes while it runs keeps nothing from being told. The list cannot
// be had until the next start, which makes the file anew.
func TestDamageWhileItRuns(t *testing.T) {
	inBubble(t, func(k *kit) {
		r := k.receive(here, nil)
		k.start()
		w := k.hook(r, "document.*")
		seqs := k.make(numbers(30)...)
		time.Sleep(time.Minute)
		for page := 2; k.flipPage(page, true); page++ {
		}
		seqs = append(seqs, k.make("one", "two")...)
		time.Sleep(time.Minute)
		if _, err := k.d.Deliveries(k.t.Context(), w.ID, engine.DeliveryQuery{}); err == nil || !strings.Contains(err.Error(), "made anew at the next start") {
			t.Errorf("the list: %v", err)
		}
		young := k.receive(there, nil)
		k.hook(young, "document.*")
		more := k.make("for both")
		seqs = append(seqs, more...)
		time.Sleep(time.Minute)
		if !slices.Equal(young.seqs(), more) {
			t.Errorf("a webhook made since is told %d, want %d", young.seqs(), more)
		}
		if reports := k.reported(); len(reports) == 0 || !strings.Contains(reports[0], "damaged") {
			t.Errorf("reported %q", reports)
		}
		if err := k.stop(); err == nil {
			t.Error("nobody is told at the end")
		}
		k.start()
		seqs = append(seqs, k.make("three")...)
		time.Sleep(time.Minute)
		if !slices.Equal(r.seqs(), seqs) {
			t.Errorf("told %d, want %d", r.seqs(), seqs)
		}
		if list := k.deliveries(w); len(list) != 2 || list[0].Status != "skipped" {
			t.Errorf("the list says %+v", list)
		}
	})
}

// A file that the system does not open now is not lost for that.
func TestAFileThatCannotBeOpened(t *testing.T) {
	inBubble(t, func(k *kit) {
		path := filepath.Join(k.Dir, "webhooks.db")
		k.must(os.Symlink(path, path)) // opening it fails
		if d, err := webhook.Open(k.Vault, k.Dir, k.options); err == nil {
			k.must(d.Close())
			t.Error("it is opened")
		}
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			t.Error("it is removed")
		}
		k.must(os.Remove(path))
	})
}
