package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

func subscribe(k *enginetest.Kit, n engine.NewWebhook) (engine.Webhook, string) {
	k.TB.Helper()
	w, secret, _, err := k.CreateWebhook(k.TB.Context(), k.Admin, n)
	if err != nil {
		k.TB.Fatal(err)
	}
	return w, secret.Reveal()
}

// lastEntry is the last entry of the log.
func lastEntry(k *enginetest.Kit) engine.Entry {
	k.TB.Helper()
	e, err := k.Entry(k.TB.Context(), k.Head().Seq)
	if err != nil {
		k.TB.Fatal(err)
	}
	return e
}

func TestTheLifeOfAWebhook(t *testing.T) {
	k := enginetest.New(t)
	ctx := t.Context()
	w, secret := subscribe(k, engine.NewWebhook{URL: " https://example.com/in?a=b ", Events: []string{"hold.*", "document.deleted", "hold.*"}, Description: "the ERP"})
	made := lastEntry(k)
	if w.URL != "https://example.com/in?a=b" || !slices.Equal(w.Events, []string{"document.deleted", "hold.*"}) || !w.Active ||
		w.CreatedSeq != k.Head().Seq || w.Revision != 1 || made.Op != audit.OpWebhookCreated {
		t.Errorf("%+v, entry %s", w, made.Line)
	}
	if random, ok := strings.CutPrefix(secret, "whsec_"); !ok || len(random) != 32 {
		t.Errorf("the secret is %q", secret)
	}
	events, off, on := []string{}, false, true
	w, _, err := k.UpdateWebhook(ctx, k.Admin, w.ID, engine.Condition{IfMatch: engine.Match{1}}, engine.WebhookPatch{Events: &events, Active: &off})
	must(t, err)
	if w.Active || len(w.Events) > 0 || w.Revision != 2 || w.DisabledReason != "" {
		t.Errorf("changed: %+v", w)
	}
	if _, r, err := k.UpdateWebhook(ctx, k.Admin, w.ID, engine.Condition{}, engine.WebhookPatch{Active: &off}); err != nil || r != (engine.Receipt{}) {
		t.Errorf("the same again: %v, %v", r, err)
	}
	if _, r, err := k.LogReader().DisableWebhook(ctx, engine.System(), w.ID, engine.Condition{}, engine.DisabledGone); err != nil || r != (engine.Receipt{}) {
		t.Errorf("disabled, though it is not active: %v, %v", r, err)
	}
	_, _, err = k.UpdateWebhook(ctx, k.Admin, w.ID, engine.Condition{}, engine.WebhookPatch{Active: &on})
	must(t, err)
	if _, _, err := k.LogReader().DisableWebhook(ctx, engine.System(), w.ID, engine.Condition{IfMatch: engine.Match{2}}, engine.DisabledFailing); !errors.Is(err, engine.ErrPrecondition) {
		t.Errorf("disabled for what it was: %v", err)
	}
	w, _, err = k.LogReader().DisableWebhook(ctx, engine.System(), w.ID, engine.Condition{IfMatch: engine.Match{3}}, engine.DisabledFailing)
	must(t, err)
	if e := lastEntry(k); w.Active || w.DisabledReason != "failing" || e.Op != audit.OpWebhookDisabled || e.Actor != "system" {
		t.Errorf("%+v, entry %s", w, e.Line)
	}
	w, _, err = k.UpdateWebhook(ctx, k.Admin, w.ID, engine.Condition{}, engine.WebhookPatch{Active: &on})
	must(t, err)
	if !w.Active || w.DisabledReason != "" {
		t.Errorf("activated again: %+v", w)
	}
	k.Check()
	if _, _, err := k.DeleteWebhook(ctx, k.Admin, w.ID, engine.Condition{IfMatch: engine.Match{1}}); !errors.Is(err, engine.ErrPrecondition) {
		t.Errorf("deleted as it was: %v", err)
	}
	_, _, err = k.DeleteWebhook(ctx, k.Admin, w.ID, engine.Condition{})
	must(t, err)
	if _, err := k.Webhook(ctx, w.ID); !errors.Is(err, engine.ErrWebhookNotFound) {
		t.Errorf("deleted: %v", err)
	}
}

