package httpapi

import (
	"context"

	"strongroom/engine"
)

func erasureRoutes() []route {
	return []route{
		endpoint("POST", "/v1/erasures", 202, admin, "Erase documents, or a closed user, as a law demands; holds and protection by compliance defer it", requestErasure).orApproval(),
		endpoint("GET", "/v1/erasures", 200, readAll, "List erasures, without their documents, in the order in which they were asked for", listErasures),
		endpoint("GET", "/v1/erasures/:id", 200, readAll, "Read an erasure with its documents", getErasure, engine.ErrErasureNotFound),
	}
}

type newErasure struct {
	DocumentIDs *[]string      `json:"documentIds" doc:"10,000 at most, deleted ones too: their bytes are gone, but not what the audit log tells of them. This, filter or userId."`
	Filter      map[string]any `json:"filter" doc:"As in POST /v1/bulk/documents: without status, archived documents are left out; status all takes them in, and deleted ones. It is evaluated once: what matches later is not erased."`
	UserID      string         `json:"userId" doc:"A user who is closed: name, e-mail address, the names of their keys, and the details of the audit entries about them go. Their documents stay."`
	LegalBasis  string         `json:"legalBasis" required:"true" doc:"What obliges to erase. It is kept."`
	Requester   string         `json:"requester" required:"true" doc:"Who asked. It is kept, so the number of a case is better than a name."`
	DryRun      bool           `json:"dryRun" doc:"Erase nothing and note nothing: the answer tells how each document would stand, and has no id."`
}

type requestErasureInput struct {
	Erasure newErasure `body:"json"`
}

func requestErasure(ctx context.Context, c caller, in requestErasureInput) (reply[Erasure], error) {
	n := engine.NewErasure{UserID: in.Erasure.UserID, LegalBasis: in.Erasure.LegalBasis, Requester: in.Erasure.Requester}
	if n.UserID == "" || in.Erasure.DocumentIDs != nil || in.Erasure.Filter != nil {
		var err error
		if n.DocumentIDs, err = c.chosen(ctx, "documentIds", in.Erasure.DocumentIDs, in.Erasure.Filter, nil); err != nil {
			return reply[Erasure]{}, err
		}
	}
	if found := len(n.DocumentIDs); in.Erasure.Filter != nil && (found == 0 || found > engine.MaxErased) {
		return reply[Erasure]{}, inBody("filter", "matches %d documents, and must match from 1 to %d", found, engine.MaxErased)
	}
	if in.Erasure.DryRun {
		e, err := c.vault.PreviewErasure(ctx, c.actor, n)
		return answer(erasureOf(e)), err
	}
	e, receipt, err := c.vault.RequestErasure(ctx, c.actor, n)
	return askedErasure(e, receipt), err
}

func askedErasure(e engine.Erasure, r engine.Receipt) reply[Erasure] {
	return reply[Erasure]{body: erasureOf(e), receipt: r, location: "/v1/erasures/" + e.ID}
}

func listErasures(ctx context.Context, c caller, in paging) (reply[List[ErasureSummary]], error) {
	page, err := c.vault.Erasures(ctx, in.engine())
	return answer(listOf(page, erasureSummaryOf)), err
}

type erasureInput struct {
	ID string `path:"id"`
}

func getErasure(ctx context.Context, c caller, in erasureInput) (reply[Erasure], error) {
	e, err := c.vault.Erasure(ctx, in.ID)
	return answer(erasureOf(e)), err
}
