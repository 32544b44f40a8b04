package httpapi

import (
	"context"

	"strongroom/engine"
)

// dueDate is an engine.Due in a query.
type dueDate struct{ engine.Due }

func (d *dueDate) bind(s string) error { return d.UnmarshalText([]byte(s)) }

type newObligation struct {
	Title       string            `json:"title" required:"true"`
	Description string            `json:"description"`
	DueDate     engine.Due        `json:"dueDate" required:"true" doc:"A date (ISO 8601), until its end in the settings' timeZone, or a time."`
	OwnerID     string            `json:"ownerId" required:"true" doc:"A user."`
	DocumentID  string            `json:"documentId" required:"true" doc:"With this document it is deleted."`
	Recurrence  engine.Recurrence `json:"recurrence" enum:"|monthly|quarterly|yearly" doc:"Completing it creates the next. Absent: once."`
}

type createObligationInput struct {
	Obligation newObligation `body:"json"`
}

func createObligation(ctx context.Context, c caller, in createObligationInput) (reply[Obligation], error) {
	o, receipt, err := c.vault.CreateObligation(ctx, c.actor, engine.NewObligation(in.Obligation))
	out := changedObligation(o, receipt)
	out.location = "/v1/obligations/" + o.ID
	return out, err
}

func changedObligation(o engine.Obligation, r engine.Receipt) reply[Obligation] {
	return reply[Obligation]{body: obligationOf(o), revision: o.Revision, receipt: r}
}

type obligationQuery struct {
	Status     engine.ObligationStatus `query:"status" enum:"pending|overdue|completed"`
	OwnerID    string                  `query:"ownerId"`
	DocumentID string                  `query:"documentId"`
	DueFrom    dueDate                 `query:"dueFrom" doc:"Due at this time or later, or on this date or later."`
	DueTo      dueDate                 `query:"dueTo" doc:"Due before this time, or on this date or earlier."`
	Sort       engine.Sort             `query:"sort" enum:"dueDate|-dueDate" default:"dueDate" doc:"With - in front: descending. A date stands behind the times of that day in UTC."`
	paging
}

func listObligations(ctx context.Context, c caller, in obligationQuery) (reply[List[Obligation]], error) {
	page, err := c.vault.Obligations(ctx, engine.ObligationQuery{
		Status: in.Status, OwnerID: in.OwnerID, DocumentID: in.DocumentID, DueFrom: in.DueFrom.Due, DueTo: in.DueTo.Due,
		Sort: in.Sort, Paging: in.paging.engine(),
	})
	return answer(listOf(page, obligationOf)), err
}

type obligationInput struct {
	ID string `path:"id"`
}

func getObligation(ctx context.Context, c caller, in obligationInput) (reply[Obligation], error) {
	o, err := c.vault.Obligation(ctx, in.ID)
	return changedObligation(o, engine.Receipt{}), err
}

// obligationChange is what every change of an obligation carries.
type obligationChange struct {
	ID      string  `path:"id"`
	IfMatch ifMatch `header:"If-Match"`
}

// obligationPatch is a merge patch (RFC 7396).
type obligationPatch struct {
	Title       *string                   `json:"title"`
	Description member[string]            `json:"description"`
	DueDate     *engine.Due               `json:"dueDate" doc:"Another one begins the reminders anew."`
	OwnerID     *string                   `json:"ownerId"`
	Recurrence  member[engine.Recurrence] `json:"recurrence" doc:"monthly, quarterly, yearly, or null or empty for once."`
}

type updateObligationInput struct {
	obligationChange
	Patch obligationPatch `body:"merge"`
}

func updateObligation(ctx context.Context, c caller, in updateObligationInput) (reply[Obligation], error) {
	p := in.Patch
	o, receipt, err := c.vault.UpdateObligation(ctx, c.actor, in.ID, in.IfMatch.condition(), engine.ObligationPatch{
		Title: p.Title, Description: orZero(p.Description), DueDate: p.DueDate, OwnerID: p.OwnerID, Recurrence: orZero(p.Recurrence),
	})
	return changedObligation(o, receipt), err
}

func deleteObligation(ctx context.Context, c caller, in obligationChange) (reply[Obligation], error) {
	o, receipt, err := c.vault.DeleteObligation(ctx, c.actor, in.ID, in.IfMatch.condition())
	return reply[Obligation]{body: obligationOf(o), receipt: receipt}, err
}

type newEvidence struct {
	DocumentID string `json:"documentId" required:"true"`
	Version    uint64 `json:"version" required:"true" min:"1"`
}

type completion struct {
	Note     string       `json:"note"`
	Evidence *newEvidence `json:"evidence" doc:"The version that proves it."`
}

type completeObligationInput struct {
	obligationChange
	Completion completion `body:"optional"`
}

func completeObligation(ctx context.Context, c caller, in completeObligationInput) (reply[Obligation], error) {
	o, receipt, err := c.vault.CompleteObligation(ctx, c.actor, in.ID, in.IfMatch.condition(), engine.Completion{
		Note: in.Completion.Note, Evidence: (*engine.Evidence)(in.Completion.Evidence),
	})
	return changedObligation(o, receipt), err
}

func reopenObligation(ctx context.Context, c caller, in obligationChange) (reply[Obligation], error) {
	o, receipt, err := c.vault.ReopenObligation(ctx, c.actor, in.ID, in.IfMatch.condition())
	return changedObligation(o, receipt), err
}

func obligationDashboard(ctx context.Context, c caller, _ struct{}) (reply[ObligationSummary], error) {
	s, err := c.vault.ObligationSummary(ctx)
	return answer(ObligationSummary{
		ByStatus: ObligationCounts(s.ByStatus),
		ByMonth: mapped(s.ByMonth, func(m engine.MonthCounts) MonthCounts {
			return MonthCounts{m.Month, ObligationCounts(m.ObligationCounts)}
		}),
		ByOwner: mapped(s.ByOwner, func(o engine.OwnerCounts) OwnerCounts {
			return OwnerCounts{o.OwnerID, o.OwnerName, ObligationCounts(o.ObligationCounts)}
		}),
		Next: mapped(s.Next, obligationOf), Partial: s.Partial,
	}), err
}
