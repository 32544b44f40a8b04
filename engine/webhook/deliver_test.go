package webhook_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
)

const (
	here  = "10.0.0.1:80"
	there = "10.0.0.2:80"
)

func TestEventsAreTold(t *testing.T) {
	inBubble(t, func(k *kit) {
		all, some := k.receive(here, nil), k.receive(there, nil)
		k.start()
		k.hook(all)
		k.hook(some, "document.archived", "user.*")
		before := k.Head().Seq
		k.make("secret name")
		e := k.last(audit.OpDocumentCreated)
		_, _, err := k.ArchiveDocument(k.t.Context(), k.Admin, e.Document, engine.Condition{})
		k.must(err)
		k.Person("Vera View", engine.AccessView)
		time.Sleep(time.Second)

		told := all.messages()
		if want := []uint64{before, before + 1, before + 2, before + 3, before + 4}; !slices.Equal(all.seqs(), want) {
			t.Errorf("told %d, want %d: the creation of another webhook is an event too", all.seqs(), want)
		}
		if want := []uint64{before + 2, before + 3}; !slices.Equal(some.seqs(), want) {
			t.Errorf("told %d, want %d", some.seqs(), want)
		}
		m := told[1]
		if m.ID != fmt.Sprintf("%s.%d.%s", k.ID(), e.Seq, e.Hash.String()[:16]) || m.Type != "document.created" ||
			m.Timestamp != audit.FormatTime(e.Time) || m.Data.Seq != e.Seq || m.Data.Hash != e.Hash.String() ||
			m.Data.ActorID != k.Admin.UserID || m.Data.DocumentID != e.Document || m.Data.Version != 1 || m.Data.Facts["size"] != 8.0 {
			t.Errorf("%s", m.body)
		}
		for _, m := range told {
			if strings.Contains(m.body, "secret name") || strings.Contains(m.body, "Vera") {
				t.Errorf("a message tells contents: %s", m.body)
			}
		}
	})
}

// down answers nothing but failure for five days, and what happens is the
// schedule.
func TestTheSchedule(t *testing.T) {
	inBubble(t, func(k *kit) {
		down := k.receive(here, status(500))
		w := k.hook(down, "document.*")
		k.start()
		began := time.Now()
		k.make("one")
		time.Sleep(4 * 24 * time.Hour)
		if s := k.d.Stats(); s.Webhooks != 1 || s.Active != 1 || s.Failing != 1 || s.Lag != 1 {
			t.Errorf("%+v", s)
		}
		list := k.deliveries(w)
		last := list[len(list)-1]
		if last.Attempt != 10 || last.HTTPStatus != 500 || last.Status != "failed" || !last.NextAttemptAt.Equal(last.At.Add(24*time.Hour)) ||
			last.Error != "the endpoint answered 500" || last.Type != "document.created" {
			t.Errorf("%+v", last)
		}
		time.Sleep(6 * 24 * time.Hour)
		const schedule = "0s 5s 5m5s 35m5s 2h35m5s 7h35m5s 17h35m5s 31h35m5s 51h35m5s 75h35m5s 99h35m5s 123h35m5s"
		if got := since(began, down.messages()); got != schedule {
			t.Errorf("tried after %s, want %s", got, schedule)
		}
		for _, m := range down.messages()[1:] {
			if first := down.messages()[0]; m.body != first.body || m.ID != first.ID || m.header.Get("Webhook-Timestamp") == first.header.Get("Webhook-Timestamp") {
				t.Errorf("a retry is another message, or not signed anew: %v", m)
			}
		}
		is, e := k.webhook(w), k.last(audit.OpWebhookDisabled)
		if is.Active || is.DisabledReason != "failing" || e.Actor != "system" || e.Time.Sub(began).Round(time.Second) != 123*time.Hour+35*time.Minute+5*time.Second {
			t.Errorf("%+v, %s", is, e.Line)
		}
		list = k.deliveries(w)
		if last := list[len(list)-1]; len(list) != 12 || !last.NextAttemptAt.IsZero() || last.Attempt != 12 {
			t.Errorf("%d, the last is %+v", len(list), last)
		}
		if s := k.d.Stats(); s.Active != 0 || s.Lag != 0 {
			t.Errorf("%+v", s)
		}

		// Activated again, it has another five days, and goes on where it was.
		seqs := append([]uint64{k.last(audit.OpDocumentCreated).Seq}, k.make("two")...)
		down.forget()
		down.change(func() { down.answer = nil })
		on := true
		_, _, err := k.UpdateWebhook(k.t.Context(), k.Admin, w.ID, engine.Condition{}, engine.WebhookPatch{Active: &on})
		k.must(err)
		time.Sleep(time.Second)
		if !slices.Equal(down.seqs(), seqs) {
			t.Errorf("told %d, want %d", down.seqs(), seqs)
		}
	})
}

