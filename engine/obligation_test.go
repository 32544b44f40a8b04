package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

func due(t testing.TB, s string) engine.Due {
	t.Helper()
	d, err := engine.ParseDue(s)
	must(t, err)
	return d
}

// oblige makes an obligation of the administrator's.
func oblige(k *enginetest.Kit, documentID, title, dueDate string, recurrence engine.Recurrence) engine.Obligation {
	k.TB.Helper()
	o, _, err := k.CreateObligation(k.TB.Context(), k.Admin, engine.NewObligation{
		Title: title, DueDate: due(k.TB, dueDate), OwnerID: k.Admin.UserID, DocumentID: documentID, Recurrence: recurrence,
	})
	must(k.TB, err)
	return o
}

func obligations(k *enginetest.Kit, q engine.ObligationQuery) []engine.Obligation {
	k.TB.Helper()
	var all []engine.Obligation
	for {
		page, err := k.Obligations(k.TB.Context(), q)
		must(k.TB, err)
		all = append(all, page.Items...)
		if page.NextCursor == "" {
			return all
		}
		q.Cursor = page.NextCursor
	}
}

func inZone(k *enginetest.Kit, zone string, days ...uint64) {
	k.TB.Helper()
	_, _, err := k.UpdateSettings(k.TB.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{TimeZone: &zone, ReminderDays: &days})
	must(k.TB, err)
}

func TestDueIsSpelledOneWay(t *testing.T) {
	for in, out := range map[string]string{
		"2026-11-30": "2026-11-30", "1970-01-01": "1970-01-01", "9999-12-31": "9999-12-31",
		"2026-11-30T17:00:00Z": "2026-11-30T17:00:00.000Z", "2026-11-30T17:00:00.1239+02:00": "2026-11-30T15:00:00.123Z",
		"1970-01-01T00:00:00Z": "1970-01-01T00:00:00.000Z",
	} {
		d, err := engine.ParseDue(in)
		if err != nil || d.String() != out || d != due(t, out) {
			t.Errorf("%s: %s, %v", in, d, err)
		}
	}
	for _, in := range []string{"", "2026-02-30", "2026-1-1", "20261130", "1969-12-31", "0001-01-01", "2026-11-30T17:00", "2026-11-30 17:00:00Z", "9999-12-31T23:59:59-01:00", "tomorrow"} {
		if d, err := engine.ParseDue(in); err == nil {
			t.Errorf("%q is taken as %s", in, d)
		}
	}
}

// TestRecurrence completes one obligation after the other.
func TestRecurrence(t *testing.T) {
	for _, c := range []struct {
		zone       string
		recurrence engine.Recurrence
		from, then string
	}{
		{"UTC", "monthly", "2026-01-31", "2026-02-28 2026-03-31 2026-04-30 2026-05-31"},
		{"UTC", "monthly", "2028-01-31", "2028-02-29 2028-03-31"},
		{"America/New_York", "monthly", "2026-11-15", "2026-12-15 2027-01-15"},
		{"UTC", "quarterly", "2026-11-30", "2027-02-28 2027-05-30 2027-08-30"},
		{"UTC", "yearly", "2028-02-29", "2029-02-28 2030-02-28 2031-02-28 2032-02-29"},
		{"UTC", "monthly", "2026-01-31T10:00:00Z", "2026-02-28T10:00:00.000Z 2026-03-31T10:00:00.000Z"},
		// Nine in the morning stays nine in the morning: the clocks change on 29 March.
		{"Europe/Berlin", "monthly", "2026-01-31T08:00:00Z", "2026-02-28T08:00:00.000Z 2026-03-31T07:00:00.000Z"},
		// The day there counts: it is the 1st in Berlin.
		{"Europe/Berlin", "monthly", "2026-01-31T23:30:00Z", "2026-02-28T23:30:00.000Z 2026-03-31T22:30:00.000Z"},
		// Half past two is left out on 29 March, and there again in April.
		{"Europe/Berlin", "monthly", "2026-02-28T23:30:00Z", "2026-03-31T22:30:00.000Z 2026-04-30T22:30:00.000Z"},
		{"Europe/Berlin", "monthly", "2026-01-29T01:30:00Z", "2026-02-28T01:30:00.000Z 2026-03-29T01:30:00.000Z 2026-04-29T00:30:00.000Z"},
		{"UTC", "yearly", "9998-03-01", "9999-03-01 "},
	} {
		t.Run(c.zone+" "+string(c.recurrence)+" "+c.from, func(t *testing.T) {
			k := enginetest.New(t)
			inZone(k, c.zone)
			doc := k.Create("Lease", "x")
			oblige(k, doc.ID, "Pay", c.from, c.recurrence)
			for _, want := range strings.Split(c.then, " ") {
				open := obligations(k, engine.ObligationQuery{Sort: "-dueDate"})
				before := k.Head().Seq
				done, r, err := k.CompleteObligation(t.Context(), k.Admin, open[0].ID, engine.Condition{}, engine.Completion{})
				must(t, err)
				if done.Status != engine.ObligationCompleted || done.ID != open[0].ID || r.Seq != before+1 {
					t.Fatalf("%+v, %+v", done, r)
				}
				now := obligations(k, engine.ObligationQuery{Sort: "-dueDate"})
				if want == "" {
					if len(now) != len(open) {
						t.Error("time is up, and yet it recurs")
					}
					return
				}
				next := now[0]
				if next.DueDate.String() != want || next.Title != "Pay" || next.Recurrence != c.recurrence || next.Status == engine.ObligationCompleted || k.Head().Seq != before+2 {
					t.Fatalf("after %s comes %+v, want %s", open[0].DueDate, next, want)
				}
			}
		})
	}
}

