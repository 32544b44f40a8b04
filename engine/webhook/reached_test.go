package webhook_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"strongroom/engine/webhook"
)

// TestGoingOnElsewhere holds that a server which takes a vault over tells its webhooks
// what the one before has not told, and no more: that of a webhook made since, too.
func TestGoingOnElsewhere(t *testing.T) {
	inBubble(t, func(k *kit) {
		r := k.receive(here, nil)
		k.start()
		k.hook(r, "document.*")
		seqs := k.make("one", "two")
		time.Sleep(time.Second)
		reached := k.d.Reached()
		k.halt()
		file := filepath.Join(k.Dir, "webhooks.db")
		b, err := os.ReadFile(file)
		k.must(err)

		younger := k.receive("10.0.0.9:443", nil)
		k.hook(younger, "document.*")
		more := k.make("three")

		// A server that was never here.
		k.must(os.Remove(file))
		k.options.Reached = reached
		k.start()
		time.Sleep(time.Second)
		if want := slices.Concat(seqs, more); !slices.Equal(r.seqs(), want) || !slices.Equal(younger.seqs(), more) {
			t.Errorf("told %d and %d, want %d and %d", r.seqs(), younger.seqs(), want, more)
		}
		reached = k.d.Reached()
		k.halt()

		// One that was the owner long ago, and has its file of then.
		k.must(os.WriteFile(file, b, 0o600))
		k.options.Reached = reached
		last := k.make("four")
		k.start()
		time.Sleep(time.Second)
		if want := slices.Concat(seqs, more, last); !slices.Equal(r.seqs(), want) || !slices.Equal(younger.seqs(), slices.Concat(more, last)) {
			t.Errorf("told %d and %d, want %d", r.seqs(), younger.seqs(), want)
		}
		k.options.Reached = map[string]webhook.Reached{}
		k.halt()
		k.start() // the file is further than what is told of another
		time.Sleep(time.Second)
		if want := slices.Concat(seqs, more, last); !slices.Equal(r.seqs(), want) {
			t.Errorf("told %d, want %d", r.seqs(), want)
		}
	})
}