// While an endpoint is not there, nothing overtakes; when it is back, all comes in
// order, once.
func TestAnOutageKeepsTheOrder(t *testing.T) {
	for _, code := range []int{0, 429, 502, 503, 504} {
		inBubble(t, func(k *kit) {
			r := k.receive(here, nil)
			away := k.net.hosts[here]
			w := k.hook(r, "document.*")
			if code == 0 {
				delete(k.net.hosts, here)
			} else {
				r.answer = status(code)
			}
			k.start()
			var seqs []uint64
			for i := range 20 {
				seqs = append(seqs, k.make(fmt.Sprint(i))...)
				time.Sleep(time.Hour)
			}
			for _, s := range r.seqs() {
				if s != seqs[0] {
					t.Errorf("%d: entry %d overtook %d", code, s, seqs[0])
				}
			}
			k.net.mu.Lock()
			k.net.hosts[here] = away
			k.net.mu.Unlock()
			r.forget()
			r.change(func() { r.answer = nil })
			time.Sleep(24 * time.Hour)
			if !slices.Equal(r.seqs(), seqs) {
				t.Errorf("%d: told %d, want %d", code, r.seqs(), seqs)
			}
			if code == 0 && k.deliveries(w)[0].Error != "connection refused" {
				t.Errorf("%+v", k.deliveries(w)[0])
			}
		})
	}
}

// An event that the endpoint cannot digest keeps the others waiting for minutes,
// not for days, and is tried for as long as any.
func TestAnEventThatIsRefused(t *testing.T) {
	inBubble(t, func(k *kit) {
		var poison uint64
		r := k.receive(here, func(w http.ResponseWriter, m message) {
			if m.Data.Seq == poison {
				w.WriteHeader(422)
			}
		})
		w := k.hook(r, "document.*")
		k.start()
		began := time.Now()
		poison = k.Head().Seq + 1
		seqs := k.make("poison", "a", "b")
		time.Sleep(6 * time.Minute)
		if want := []uint64{seqs[0], seqs[0], seqs[0], seqs[1], seqs[2], seqs[0]}; !slices.Equal(r.seqs(), want) {
			t.Errorf("told %d, want %d", r.seqs(), want)
		}
		seqs = append(seqs, k.make("c")...)
		time.Sleep(time.Second)
		if told := r.seqs(); told[len(told)-1] != seqs[3] {
			t.Errorf("told %d: the last waits", told)
		}
		time.Sleep(10 * 24 * time.Hour)
		var tried []message
		for _, m := range r.messages() {
			if m.Data.Seq == poison {
				tried = append(tried, m)
			}
		}
		const schedule = "0s 5s 5m5s 5m10s 10m10s 40m10s 2h40m10s 7h40m10s 17h40m10s 31h40m10s 51h40m10s 75h40m10s"
		if got := since(began, tried); got != schedule {
			t.Errorf("tried after %s, want %s", got, schedule)
		}
		list := k.deliveries(w)
		if last := list[len(list)-1]; last.Seq != poison || last.Attempt != 12 || !last.NextAttemptAt.IsZero() || !k.webhook(w).Active {
			t.Errorf("%+v, %+v", last, k.webhook(w))
		}
	})
}