// A rotated secret signs on for 24 hours, and no secret is in the log.
func TestRotatingTheSecretOfAWebhook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		ctx := t.Context()
		w, first := subscribe(k, engine.NewWebhook{URL: "https://example.com/"})
		secrets := func() (list []string) {
			target, err := k.LogReader().WebhookTarget(ctx, w.ID)
			must(t, err)
			for _, s := range target.Secrets {
				list = append(list, s.Reveal())
			}
			return list
		}
		rotate := func() string {
			_, s, _, err := k.RotateWebhook(ctx, k.Admin, w.ID, engine.Condition{})
			must(t, err)
			return s.Reveal()
		}
		if got := secrets(); !slices.Equal(got, []string{first}) {
			t.Errorf("%q, want %q", got, first)
		}
		second := rotate()
		if got := secrets(); !slices.Equal(got, []string{second, first}) || first == second {
			t.Errorf("rotated: %q", got)
		}
		if until, _ := lastEntry(k).Facts["until"].AsText(); until != audit.FormatTime(lastEntry(k).Time.Add(24*time.Hour)) {
			t.Errorf("the entry says until %q", until)
		}
		time.Sleep(24*time.Hour - time.Millisecond)
		if len(secrets()) != 2 {
			t.Error("the old secret ended early")
		}
		time.Sleep(time.Millisecond)
		if got := secrets(); !slices.Equal(got, []string{second}) {
			t.Errorf("a day later: %q", got)
		}
		third := rotate()
		fourth := rotate()
		if got := secrets(); !slices.Equal(got, []string{fourth, third}) {
			t.Errorf("rotated twice: %q", got)
		}
		page, err := k.Entries(ctx, engine.EntryQuery{})
		must(t, err)
		for _, e := range page.Items {
			for _, secret := range []string{first, second, third, fourth} {
				if all := string(e.Line) + string(e.Detail); strings.Contains(all, secret[6:]) {
					t.Errorf("entry %d tells a secret: %s", e.Seq, all)
				}
			}
		}
	})
}

func TestWebhooksThatCannotBeAccepted(t *testing.T) {
	k := enginetest.New(t)
	ctx := t.Context()
	w, _ := subscribe(k, engine.NewWebhook{URL: "https://example.com/"})
	for url, want := range map[string]string{
		"":                                  "empty",
		"example.com":                       "https://",
		"ftp://example.com":                 "https://",
		"https://":                          "a host",
		"https://:443/":                     "a host",
		"https://user@example.com":          "a user",
		"https://u:p@example.com":           "a user",
		"https://example.com/#x":            "fragment",
		"https://example.com/#":             "fragment",
		"https://example.com:0/":            "a port",
		"https://example.com:70000/":        "port",
		"https://example.com:/":             "a port",
		"https://exa mple.com/":             "ASCII",
		"https://example.com/\u00e9":        "ASCII",
		"https://2130706433/":               "DNS",
		"https://0x7f.1/":                   "DNS",
		"https://127.1/":                    "DNS",
		"https://a..b/":                     "DNS",
		"https://[fe80::1%25eth0]/":         "DNS",
		"https://e.com/" + manyA(2_000):     "2000",
		"https://" + manyA(64) + ".example": "DNS",
	} {
		_, _, _, err := k.CreateWebhook(ctx, k.Admin, engine.NewWebhook{URL: url})
		if invalid, ok := errors.AsType[*engine.InvalidError](err); !ok || invalid.Fields[0].Field != "url" || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", url, err, want)
		}
		if _, _, err := k.UpdateWebhook(ctx, k.Admin, w.ID, engine.Condition{}, engine.WebhookPatch{URL: &url}); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("changed to %.60q: %v", url, err)
		}
	}
	for _, url := range []string{"http://10.0.0.1:8080/a?b=c", "https://[2001:db8::1]:1/", "https://a-b_c.example./", "HTTPS://Example.com"} {
		if w, _ := subscribe(k, engine.NewWebhook{URL: url}); w.URL != url {
			t.Errorf("%q became %q", url, w.URL)
		}
	}
	_, _, _, err := k.CreateWebhook(ctx, k.Admin, engine.NewWebhook{URL: "https://a.example", Events: []string{"hold.*", "holds.*", "document.delete", "", "*.deleted", "hold.**"}})
	if invalid, ok := errors.AsType[*engine.InvalidError](err); !ok || len(invalid.Fields) != 5 || invalid.Fields[0].Field != "events[1]" {
		t.Errorf("unknown patterns: %v", err)
	}
}

