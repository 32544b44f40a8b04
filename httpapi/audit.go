package httpapi

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"strongroom/audit"
	"strongroom/engine"
)

type entriesQuery struct {
	After      uint64 `query:"after" max:"9007199254740991" doc:"Entries with a larger seq."`
	Cursor     string `query:"cursor" doc:"The nextCursor of the page before; after does not count beside it."`
	Limit      uint64 `query:"limit" min:"1" max:"500" default:"50" doc:"How many items at most."`
	DocumentID string `query:"documentId"`
	ActorID    string `query:"actorId"`
	Op         string `query:"op" doc:"One operation, like document.created."`
	From       Time   `query:"from" doc:"At this time or later."`
	To         Time   `query:"to" doc:"Before this time."`
	Wait       uint64 `query:"wait" max:"60" doc:"Seconds to hold the answer until there is something to tell."`
}

func (q entriesQuery) engine() (engine.EntryQuery, error) {
	if q.Cursor != "" {
		after, err := bounds{max: 1<<53 - 1}.parse(q.Cursor) // what a seq may be
		if err != nil {
			return engine.EntryQuery{}, inParameter("cursor", "is not the nextCursor of a page")
		}
		q.After = after
	}
	return engine.EntryQuery{
		After: q.After, Limit: int(q.Limit), DocumentID: q.DocumentID, ActorID: q.ActorID, Op: audit.Op(q.Op),
		From: time.Time(q.From), To: time.Time(q.To),
	}, nil
}

func (s *Server) listEntries(ctx context.Context, c caller, in entriesQuery) (reply[List[Entry]], error) {
	q, err := in.engine()
	if err != nil {
		return reply[List[Entry]]{}, err
	}
	page, err := s.awaitEntries(ctx, &c, q, time.Duration(in.Wait)*time.Second)
	if err != nil {
		return reply[List[Entry]]{}, err
	}
	list := List[Entry]{Items: mapped(page.Items, func(e engine.Entry) Entry { return entryOf(e, c.actor.Access) })}
	if page.NextAfter > 0 {
		list.NextCursor = strconv.FormatUint(page.NextAfter, 10)
	}
	return answer(list), nil
}

// awaitEntries asks again whenever the log has grown, until there is an answer
// or the time is up: by the wait, by Stop, or because the client went away. Each
// entry is looked at once, however many commits wake it. c is who may see the
// answer when it is there.
func (s *Server) awaitEntries(ctx context.Context, c *caller, q engine.EntryQuery, wait time.Duration) (engine.EntryPage, error) {
	patience, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	defer context.AfterFunc(s.running, cancel)()
	for {
		// The head before looking: whatever comes after it ends the wait, so
		// nothing slips in between looking and waiting.
		seen := c.vault.Head().Seq
		page, err := c.vault.Entries(ctx, q) // as c may see it by now
		if err != nil || len(page.Items) > 0 || page.NextAfter > 0 || patience.Err() != nil {
			return page, err
		}
		q.After = max(q.After, seen)
		if err := awaitNews(patience, c, q.After); err != nil {
			return page, err
		}
	}
}

// doubt is how long a caller is believed who waits: an expiry is no entry that
// would wake it.
const doubt = time.Second

// awaitNews returns when there is an entry after the one given, or the time is up,
// or as soon as the caller may not know any more.
func awaitNews(patience context.Context, c *caller, after uint64) error {
	for {
		step, cancel := context.WithTimeout(patience, doubt)
		err := c.vault.Wait(step, after)
		over := step.Err() != nil
		cancel()
		if err != nil && !over {
			return err
		}
		if err := c.again(); err != nil {
			return err
		}
		if err == nil || patience.Err() != nil {
			return nil
		}
	}
}

// entrySeq is the number of an entry in a path.
type entrySeq uint64

func (n *entrySeq) bind(s string) error {
	seq, err := strconv.ParseUint(s, 10, 64)
	if err != nil || strconv.FormatUint(seq, 10) != s {
		return engine.ErrEntryNotFound
	}
	*n = entrySeq(seq)
	return nil
}

type entryInput struct {
	Seq entrySeq `path:"seq"`
}

func getEntry(ctx context.Context, c caller, in entryInput) (reply[Entry], error) {
	e, err := c.vault.Entry(ctx, uint64(in.Seq))
	if err != nil {
		return reply[Entry]{}, err
	}
	return answer(entryOf(e, c.actor.Access)), nil
}

// governing are the nouns whose details are not part of what everybody reads.
var governing = []string{"user", "key", "client", "session", "approval", "webhook", "hold", "settings", "erasure", "signin", "matter", "calendar"}

// ShowsDetail reports whether a reader of this access is shown the details of an
// operation's entries.
func ShowsDetail(op audit.Op, access engine.Access) bool {
	noun, _, _ := strings.Cut(string(op), ".")
	return access.Permits(engine.AccessAuditor) == nil || !slices.Contains(governing, noun)
}

// entryOf prints an entry for a reader of this access.
func entryOf(e engine.Entry, access engine.Access) Entry {
	out := Entry{
		Seq: e.Seq, Prev: e.Prev, Time: Time(e.Time), Actor: e.Actor, Key: e.Key, Op: string(e.Op),
		Document: e.Document, Version: e.Version, Facts: audit.FactsOf(e.Line), Hash: e.Hash,
	}
	if !e.Entry.Detail.IsZero() {
		out.DetailDigest = e.Entry.Detail.String()
	}
	if e.Detail != nil && ShowsDetail(e.Op, access) {
		out.Detail = json.RawMessage(e.Detail)
		out.Salt = hex.EncodeToString(e.Salt)
	}
	return out
}

func getHead(_ context.Context, c caller, _ struct{}) (reply[Head], error) {
	return answer(headOf(c.vault.Head())), nil
}

type exportInput struct {
	After uint64 `query:"after" max:"9007199254740991" doc:"Entries with a larger seq."`
}

func exportLog(c caller, x *exchange, r *http.Request, in exportInput) error {
	return export(c, x, r, in.After, (*engine.Export).WriteLog)
}

func exportDetails(c caller, x *exchange, r *http.Request, in exportInput) error {
	return export(c, x, r, in.After, (*engine.Export).WriteDetails)
}

// export streams up to the head it names in the header, whatever is written
// meanwhile. HEAD exports nothing, so it is not recorded.
func export(c caller, x *exchange, r *http.Request, after uint64, write func(*engine.Export, context.Context, io.Writer) error) error {
	h := x.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		if err := beyondLog(r.Context(), c.vault, after); err != nil {
			return err
		}
		h.Set("X-Audit-Head", headLine(c.vault.Head()))
		x.WriteHeader(http.StatusOK)
		return nil
	}
	e, err := c.vault.Export(r.Context(), c.actor, after)
	if err != nil {
		return err
	}
	h.Set("X-Audit-Head", headLine(e.Head))
	x.receipt(e.Receipt)
	x.WriteHeader(http.StatusOK)
	return write(e, r.Context(), x)
}

// beyondLog is the error of whoever has read more than the log has.
func beyondLog(ctx context.Context, v *engine.Vault, after uint64) error {
	_, err := v.Entries(ctx, engine.EntryQuery{After: after, Limit: 1})
	return err
}

// headLine is a head in the form of a receipt.
func headLine(h audit.Head) string {
	return strconv.FormatUint(h.Seq, 10) + ":" + h.Hash.String()
}