// While everything is refused, nothing overtakes either: the second is tried once
// for each failure of the first, and waits with it.
func TestAnEndpointThatRefusesAll(t *testing.T) {
	inBubble(t, func(k *kit) {
		r := k.receive(here, status(500))
		k.hook(r, "document.*")
		k.start()
		began := time.Now()
		seqs := k.make("a", "b", "c")
		time.Sleep(3 * time.Hour)
		const schedule = "0s 5s 5m5s 5m5s 35m5s 35m5s 2h35m5s 2h35m5s"
		if got := since(began, r.messages()); got != schedule {
			t.Errorf("tried after %s, want %s", got, schedule)
		}
		r.forget()
		r.change(func() { r.answer = nil })
		time.Sleep(24 * time.Hour)
		if !slices.Equal(r.seqs(), seqs) {
			t.Errorf("told %d, want %d", r.seqs(), seqs)
		}
	})
}

// An endpoint that comes and goes gets everything, in order.
func TestAFlappingEndpoint(t *testing.T) {
	inBubble(t, func(k *kit) {
		n := 0
		var taken []uint64
		r := k.receive(here, func(w http.ResponseWriter, m message) {
			if n++; n%3 != 0 {
				w.WriteHeader(503)
				return
			}
			taken = append(taken, m.Data.Seq)
		})
		k.hook(r, "document.*")
		k.start()
		seqs := k.make(numbers(30)...)
		time.Sleep(24 * time.Hour)
		if r.messages(); !slices.Equal(taken, seqs) {
			t.Errorf("taken %d, want %d", taken, seqs)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct{ value, wait string }{
		{"60", "1m0s"},
		{"0", "5s"},
		{"1", "5s"},
		{"86400", "24h0m0s"},
		{"4000000000", "24h0m0s"},
		{"5000000000", "24h0m0s"},
		{"99999999999999999999", "24h0m0s"},
		{"-5", "5s"},
		{"soon", "5s"},
		{"", "5s"},
		{"Sat, 01 Jan 2000 03:00:00 GMT", "3h0m0s"}, // a bubble begins with the year 2000
		{"Fri, 31 Dec 1999 03:00:00 GMT", "5s"},
	} {
		inBubble(t, func(k *kit) {
			r := k.receive(here, func(w http.ResponseWriter, _ message) {
				w.Header().Set("Retry-After", c.value)
				w.WriteHeader(503)
			})
			k.hook(r, "document.*")
			k.start()
			began := time.Now()
			k.make("one")
			wait, err := time.ParseDuration(c.wait)
			k.must(err)
			time.Sleep(wait + time.Second)
			if got := since(began, r.messages()); got != "0s "+c.wait {
				t.Errorf("%q: tried after %s, want %s", c.value, got, c.wait)
			}
		})
	}
}

func TestGoneEndsIt(t *testing.T) {
	inBubble(t, func(k *kit) {
		r, other := k.receive(here, status(410)), k.receive(there, nil)
		k.start()
		w := k.hook(r)
		k.hook(other, "webhook.disabled")
		time.Sleep(time.Minute)
		if is := k.webhook(w); is.Active || is.DisabledReason != "gone" || len(r.messages()) != 1 {
			t.Errorf("%+v after %d messages", is, len(r.messages()))
		}
		if told := other.messages(); len(told) != 1 || told[0].Data.Facts["reason"] != "gone" || told[0].Data.ActorID != "system" {
			t.Errorf("others are told %v", told)
		}
	})
}

func TestRedirectsAreFailures(t *testing.T) {
	inBubble(t, func(k *kit) {
		other := k.receive(there, nil)
		for i, code := range []int{301, 302, 303, 307, 308, 304} {
			r := k.receive(fmt.Sprintf("10.0.1.%d:80", i), func(w http.ResponseWriter, _ message) {
				w.Header().Set("Location", other.url)
				w.WriteHeader(code)
			})
			w := k.hook(r, "document.*")
			if k.d == nil {
				k.start()
			}
			k.make("one")
			time.Sleep(time.Second)
			if d := k.deliveries(w)[0]; d.HTTPStatus != code || d.Status != "failed" || !strings.Contains(d.Error, "redirects are not followed") {
				t.Errorf("%d: %+v", code, d)
			}
		}
		if len(other.messages()) > 0 {
			t.Error("a redirect was followed")
		}
	})
}
