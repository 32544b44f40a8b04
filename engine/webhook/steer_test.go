package webhook_test

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
)

// For a day after a rotation both secrets verify what is sent, then the new one
// alone does.
func TestRotation(t *testing.T) {
	inBubble(t, func(k *kit) {
		r := k.receive(here, nil)
		k.start()
		w := k.hook(r, "document.*")
		_, secret, _, err := k.RotateWebhook(k.t.Context(), k.Admin, w.ID, engine.Condition{})
		k.must(err)
		r.change(func() { r.secrets = append(r.secrets, secret.Reveal()) })
		k.make("within the day")
		time.Sleep(24 * time.Hour)
		r.change(func() { r.secrets = r.secrets[1:] })
		k.make("after it")
		time.Sleep(time.Second)
		var signatures []int
		for _, m := range r.messages() {
			signatures = append(signatures, len(strings.Fields(m.header.Get("Webhook-Signature"))))
		}
		if !slices.Equal(signatures, []int{2, 1}) {
			t.Errorf("%d signatures", signatures)
		}
	})
}

// Paused, or not active, nothing is sent and nothing lost.
func TestPausing(t *testing.T) {
	inBubble(t, func(k *kit) {
		r, other := k.receive(here, nil), k.receive(there, nil)
		k.start()
		w := k.hook(r, "document.*")
		k.hook(other, "document.*")
		on, off := true, false
		_, _, err := k.UpdateSettings(k.t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{Paused: &on})
		k.must(err)
		seqs := k.make("paused")
		time.Sleep(time.Hour)
		if n := len(r.messages()) + len(other.messages()); n > 0 {
			t.Errorf("%d messages, though the vault is paused", n)
		}
		d, err := k.d.Test(k.t.Context(), w.ID)
		if err != nil || d.Status != "failed" || !strings.Contains(d.Error, "paused") || len(r.messages()) > 0 {
			t.Errorf("a test while the vault is paused: %+v, %v", d, err)
		}
		k.halt()
		k.start()
		_, _, err = k.UpdateWebhook(k.t.Context(), k.Admin, w.ID, engine.Condition{}, engine.WebhookPatch{Active: &off})
		k.must(err)
		_, _, err = k.UpdateSettings(k.t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{Paused: &off})
		k.must(err)
		seqs = append(seqs, k.make("not active")...)
		time.Sleep(time.Second)
		if len(r.messages()) > 0 || !slices.Equal(other.seqs(), seqs) {
			t.Errorf("told %d, though not active; and %d", r.seqs(), other.seqs())
		}
		_, _, err = k.UpdateWebhook(k.t.Context(), k.Admin, w.ID, engine.Condition{}, engine.WebhookPatch{Active: &on})
		k.must(err)
		time.Sleep(time.Second)
		if !slices.Equal(r.seqs(), seqs) {
			t.Errorf("told %d, want %d", r.seqs(), seqs)
		}
	})
}

// A change of the webhook holds from the next attempt on, which it does not wait
// for.
func TestMending(t *testing.T) {
	inBubble(t, func(k *kit) {
		wrong, right := k.receive(here, status(404)), k.receive(there, nil)
		k.start()
		w := k.hook(wrong, "document.*")
		right.change(func() { right.secrets = wrong.secrets })
		seqs := k.make("one", "two")
		time.Sleep(48 * time.Hour)
		_, _, err := k.UpdateWebhook(k.t.Context(), k.Admin, w.ID, engine.Condition{}, engine.WebhookPatch{URL: &right.url})
		k.must(err)
		time.Sleep(time.Second)
		if !slices.Equal(right.seqs(), seqs) {
			t.Errorf("told %d, want %d", right.seqs(), seqs)
		}
		events := []string{"hold.*"}
		_, _, err = k.UpdateWebhook(k.t.Context(), k.Admin, w.ID, engine.Condition{}, engine.WebhookPatch{Events: &events})
		k.must(err)
		k.make("three")
		time.Sleep(time.Second)
		if !slices.Equal(right.seqs(), seqs) {
			t.Errorf("told %d, want %d", right.seqs(), seqs)
		}
	})
}

