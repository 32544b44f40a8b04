package httpapi

import (
	"context"
	"net/http"
	"strings"

	"strongroom/engine"
)

func (s *Server) holdRoutes() []route {
	noHold := engine.ErrHoldNotFound
	return []route{
		endpoint("POST", "/v1/documents/:id/holds", 201, admin, "Place a legal hold on a document, lock or no lock; it is effective at once", placeHold, noDocument, deleted),
		endpoint("GET", "/v1/documents/:id/holds", 200, readAll, "List the legal holds of a document, the one placed last first", listDocumentHolds, noDocument, deleted),
		endpoint("GET", "/v1/holds", 200, readAll, "List legal holds, of deleted documents too, the one placed last first", listHolds),
		endpoint("GET", "/v1/holds/:id", 200, readAll, "Read a legal hold", getHold, noHold),
		endpoint("POST", "/v1/holds/:id/release", 200, admin, "Release a legal hold, lock or no lock; nothing is disposed of by it", releaseHold, noHold).orApproval(),
		endpoint("GET", "/v1/matters", 200, readAll, "List the matters that legal holds were placed for, by name", listMatters),
		stream("POST", "/v1/bulk/holds", admin, "Place a legal hold for a matter on many documents, each by itself", jsonMedia, s.bulkPlace),
		stream("POST", "/v1/bulk/holds/release", admin, "Release the legal holds of a matter, or many, each by itself", jsonMedia, s.bulkRelease).orApproval(),
	}
}

// A hold is placed and released without the token of a lock: one in the header
// means nothing here.

type newHold struct {
	Reason string `json:"reason" required:"true" doc:"Why; it is kept as long as the audit log."`
	Matter string `json:"matter" doc:"What it is placed for, to find and release together all that is."`
}

type placeHoldInput struct {
	ID      string  `path:"id"`
	IfMatch ifMatch `header:"If-Match"`
	Hold    newHold `body:"json"`
}

func placeHold(ctx context.Context, c caller, in placeHoldInput) (reply[Hold], error) {
	h, receipt, err := c.vault.PlaceHold(ctx, c.actor, in.ID, in.IfMatch.condition(), engine.NewHold(in.Hold))
	out := changedHold(h, receipt)
	out.location = "/v1/holds/" + h.ID
	return out, err
}

func changedHold(h engine.Hold, r engine.Receipt) reply[Hold] {
	return reply[Hold]{body: holdOf(h), revision: h.Revision, receipt: r}
}

type documentHoldsInput struct {
	ID     string            `path:"id"`
	Status engine.HoldStatus `query:"status" enum:"active|released"`
	paging
}

func listDocumentHolds(ctx context.Context, c caller, in documentHoldsInput) (reply[List[Hold]], error) {
	page, err := c.vault.DocumentHolds(ctx, in.ID, in.Status, in.paging.engine())
	return answer(listOf(page, holdOf)), err
}

type holdsQuery struct {
	Status engine.HoldStatus `query:"status" enum:"active|released"`
	Matter string            `query:"matter"`
	paging
}

func listHolds(ctx context.Context, c caller, in holdsQuery) (reply[List[Hold]], error) {
	page, err := c.vault.Holds(ctx, engine.HoldQuery{Status: in.Status, Matter: in.Matter, Paging: in.paging.engine()})
	return answer(listOf(page, holdOf)), err
}

type holdInput struct {
	ID string `path:"id"`
}

func getHold(ctx context.Context, c caller, in holdInput) (reply[Hold], error) {
	h, err := c.vault.Hold(ctx, in.ID)
	return answer(holdOf(h)), err
}

type holdRelease struct {
	Reason string `json:"reason"`
}

type releaseHoldInput struct {
	ID      string      `path:"id"`
	IfMatch ifMatch     `header:"If-Match"`
	Release holdRelease `body:"optional"`
}

func releaseHold(ctx context.Context, c caller, in releaseHoldInput) (reply[Hold], error) {
	h, receipt, err := c.vault.ReleaseHold(ctx, c.actor, in.ID, in.IfMatch.condition(), in.Release.Reason)
	return changedHold(h, receipt), err
}

func listMatters(ctx context.Context, c caller, in paging) (reply[List[Matter]], error) {
	page, err := c.vault.Matters(ctx, in.engine())
	return answer(listOf(page, matterOf)), err
}