func TestObligationLifecycle(t *testing.T) {
	k := enginetest.New(t)
	ctx := t.Context()
	doc := k.Create("Lease", "x")
	proof := k.Create("Receipt", "y")
	o := oblige(k, doc.ID, " Pay rent ", "2099-01-31", "monthly")
	if o.Title != "Pay rent" || o.Status != engine.ObligationPending || o.OwnerName != "Ada Admin" || o.DocumentName != "Lease" || o.Revision != 1 {
		t.Errorf("%+v", o)
	}
	if again, err := k.Document(ctx, doc.ID); err != nil || again.Revision != doc.Revision || again.UpdatedAt != doc.UpdatedAt {
		t.Errorf("the document was changed: %+v, %v", again, err)
	}
	// Nothing is written for what holds already.
	quiet := func(what string, r engine.Receipt, err error) {
		t.Helper()
		if err != nil || r.Seq != 0 {
			t.Errorf("%s: %+v, %v", what, r, err)
		}
	}
	title := "Pay rent"
	_, r, err := k.UpdateObligation(ctx, k.Admin, o.ID, engine.Condition{}, engine.ObligationPatch{Title: &title})
	quiet("the same title", r, err)
	_, r, err = k.ReopenObligation(ctx, k.Admin, o.ID, engine.Condition{})
	quiet("reopen what is open", r, err)
	done, r, err := k.CompleteObligation(ctx, k.Admin, o.ID, engine.Condition{IfMatch: engine.Match{1}}, engine.Completion{Note: "paid", Evidence: &engine.Evidence{DocumentID: proof.ID, Version: 1}})
	must(t, err)
	if done.Note != "paid" || *done.Evidence != (engine.Evidence{DocumentID: proof.ID, Version: 1}) || done.CompletedBy != k.Admin.UserID || done.Revision != 2 || r.Seq == 0 {
		t.Errorf("%+v, %+v", done, r)
	}
	again, r, err := k.CompleteObligation(ctx, k.Admin, o.ID, engine.Condition{}, engine.Completion{Note: "twice"})
	quiet("complete twice", r, err)
	if again.Note != "paid" {
		t.Errorf("%+v", again)
	}
	if n := len(obligations(k, engine.ObligationQuery{})); n != 2 {
		t.Errorf("%d obligations", n)
	}
	reopened, _, err := k.ReopenObligation(ctx, k.Admin, o.ID, engine.Condition{})
	must(t, err)
	if reopened.Status != engine.ObligationPending || reopened.Note != "" || reopened.Evidence != nil || !reopened.CompletedAt.IsZero() || reopened.CompletedBy != "" {
		t.Errorf("%+v", reopened)
	}
	_, _, err = k.CompleteObligation(ctx, k.Admin, o.ID, engine.Condition{}, engine.Completion{})
	must(t, err)
	if n := len(obligations(k, engine.ObligationQuery{})); n != 2 {
		t.Errorf("completed again, there are %d obligations", n)
	}
	if _, _, err := k.DeleteObligation(ctx, k.Admin, o.ID, engine.Condition{IfMatch: engine.Match{1}}); !errors.Is(err, engine.ErrPrecondition) {
		t.Error(err)
	}
	gone, _, err := k.DeleteObligation(ctx, k.Admin, o.ID, engine.Condition{})
	must(t, err)
	if gone.ID != o.ID {
		t.Errorf("%+v", gone)
	}
	if _, _, err := k.DeleteObligation(ctx, k.Admin, o.ID, engine.Condition{}); !errors.Is(err, engine.ErrObligationNotFound) {
		t.Error(err)
	}
}