// What was set aside does not wait for the schedule either.
func TestMendingWhatIsSetAside(t *testing.T) {
	inBubble(t, func(k *kit) {
		var poison uint64
		wrong, right := k.receive(here, func(w http.ResponseWriter, m message) {
			if m.Data.Seq == poison {
				w.WriteHeader(422)
			}
		}), k.receive(there, nil)
		w := k.hook(wrong, "document.*")
		right.change(func() { right.secrets = wrong.secrets })
		k.start()
		poison = k.Head().Seq + 1
		k.make("poison", "fine")
		time.Sleep(48 * time.Hour)
		_, _, err := k.UpdateWebhook(k.t.Context(), k.Admin, w.ID, engine.Condition{}, engine.WebhookPatch{URL: &right.url})
		k.must(err)
		time.Sleep(time.Second)
		if !slices.Equal(right.seqs(), []uint64{poison}) {
			t.Errorf("told %d, want %d", right.seqs(), poison)
		}
	})
}

func TestTestingAndRedelivering(t *testing.T) {
	inBubble(t, func(k *kit) {
		down := true
		r := k.receive(here, func(w http.ResponseWriter, m message) {
			if down {
				w.WriteHeader(500)
			}
		})
		k.start()
		w := k.hook(r, "document.*")
		seqs := k.make("one")
		time.Sleep(48 * time.Hour)
		d, err := k.d.Test(k.t.Context(), w.ID)
		if err != nil || d.Status != "failed" || d.HTTPStatus != 500 || d.N != 0 || d.Seq != 0 || d.Type != "webhook.test" {
			t.Errorf("%+v, %v", d, err)
		}
		before := len(k.deliveries(w))
		if d, err = k.d.Redeliver(k.t.Context(), w.ID, 1); err != nil || d.Status != "failed" || d.Seq != seqs[0] || d.N != uint64(before)+1 || d.Attempt != 0 {
			t.Errorf("%+v, %v", d, err)
		}
		down = false
		r.forget()
		if d, err = k.d.Test(k.t.Context(), w.ID); err != nil || d.Status != "delivered" || d.HTTPStatus != 200 {
			t.Errorf("%+v, %v", d, err)
		}
		time.Sleep(time.Second)
		told := r.messages()
		if len(told) != 2 || told[0].Type != "webhook.test" || !strings.Contains(told[0].body, `"webhookId":"`+w.ID+`"`) || told[1].Data.Seq != seqs[0] {
			t.Errorf("after a test that arrived: %v", told)
		}
		off := false
		_, _, err = k.UpdateWebhook(k.t.Context(), k.Admin, w.ID, engine.Condition{}, engine.WebhookPatch{Active: &off})
		k.must(err)
		if d, err = k.d.Redeliver(k.t.Context(), w.ID, 1); err != nil || d.Status != "delivered" || d.Type != "document.created" {
			t.Errorf("%+v, %v", d, err)
		}
		if told := r.messages(); told[2].ID != told[1].ID || told[2].body != told[1].body {
			t.Errorf("redelivered is %s, was %s", told[2].body, told[1].body)
		}
		list := k.deliveries(w)
		if last := list[len(list)-1]; last != d {
			t.Errorf("the list ends with %+v, want %+v", last, d)
		}
		_, gone := k.d.Redeliver(k.t.Context(), w.ID, 99)
		_, unknown := k.d.Redeliver(k.t.Context(), "x", 1)
		_, tested := k.d.Test(k.t.Context(), "01JD6QGZ3MZ4Y8T6V1E9B7K2RW")
		if !errors.Is(gone, engine.ErrDeliveryNotFound) || !errors.Is(unknown, engine.ErrWebhookNotFound) || !errors.Is(tested, engine.ErrWebhookNotFound) {
			t.Error(gone, unknown, tested)
		}
	})
}