type bulkHolds struct {
	DocumentIDs *[]string      `json:"documentIds" doc:"10,000 at most. This or filter."`
	Filter      map[string]any `json:"filter" doc:"As in POST /v1/bulk/documents: without status, archived documents are left out; status all takes them in. It is evaluated once, before a hold is placed: what matches later is not held."`
	Reason      string         `json:"reason" required:"true" doc:"Why; it is kept as long as the audit log."`
	Matter      string         `json:"matter" required:"true" doc:"A document that is held for it already is left unchanged, so repeating is harmless."`
	DryRun      bool           `json:"dryRun" doc:"Place nothing, and tell what would be. A hold that would be placed has no holdId."`
}

type bulkHoldsInput struct {
	Holds bulkHolds `body:"json"`
}

func (s *Server) bulkPlace(c caller, x *exchange, r *http.Request, in bulkHoldsInput) error {
	ids, err := c.chosen(r.Context(), "documentIds", in.Holds.DocumentIDs, in.Holds.Filter, nil)
	if err != nil {
		return err
	}
	n := engine.NewHold{Reason: in.Holds.Reason, Matter: in.Holds.Matter}
	return s.holdsInSteps(x, r, ids, in.Holds.DryRun, func(ctx context.Context, some []string) ([]engine.HoldOutcome, error) {
		return c.vault.PlaceHolds(ctx, c.actor, some, n, in.Holds.DryRun)
	})
}

type bulkReleases struct {
	Matter  *string   `json:"matter" doc:"All holds that are active for it when the request comes. This or holdIds."`
	HoldIDs *[]string `json:"holdIds" doc:"10,000 at most. This or matter."`
	Reason  string    `json:"reason"`
	DryRun  bool      `json:"dryRun" doc:"Release nothing, and tell what would be."`
}

type bulkReleaseInput struct {
	Releases bulkReleases `body:"json"`
}

func (s *Server) bulkRelease(c caller, x *exchange, r *http.Request, in bulkReleaseInput) error {
	ids, err := c.chosenHolds(r.Context(), in.Releases)
	if err != nil {
		return err
	}
	if !in.Releases.DryRun { // one approval for all, however many steps they take
		if err := c.vault.ReleasingNeedsTwo(c.actor, ids, in.Releases.Reason); err != nil {
			return err
		}
	}
	return s.holdsInSteps(x, r, ids, in.Releases.DryRun, func(ctx context.Context, some []string) ([]engine.HoldOutcome, error) {
		return c.vault.ReleaseHolds(ctx, c.actor, some, in.Releases.Reason, in.Releases.DryRun)
	})
}

// chosenHolds are the holds that bulkReleases names. A matter is evaluated once:
// a hold placed for it later is not released.
func (c caller) chosenHolds(ctx context.Context, in bulkReleases) (ids []string, err error) {
	switch {
	case (in.Matter == nil) == (in.HoldIDs == nil):
		return nil, inBody("matter", "must choose the holds, or holdIds must, and not both")
	case in.Matter != nil && strings.TrimSpace(*in.Matter) == "":
		return nil, inBody("matter", "must not be empty")
	case in.HoldIDs != nil && len(*in.HoldIDs) > maxBulkIDs:
		return nil, inBody("holdIds", "must be at most %d", maxBulkIDs)
	case in.HoldIDs != nil:
		return *in.HoldIDs, nil
	}
	q := engine.HoldQuery{Status: engine.HoldActive, Matter: strings.TrimSpace(*in.Matter), Paging: engine.Paging{Limit: 500}}
	for {
		page, err := c.vault.Holds(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, h := range page.Items {
			ids = append(ids, h.ID)
		}
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			return ids, nil
		}
	}
}

// holdsInSteps answers for holds that are placed or released some at a time.
func (s *Server) holdsInSteps(x *exchange, r *http.Request, ids []string, dryRun bool, some func(context.Context, []string) ([]engine.HoldOutcome, error)) error {
	steps := func(ctx context.Context) ([]bulkOutcome, bool, error) {
		step := ids[:min(len(ids), bulkStep)]
		ids = ids[len(step):]
		outcomes, err := some(ctx, step)
		return mapped(outcomes, holdOutcome), len(ids) > 0, err
	}
	if dryRun {
		steps = tried(steps)
	}
	return s.inSteps(x, r, steps)
}

func holdOutcome(o engine.HoldOutcome) bulkOutcome {
	return bulkOutcome{o.Changed, o.Err, BulkResult{ID: o.DocumentID, HoldID: o.HoldID, Revision: o.Revision}}
}