func TestObligationsGoWithTheirDocument(t *testing.T) {
	k := enginetest.New(t)
	ctx := t.Context()
	doc, other := k.Create("Lease", "x"), k.Create("Other", "y")
	first := oblige(k, doc.ID, "One", "2099-01-01", "")
	oblige(k, doc.ID, "Two", "2020-01-01", "monthly")
	kept := oblige(k, other.ID, "Three", "2099-01-01", "")
	_, _, err := k.CompleteObligation(ctx, k.Admin, first.ID, engine.Condition{}, engine.Completion{})
	must(t, err)
	_, _, err = k.ArchiveDocument(ctx, k.Admin, doc.ID, engine.Condition{})
	must(t, err)
	if n := len(obligations(k, engine.ObligationQuery{DocumentID: doc.ID})); n != 2 {
		t.Errorf("archived, the document has %d obligations", n)
	}
	_, _, err = k.UnarchiveDocument(ctx, k.Admin, doc.ID, engine.Condition{})
	must(t, err)
	_, r, err := k.DeleteDocument(ctx, k.Admin, doc.ID, engine.Condition{})
	must(t, err)
	if left := obligations(k, engine.ObligationQuery{}); len(left) != 1 || left[0].ID != kept.ID {
		t.Errorf("%+v", left)
	}
	e, err := k.Entry(ctx, r.Seq)
	must(t, err)
	if n, _ := e.Facts["obligations"].AsNumber(); e.Op != audit.OpDocumentDeleted || n != 2 || k.Head().Seq != r.Seq {
		t.Errorf("%+v", e)
	}
	if _, err := k.Obligation(ctx, first.ID); !errors.Is(err, engine.ErrObligationNotFound) {
		t.Error(err)
	}
}

