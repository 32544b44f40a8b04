package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"strongroom/engine"
)

// CalendarAddress is where a user's obligations are read as a calendar.
type CalendarAddress struct {
	URL string `json:"url" doc:"Shown this once. Whoever has it reads the obligations of the user, and nothing else."`
}

func startCalendar(ctx context.Context, c caller, _ struct{}) (reply[CalendarAddress], error) {
	token, receipt, err := c.vault.StartCalendar(ctx, c.actor)
	return reply[CalendarAddress]{body: CalendarAddress{CalendarURL(c.base, token)}, receipt: receipt}, err
}

// CalendarURL is the address of a calendar: base is what a path of the API is appended
// to, see [Address.Base].
func CalendarURL(base string, token engine.Secret) string {
	return base + calendarPattern + "?token=" + url.QueryEscape(token.Reveal())
}

// Ended is the answer to what has nothing left to show.
type Ended struct {
	Ended bool `json:"ended" doc:"Whether there was one to end."`
}

func endCalendar(ctx context.Context, c caller, _ struct{}) (reply[Ended], error) {
	receipt, err := c.vault.EndCalendar(ctx, c.actor)
	return reply[Ended]{body: Ended{receipt.Seq != 0}, receipt: receipt}, err
}

const (
	calendarPattern = "/v1/obligations/calendar.ics"
	calendarMedia   = "text/calendar"
)

type calendarInput struct {
	Token string `query:"token" doc:"Of the address that POST /v1/me/calendar answers."`
}

// getCalendar answers without a key: its token is in the address, because programs
// that subscribe to calendars send nothing else.
func (s *Server) getCalendar(_ caller, x *exchange, r *http.Request, in calendarInput) error {
	v, err := s.calendarVault(in.Token)
	if err != nil {
		return err
	}
	user, actor, err := v.Calendar(r.Context(), in.Token)
	if errors.Is(err, engine.ErrUnavailable) {
		return errUnverified
	}
	if err != nil {
		return err
	}
	x.user, x.vault = user.ID, v
	if err := s.spend(x, caller{vault: v, actor: actor}); err != nil {
		return err
	}
	feed, err := calendarOf(r.Context(), v.As(actor), user)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(feed)
	h := x.Header()
	h.Set("Content-Type", calendarMedia+"; charset=utf-8")
	h.Set("Content-Disposition", `inline; filename="obligations.ics"`)
	h.Set("Cache-Control", "private, no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
	r = r.Clone(r.Context())
	r.Header.Del("Range") // a part of a calendar is none
	http.ServeContent(x, r, "", time.Time{}, bytes.NewReader(feed))
	return nil
}

// calendarVault is the vault a token says it is for. One that cannot be asked now is
// no reason to tell a program that its calendar is gone.
func (s *Server) calendarVault(token string) (*engine.Vault, error) {
	name := engine.CalendarVault(token)
	if v := s.vaults[name]; v != nil && v.Ready() == nil {
		return v, nil
	}
	if name != "" && len(s.down()) > 0 {
		return nil, errUnverified
	}
	return nil, engine.ErrCalendarNotFound
}

// mostEvents is how many obligations a calendar has at most: the open ones first, as
// they are due, then those completed last.
const mostEvents = 10_000

// calendarOf is the calendar of a user's obligations (RFC 5545). Equal obligations
// make equal bytes.
func calendarOf(ctx context.Context, v *engine.Vault, user engine.User) ([]byte, error) {
	settings, err := v.Settings(ctx)
	if err != nil {
		return nil, err
	}
	b := &icalendar{}
	b.line("BEGIN:VCALENDAR")
	b.line("VERSION:2.0")
	b.line("PRODID:-//Strongroom//Obligations//EN")
	b.line("CALSCALE:GREGORIAN")
	b.line("METHOD:PUBLISH")
	b.line("X-WR-CALNAME:" + escaped("Obligations of "+user.Name))
	b.line("REFRESH-INTERVAL;VALUE=DURATION:PT1H")
	b.line("X-PUBLISHED-TTL:PT1H")
	left := mostEvents
	for _, q := range []engine.ObligationQuery{
		{Status: engine.ObligationOverdue}, {Status: engine.ObligationPending}, {Status: engine.ObligationCompleted, Sort: engine.SortDue.Descending()},
	} {
		q.OwnerID, q.Limit = user.ID, 500
		for left > 0 {
			page, err := v.Obligations(ctx, q)
			if err != nil {
				return nil, err
			}
			for _, o := range page.Items[:min(left, len(page.Items))] {
				b.event(v.ID(), o, settings.ReminderDays)
				left--
			}
			if q.Cursor = page.NextCursor; q.Cursor == "" {
				break
			}
		}
	}
	b.line("END:VCALENDAR")
	return b.Bytes(), nil
}

// icalendar is text of RFC 5545.
type icalendar struct{ bytes.Buffer }

// event writes one obligation. One that is completed keeps its place, without alarms.
func (b *icalendar) event(vault string, o engine.Obligation, days []uint64) {
	done := o.Status == engine.ObligationCompleted
	title, about := o.Title, o.Description
	if done {
		title = "Completed: " + title
	}
	if about != "" {
		about += "\n\n"
	}
	about += "Document: " + o.DocumentName
	b.line("BEGIN:VEVENT")
	b.line("UID:" + o.ID + "@" + vault + ".strongroom")
	b.line("DTSTAMP:" + utc(o.UpdatedAt))
	b.line("CREATED:" + utc(o.CreatedAt))
	b.line("LAST-MODIFIED:" + utc(o.UpdatedAt))
	b.line(fmt.Sprintf("SEQUENCE:%d", o.Revision-1))
	if date, at := o.DueDate.Calendar(); date {
		b.line("DTSTART;VALUE=DATE:" + at.Format("20060102"))
		b.line("DTEND;VALUE=DATE:" + at.AddDate(0, 0, 1).Format("20060102"))
	} else {
		b.line("DTSTART:" + utc(at))
	}
	b.line("SUMMARY:" + escaped(title))
	b.line("DESCRIPTION:" + escaped(about))
	b.line("STATUS:CONFIRMED")
	b.line("TRANSP:TRANSPARENT")
	for _, n := range days {
		if done {
			break
		}
		b.line("BEGIN:VALARM")
		b.line("ACTION:DISPLAY")
		b.line(fmt.Sprintf("TRIGGER:-P%dD", n))
		b.line("DESCRIPTION:" + escaped(o.Title))
		b.line("END:VALARM")
	}
	b.line("END:VEVENT")
}

func utc(at time.Time) string { return at.UTC().Format("20060102T150405Z") }

// foldAt is how many octets a line may have, without its end.
const foldAt = 75

// line writes a line, folded where it is longer, between characters.
func (b *icalendar) line(s string) {
	for room := foldAt; len(s) > room; room = foldAt - 1 {
		at := room
		for !utf8.RuneStart(s[at]) {
			at--
		}
		b.WriteString(s[:at] + "\r\n ")
		s = s[at:]
	}
	b.WriteString(s + "\r\n")
}

// escaped spells a text so that it is one value of one line.
func escaped(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\r\n", "\n"), "\uFFFD")
	s = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\n", `\n`, "\r", `\n`).Replace(s)
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}
