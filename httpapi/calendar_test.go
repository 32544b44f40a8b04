package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	ics "github.com/arran4/golang-ical"

	"strongroom/engine"
)

// address makes the address of the calendar of a key's user, below the server's.
func address(k *kit, key string) string {
	k.Helper()
	a, body := k.do(key, "POST", "/v1/me/calendar", nil)
	var made CalendarAddress
	if err := json.Unmarshal([]byte(body), &made); err != nil || a.StatusCode != 200 || a.Header.Get("X-Audit-Seq") == "" {
		k.Fatalf("%d %s", a.StatusCode, body)
	}
	return made.URL[strings.Index(made.URL, "/v1/"):]
}

// The calendar is read by a library of others, which did not write it.
func TestTheCalendarOfAUser(t *testing.T) {
	k := newKit(t, Options{})
	main := k.vaults["main"]
	d := main.Create("lease.txt", "lease")
	hidden := main.Create("hidden.txt", "hidden")
	long := "Renew; or leave, \\ decide: " + strings.Repeat("\u4e2d\u6587\u00fc ", 40) + "end"
	made := map[string]engine.Obligation{}
	for title, due := range map[string]string{long: "2099-03-31", "at a time": "2099-04-01T12:30:00Z", "late": "2020-01-01", "met": "2099-05-01", "of the hidden": "2099-06-01", "of another": "2099-07-01"} {
		date, err := engine.ParseDue(due)
		if err != nil {
			t.Fatal(err)
		}
		n := engine.NewObligation{Title: title, Description: "two\nlines\r\nBEGIN:VEVENT", DueDate: date, OwnerID: k.ids["view"], DocumentID: d.ID}
		if title == "of the hidden" {
			n.DocumentID = hidden.ID
		}
		if title == "of another" {
			n.OwnerID = k.ids["admin"]
		}
		o, _, err := main.CreateObligation(t.Context(), main.Admin, n)
		if err != nil {
			t.Fatal(err)
		}
		made[title] = o
	}
	if _, _, err := main.RestrictDocument(t.Context(), main.Admin, hidden.ID, engine.Condition{}, "contested"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := main.CompleteObligation(t.Context(), main.Admin, made["met"].ID, engine.Condition{}, engine.Completion{Note: "done"}); err != nil {
		t.Fatal(err)
	}
	path := address(k, "view")
	a, body := k.do("", "GET", path, nil)
	if a.StatusCode != 200 || a.Header.Get("Content-Type") != "text/calendar; charset=utf-8" || a.Header.Get("ETag") == "" {
		t.Fatalf("%d %v", a.StatusCode, a.Header)
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(body, "\r\n"), "\r\n") {
		if len(line) > 75 || !utf8.ValidString(line) || strings.ContainsAny(line, "\r\n") {
			t.Errorf("%q is no line of a calendar", line)
		}
	}
	calendar, err := ics.ParseCalendar(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	events := map[string]*ics.VEvent{}
	for _, e := range calendar.Events() {
		events[strings.TrimPrefix(e.GetProperty(ics.ComponentPropertySummary).Value, "Completed: ")] = e
	}
	if len(events) != 4 || events["of another"] != nil || events["of the hidden"] != nil {
		t.Errorf("%d events: %s", len(events), body)
	}
	for title, e := range events {
		o := made[title]
		if e.Id() != o.ID+"@"+main.ID()+".strongroom" || e.GetProperty(ics.ComponentPropertyDtstamp) == nil || e.GetProperty(ics.ComponentPropertyStatus).Value != "CONFIRMED" {
			t.Errorf("%q: %s", title, e.Serialize())
		}
		want := 3 // reminderDays
		sequence := "0"
		if title == "met" {
			want, sequence = 0, "1"
		}
		if len(e.Alarms()) != want || e.GetProperty(ics.ComponentPropertySequence).Value != sequence {
			t.Errorf("%q has %d alarms", title, len(e.Alarms()))
		}
		for i, alarm := range e.Alarms() {
			before := alarm.GetProperty(ics.ComponentPropertyTrigger).Value
			if before != []string{"-P30D", "-P7D", "-P1D"}[i] || alarm.GetProperty(ics.ComponentPropertyAction).Value != "DISPLAY" || alarm.GetProperty(ics.ComponentPropertyDescription).Value != title {
				t.Errorf("%q: %s", title, alarm.Serialize())
			}
		}
		if about := e.GetProperty(ics.ComponentPropertyDescription).Value; about != "two\nlines\nBEGIN:VEVENT\n\nDocument: lease.txt" {
			t.Errorf("%q", about)
		}
	}
	if at, err := events["at a time"].GetStartAt(); err != nil || at.Format("20060102T150405Z") != "20990401T123000Z" {
		t.Errorf("%v %v", at, err)
	}
	if at, err := events[long].GetAllDayStartAt(); err != nil || at.Format("2006-01-02") != "2099-03-31" {
		t.Errorf("%v %v", at, err)
	}
	if a, body := k.do("", "GET", path, nil, "If-None-Match", a.Header.Get("ETag")); a.StatusCode != http.StatusNotModified || body != "" {
		t.Errorf("%d %q", a.StatusCode, body)
	}
	// Whoever sees what is restricted has it in the calendar.
	if _, body := k.do("", "GET", address(k, "admin"), nil); !strings.Contains(body, "of another") {
		t.Error(body)
	}
}

// The token of a calendar opens nothing else, and no other token opens a calendar.
func TestTheTokenOfACalendar(t *testing.T) {
	k := newKit(t, Options{Rate: 0.001, Burst: 40})
	path := address(k, "view")
	token := path[strings.Index(path, "=")+1:]
	for _, p := range []string{"/v1/me", "/v1/obligations", "/v1/documents?limit=1"} {
		if a, _ := k.do("", "GET", p, nil, "Authorization", "Bearer "+token); a.StatusCode != 401 {
			t.Errorf("%s: %d", p, a.StatusCode)
		}
	}
	for _, wrong := range []string{"", "x", k.tokens["admin"], token + "x", strings.Replace(token, "main", "other", 1), strings.Replace(token, "main", "nowhere", 1)} {
		if a, body := k.do("", "GET", calendarPattern+"?token="+wrong, nil); a.StatusCode != 404 || !strings.Contains(body, "CALENDAR_NOT_FOUND") {
			t.Errorf("%q: %d %s", wrong, a.StatusCode, body)
		}
	}
	if a, _ := k.do("", "POST", calendarPattern+"?token="+token, nil); a.StatusCode != 405 {
		t.Errorf("%d", a.StatusCode)
	}
	limited := 0
	for range 60 {
		if a, _ := k.do("", "GET", path, nil); a.StatusCode == 429 {
			limited++
		}
	}
	if limited == 0 {
		t.Error("nobody is held to the rate")
	}
	if a, body := k.do("view", "DELETE", "/v1/me/calendar", nil); a.StatusCode != 200 && a.StatusCode != 429 {
		t.Errorf("%d %s", a.StatusCode, body)
	}
	if strings.Contains(k.log.String(), token) {
		t.Error("the token is in the log")
	}
}

func TestFoldedLines(t *testing.T) {
	for n := range 300 {
		for _, letter := range []string{"x", "\u00fc", "\u4e2d", "\U0001F600"} {
			text := fmt.Sprint("S:", strings.Repeat("a", n%7), strings.Repeat(letter, n))
			var b icalendar
			b.line(text)
			if got := strings.ReplaceAll(b.String(), "\r\n ", ""); got != text+"\r\n" {
				t.Fatalf("%q", got)
			}
			for line := range strings.SplitSeq(b.String(), "\r\n") {
				if len(line) > 75 || !utf8.ValidString(line) {
					t.Fatalf("%q has %d octets", line, len(line))
				}
			}
		}
	}
}