func TestObligationRefusals(t *testing.T) {
	k := enginetest.New(t)
	ctx := t.Context()
	doc, gone := k.Create("Lease", "x"), k.Create("Gone", "y")
	_, _, err := k.DeleteDocument(ctx, k.Admin, gone.ID, engine.Condition{})
	must(t, err)
	good := engine.NewObligation{Title: "t", DueDate: due(t, "2026-11-30"), OwnerID: k.Admin.UserID, DocumentID: doc.ID}
	o := oblige(k, doc.ID, "t", "2026-11-30", "")
	create := func(change func(*engine.NewObligation)) error {
		n := good
		change(&n)
		_, _, err := k.CreateObligation(ctx, k.Admin, n)
		return err
	}
	patch := func(p engine.ObligationPatch) error {
		_, _, err := k.UpdateObligation(ctx, k.Admin, o.ID, engine.Condition{}, p)
		return err
	}
	complete := func(c engine.Completion) error {
		_, _, err := k.CompleteObligation(ctx, k.Admin, o.ID, engine.Condition{}, c)
		return err
	}
	var list []refused
	for _, title := range []string{"", " ", "a\x00b", "\xff", strings.Repeat("x", 256)} {
		list = append(list, refused{"title", title, create(func(n *engine.NewObligation) { n.Title = title })},
			refused{"title", title, patch(engine.ObligationPatch{Title: &title})})
	}
	long := strings.Repeat("x", 10_001)
	list = append(list, refused{"description", "long", create(func(n *engine.NewObligation) { n.Description = long })},
		refused{"description", "long", patch(engine.ObligationPatch{Description: &long})},
		refused{"note", "long", complete(engine.Completion{Note: long})},
		refused{"dueDate", "none", create(func(n *engine.NewObligation) { n.DueDate = engine.Due{} })},
		refused{"dueDate", "none", patch(engine.ObligationPatch{DueDate: &engine.Due{}})})
	for _, id := range []string{"", "x", engine.NewID(), gone.ID} {
		list = append(list, refused{"ownerId", id, create(func(n *engine.NewObligation) { n.OwnerID = id })},
			refused{"ownerId", id, patch(engine.ObligationPatch{OwnerID: &id})},
			refused{"documentId", id, create(func(n *engine.NewObligation) { n.DocumentID = id })},
			refused{"evidence.documentId", id, complete(engine.Completion{Evidence: &engine.Evidence{DocumentID: id, Version: 1}})})
	}
	for _, n := range []uint64{0, 2, 1 << 60} {
		list = append(list, refused{"evidence.version", n, complete(engine.Completion{Evidence: &engine.Evidence{DocumentID: doc.ID, Version: n}})})
	}
	for _, r := range []engine.Recurrence{"weekly", "Monthly", " "} {
		list = append(list, refused{"recurrence", r, create(func(n *engine.NewObligation) { n.Recurrence = r })},
			refused{"recurrence", r, patch(engine.ObligationPatch{Recurrence: &r})})
	}
	for field, q := range map[string]engine.ObligationQuery{
		"status": {Status: "open"}, "sort": {Sort: "title"}, "limit": {Paging: engine.Paging{Limit: 501}}, "cursor": {Paging: engine.Paging{Cursor: "ZAAA"}},
	} {
		_, err := k.Obligations(ctx, q)
		list = append(list, refused{field, q, err})
	}
	for _, r := range list {
		if invalid, ok := errors.AsType[*engine.InvalidError](r.err); !ok || invalid.Fields[0].Field != r.field {
			t.Errorf("%s %.60q: %v", r.field, fmt.Sprint(r.value), r.err)
		}
	}
	viewer, _ := k.Person("Vic", engine.AccessView)
	_, _, noCreate := k.CreateObligation(ctx, viewer, good)
	_, _, noUpdate := k.UpdateObligation(ctx, viewer, o.ID, engine.Condition{}, engine.ObligationPatch{})
	_, _, noComplete := k.CompleteObligation(ctx, viewer, o.ID, engine.Condition{}, engine.Completion{})
	_, _, noReopen := k.ReopenObligation(ctx, viewer, o.ID, engine.Condition{})
	_, _, noDelete := k.DeleteObligation(ctx, viewer, o.ID, engine.Condition{})
	for _, err := range []error{noCreate, noUpdate, noComplete, noReopen, noDelete} {
		if !errors.Is(err, engine.ErrLacksPermission) {
			t.Error(err)
		}
	}
}

// TestOverdueByTheZone: a date lasts until its end where the vault is.
func TestOverdueByTheZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which begins at midnight, UTC, on 2000-01-01
		k := enginetest.New(t)
		doc := k.Create("Lease", "x")
		date := oblige(k, doc.ID, "Date", "2000-01-01", "")
		at := oblige(k, doc.ID, "Time", "2000-01-01T12:00:00Z", "")
		overdue := func(zone string) (titles string) {
			t.Helper()
			inZone(k, zone)
			for _, o := range obligations(k, engine.ObligationQuery{Status: "overdue"}) {
				titles += o.Title + " "
			}
			for _, o := range obligations(k, engine.ObligationQuery{Status: "pending"}) {
				if strings.Contains(titles, o.Title) {
					t.Errorf("%s is pending and overdue", o.Title)
				}
			}
			for _, id := range []string{date.ID, at.ID} {
				o, err := k.Obligation(t.Context(), id)
				must(t, err)
				if (o.Status == engine.ObligationOverdue) != strings.Contains(titles, o.Title) {
					t.Errorf("%+v, overdue are %s", o, titles)
				}
			}
			return titles
		}
		expect := func(zone, want string) {
			t.Helper()
			if got := overdue(zone); got != want {
				t.Errorf("at %s overdue in %s: %q, want %q", time.Now().UTC(), zone, got, want)
			}
		}
		start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		time.Sleep(time.Until(start.Add(9*time.Hour + 59*time.Minute)))
		expect("Pacific/Kiritimati", "") // UTC+14
		time.Sleep(time.Until(start.Add(10 * time.Hour)))
		expect("Pacific/Kiritimati", "Date ")
		expect("UTC", "")
		time.Sleep(time.Until(start.Add(12 * time.Hour)))
		expect("UTC", "Time ")
		time.Sleep(time.Until(start.Add(24 * time.Hour)))
		expect("UTC", "Time Date ")
		expect("Pacific/Pago_Pago", "Time ") // UTC-11
		time.Sleep(time.Until(start.Add(35 * time.Hour)))
		expect("Pacific/Pago_Pago", "Time Date ")
	})
}