func TestWhoMayChangeWebhooks(t *testing.T) {
	k := enginetest.New(t)
	ctx := t.Context()
	w, _ := subscribe(k, engine.NewWebhook{URL: "https://example.com/"})
	view, _ := k.Person("Vera View", engine.AccessView)
	upload, _ := k.Person("Ulla Upload", engine.AccessUpload)
	for _, actor := range []engine.Actor{view, upload} {
		_, _, _, create := k.CreateWebhook(ctx, actor, engine.NewWebhook{URL: "https://a.example"})
		_, _, change := k.UpdateWebhook(ctx, actor, w.ID, engine.Condition{}, engine.WebhookPatch{})
		_, _, remove := k.DeleteWebhook(ctx, actor, w.ID, engine.Condition{})
		_, _, _, rotate := k.RotateWebhook(ctx, actor, w.ID, engine.Condition{})
		_, _, disable := k.LogReader().DisableWebhook(ctx, actor, w.ID, engine.Condition{}, engine.DisabledGone)
		for i, err := range []error{create, change, remove, rotate, disable} {
			if !errors.Is(err, engine.ErrLacksPermission) {
				t.Errorf("call %d with %s access: %v", i, actor.Access, err)
			}
		}
	}
	for _, id := range []string{"", "x", "01JD6QGZ3MZ4Y8T6V1E9B7K2RW"} {
		_, target := k.LogReader().WebhookTarget(ctx, id)
		_, _, disable := k.LogReader().DisableWebhook(ctx, engine.System(), id, engine.Condition{}, engine.DisabledGone)
		_, _, _, rotate := k.RotateWebhook(ctx, k.Admin, id, engine.Condition{})
		for i, err := range []error{target, disable, rotate} {
			if !errors.Is(err, engine.ErrWebhookNotFound) {
				t.Errorf("call %d about %q: %v", i, id, err)
			}
		}
	}
}

func manyA(n int) string { return strings.Repeat("a", n) }

func TestWhatAWebhookWants(t *testing.T) {
	for _, c := range []struct {
		events []string
		op     audit.Op
		wants  bool
	}{
		{nil, audit.OpDocumentCreated, true},
		{nil, audit.OpDocumentDownloaded, false},
		{[]string{"*"}, audit.OpDocumentDownloaded, true},
		{[]string{"document.*"}, audit.OpDocumentDownloaded, true},
		{[]string{"document.*"}, audit.OpHoldPlaced, false},
		{[]string{"lock.broken", "hold.released"}, audit.OpHoldReleased, true},
		{[]string{"lock.broken", "hold.released"}, audit.OpHoldPlaced, false},
	} {
		if w := (&engine.Webhook{Events: c.events}); w.Wants(c.op) != c.wants {
			t.Errorf("%q, %s: %v", c.events, c.op, !c.wants)
		}
	}
}

func TestWebhooksAreBoundedAndListed(t *testing.T) {
	k := enginetest.New(t)
	for i := range 1_000 {
		subscribe(k, engine.NewWebhook{URL: fmt.Sprintf("https://example.com/%d", i), Inactive: true})
	}
	if _, _, _, err := k.CreateWebhook(t.Context(), k.Admin, engine.NewWebhook{URL: "https://example.com/"}); !errors.Is(err, engine.ErrInvalid) {
		t.Errorf("one too many: %v", err)
	}
	seen, p := 0, engine.Paging{Limit: 300}
	for {
		page, err := k.Webhooks(t.Context(), p)
		must(t, err)
		for _, w := range page.Items {
			if w.URL != fmt.Sprintf("https://example.com/%d", seen) {
				t.Fatalf("number %d is %s", seen, w.URL)
			}
			seen++
		}
		if p.Cursor = page.NextCursor; p.Cursor == "" {
			break
		}
	}
	if seen != 1_000 {
		t.Errorf("%d are listed", seen)
	}
}