// A hundred endpoints that take a minute to answer, and one that is not there, cost
// the others a moment.
func TestTheSlowCostTheOthersNothing(t *testing.T) {
	inBubble(t, func(k *kit) {
		k.start()
		var slow []*receiver
		for i := range 100 {
			r := k.receive(fmt.Sprintf("10.0.1.%d:80", i), func(http.ResponseWriter, message) { time.Sleep(time.Minute) })
			k.hook(r, "document.*")
			slow = append(slow, r)
		}
		gone := k.receive(there, nil)
		w := k.hook(gone, "document.*")
		delete(k.net.hosts, there)
		fast := k.receive(here, nil)
		k.hook(fast, "document.*")
		began := time.Now()
		for range 10 {
			k.make("one")
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(time.Second)
		if told := fast.messages(); len(told) != 10 {
			t.Errorf("told %d after %v", len(told), time.Since(began))
		}
		time.Sleep(16 * time.Second)
		for _, r := range slow {
			if n := len(r.messages()); n != 1 {
				t.Errorf("a slow one was told %d at once", n)
			}
		}
		if d := k.deliveries(w)[0]; d.Error != "connection refused" {
			t.Errorf("%+v", d)
		}
		if s := k.d.Stats(); s.Active != 102 || s.Failing != 101 || s.Lag != 10 {
			t.Errorf("%+v", s)
		}
	})
}

// An endpoint far behind reads the log page by page: what is held in memory does
// not grow with how far that is.
func TestFarBehind(t *testing.T) {
	inBubble(t, func(k *kit) {
		var w engine.Webhook
		r := k.receive(here, nil)
		k.start()
		w = k.hook(r, "document.*")
		off, on := false, true
		_, _, err := k.UpdateWebhook(k.t.Context(), k.Admin, w.ID, engine.Condition{}, engine.WebhookPatch{Active: &off})
		k.must(err)
		seqs := k.make("document")
		document := k.last(audit.OpDocumentCreated).Document
		for range 6 {
			var changes []engine.DocumentChange
			for _, name := range numbers(500) {
				changes = append(changes, engine.DocumentChange{DocumentID: document, Patch: engine.DocumentPatch{Name: &name}})
				seqs = append(seqs, seqs[len(seqs)-1]+1)
			}
			_, err := k.UpdateDocuments(k.t.Context(), k.Admin, changes, false)
			k.must(err)
		}
		_, _, err = k.UpdateWebhook(k.t.Context(), k.Admin, w.ID, engine.Condition{}, engine.WebhookPatch{Active: &on})
		k.must(err)
		time.Sleep(time.Minute)
		if !slices.Equal(r.seqs(), seqs) {
			t.Errorf("told %d of %d, in order: %v", len(r.seqs()), len(seqs), slices.IsSorted(r.seqs()))
		}
	})
}

// Hundreds of endpoints are told all, and when it stops no goroutine is left.
func TestHundredsOfEndpoints(t *testing.T) {
	inBubble(t, func(k *kit) {
		k.start()
		var all []*receiver
		for i := range 300 {
			r := k.receive(fmt.Sprintf("10.0.%d.%d:80", i/100, i%100), nil)
			k.hook(r, "document.*")
			all = append(all, r)
		}
		seqs := k.make(numbers(5)...)
		time.Sleep(time.Second)
		for i, r := range all {
			if !slices.Equal(r.seqs(), seqs) {
				t.Errorf("number %d is told %d, want %d", i, r.seqs(), seqs)
			}
		}
		k.halt()
		time.Sleep(2 * time.Minute)
		stacks := make([]byte, 4<<20)
		if text := string(stacks[:runtime.Stack(stacks, true)]); strings.Contains(text, "webhook.(*endpoint)") || strings.Contains(text, "webhook.(*Deliverer)") {
			t.Errorf("goroutines are left:\n%.4000s", text)
		}
	})
}