// TestObligationLists compares random queries with a walk over all there are.
func TestObligationLists(t *testing.T) {
	eachSeed(t, *modelSeed, []uint64{1}, testObligationLists)
}

func testObligationLists(t *testing.T, seed uint64) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 0))
		k := enginetest.New(t)
		ctx := t.Context()
		docs := []string{k.Create("A", "a").ID, k.Create("B", "b").ID, k.Create("C", "c").ID}
		bob, _ := k.Person("Bob", engine.AccessUpload)
		owners := []string{k.Admin.UserID, bob.UserID}
		start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		when := func() engine.Due {
			at := start.Add(time.Duration(random.IntN(14*24)-7*24) * time.Hour)
			if random.IntN(2) == 0 {
				return due(t, at.Format(time.DateOnly))
			}
			return due(t, audit.FormatTime(at))
		}
		any := func(list ...string) string { return list[random.IntN(len(list))] }
		for range 120 {
			o, _, err := k.CreateObligation(ctx, k.Admin, engine.NewObligation{Title: "t", DueDate: when(), OwnerID: any(owners...), DocumentID: any(docs...)})
			must(t, err)
			if random.IntN(3) == 0 {
				_, _, err := k.CompleteObligation(ctx, k.Admin, o.ID, engine.Condition{}, engine.Completion{})
				must(t, err)
			}
		}
		for range 300 {
			zone := any("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/New_York")
			inZone(k, zone)
			where, err := time.LoadLocation(zone)
			must(t, err)
			q := engine.ObligationQuery{Status: engine.ObligationStatus(any("", "pending", "overdue", "completed")), Sort: engine.Sort(any("", "dueDate", "-dueDate"))}
			if random.IntN(2) == 0 {
				q.OwnerID = any(owners...)
			}
			if random.IntN(2) == 0 {
				q.DocumentID = any(docs...)
			}
			if random.IntN(2) == 0 {
				q.DueFrom = when()
			}
			if random.IntN(2) == 0 {
				q.DueTo = when()
			}
			edges := func(d engine.Due) (first, end time.Time) {
				if s := d.String(); len(s) == 10 {
					day, _ := time.ParseInLocation(time.DateOnly, s, where)
					return day, day.AddDate(0, 0, 1)
				}
				at, _ := time.Parse(time.RFC3339Nano, d.String())
				return at, at.Add(time.Millisecond)
			}
			var want []string
			all := obligations(k, engine.ObligationQuery{Sort: q.Sort})
			for _, o := range all {
				_, end := edges(o.DueDate)
				last := end.Add(-time.Millisecond)
				from, _ := edges(q.DueFrom)
				to, upTo := edges(q.DueTo)
				if len(q.DueTo.String()) == 10 {
					to = upTo
				}
				late := !time.Now().Before(end)
				if len(o.DueDate.String()) > 10 {
					late = !time.Now().Before(last)
				}
				status := map[bool]engine.ObligationStatus{false: "pending", true: "overdue"}[late]
				if !o.CompletedAt.IsZero() {
					status = "completed"
				}
				if status != o.Status {
					t.Fatalf("%s: %+v is %s", zone, o, status)
				}
				if (q.Status == "" || q.Status == status) && (q.OwnerID == "" || q.OwnerID == o.OwnerID) && (q.DocumentID == "" || q.DocumentID == o.DocumentID) &&
					(q.DueFrom.IsZero() || !last.Before(from)) && (q.DueTo.IsZero() || last.Before(to)) {
					want = append(want, o.ID)
				}
			}
			q.Limit = 1 + random.IntN(20)
			var got []string
			for _, o := range obligations(k, q) {
				got = append(got, o.ID)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s %+v: got %d, want %d\n%v\n%v", zone, q, len(got), len(want), got, want)
			}
			time.Sleep(time.Duration(random.IntN(2)) * time.Hour)
		}
	})
}

// TestTheEndOfADay is the first instant of the next one, also where the clocks
// are changed at midnight, so that there is none, or there are two.
func TestTheEndOfADay(t *testing.T) {
	for _, c := range []struct{ zone, date, end string }{
		{"America/New_York", "2000-04-02", "2000-04-03T04:00:00Z"}, // of 23 hours
		{"America/New_York", "2000-10-29", "2000-10-30T05:00:00Z"}, // of 25 hours
		{"America/Havana", "2000-04-01", "2000-04-02T05:00:00Z"},   // then it is 1:00
		{"America/Sao_Paulo", "2000-10-07", "2000-10-08T03:00:00Z"},
		{"Africa/Cairo", "2000-04-27", "2000-04-27T22:00:00Z"},
		{"America/Havana", "2000-10-28", "2000-10-29T04:00:00Z"}, // and an hour later it is 0:00 again
		{"Asia/Amman", "2000-09-28", "2000-09-28T21:00:00Z"},
		{"America/Sao_Paulo", "2000-02-26", "2000-02-27T03:00:00Z"}, // 23:00 comes twice before
	} {
		t.Run(c.zone+" "+c.date, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := enginetest.New(t)
				inZone(k, c.zone)
				o := oblige(k, k.Create("Lease", "x").ID, "Pay", c.date, "")
				end, err := time.Parse(time.RFC3339, c.end)
				must(t, err)
				for _, is := range []struct {
					at   time.Time
					want engine.ObligationStatus
				}{{end.Add(-time.Millisecond), engine.ObligationPending}, {end, engine.ObligationOverdue}} {
					time.Sleep(time.Until(is.at))
					if o, err := k.Obligation(t.Context(), o.ID); err != nil || o.Status != is.want {
						t.Errorf("at %s it is %s, %v", is.at, o.Status, err)
					}
				}
			})
		})
	}
}

// TestObligationsOfADocumentAreBounded: they go with it in one transaction. One
// that recurs is made all the same.
func TestObligationsOfADocumentAreBounded(t *testing.T) {
	k := enginetest.New(t)
	ctx := t.Context()
	doc, other := k.Create("Lease", "x").ID, k.Create("Other", "y").ID
	n := engine.NewObligation{Title: "Pay", DueDate: due(t, "2099-01-31"), OwnerID: k.Admin.UserID, DocumentID: doc, Recurrence: "monthly"}
	must(t, k.FillObligations(ctx, k.Admin, 1_000, func(int) engine.NewObligation { return n }))
	_, _, err := k.CreateObligation(ctx, k.Admin, n)
	wantField(t, err, "documentId")
	first := obligations(k, engine.ObligationQuery{DocumentID: doc})[0]
	_, _, err = k.CompleteObligation(ctx, k.Admin, first.ID, engine.Condition{}, engine.Completion{})
	must(t, err)
	if all := obligations(k, engine.ObligationQuery{DocumentID: doc}); len(all) != 1_001 || all[1_000].DueDate.String() != "2099-02-28" {
		t.Errorf("%d obligations, the last is %+v", len(all), all[len(all)-1])
	}
	n.DocumentID = other
	kept, _, err := k.CreateObligation(ctx, k.Admin, n)
	must(t, err)
	_, _, err = k.DeleteDocument(ctx, k.Admin, doc, engine.Condition{})
	must(t, err)
	if left := obligations(k, engine.ObligationQuery{}); len(left) != 1 || left[0].ID != kept.ID {
		t.Errorf("%d are left", len(left))
	}
}
