package httpapi

import "strongroom/engine"

// Obligation is something that somebody is to do because of a document.
type Obligation struct {
	ID           string     `json:"id"`
	Title        string     `json:"title"`
	Description  string     `json:"description"`
	DueDate      engine.Due `json:"dueDate" doc:"A date, until its end in the settings' timeZone, or a time."`
	Status       string     `json:"status" enum:"pending|overdue|completed" doc:"As of now."`
	OwnerID      string     `json:"ownerId"`
	OwnerName    string     `json:"ownerName"`
	DocumentID   string     `json:"documentId"`
	DocumentName string     `json:"documentName"`
	Recurrence   string     `json:"recurrence" enum:"|monthly|quarterly|yearly" doc:"Empty: once."`
	CompletedAt  Time       `json:"completedAt" null:"not completed"`
	CompletedBy  string     `json:"completedBy" doc:"A user's id; empty if it is not completed."`
	Note         string     `json:"note" doc:"Given on completion."`
	Evidence     *Evidence  `json:"evidence,omitempty" doc:"What proves the completion, if anything was named."`
	CreatedAt    Time       `json:"createdAt"`
	UpdatedAt    Time       `json:"updatedAt"`
	Revision     uint64     `json:"revision" doc:"It is the ETag."`
}

// Evidence names a version of a document.
type Evidence struct {
	DocumentID string `json:"documentId"`
	Version    uint64 `json:"version"`
}

func obligationOf(o engine.Obligation) Obligation {
	return Obligation{
		ID: o.ID, Title: o.Title, Description: o.Description, DueDate: o.DueDate, Status: string(o.Status),
		OwnerID: o.OwnerID, OwnerName: o.OwnerName, DocumentID: o.DocumentID, DocumentName: o.DocumentName,
		Recurrence: string(o.Recurrence), CompletedAt: Time(o.CompletedAt), CompletedBy: o.CompletedBy, Note: o.Note,
		Evidence: (*Evidence)(o.Evidence), CreatedAt: Time(o.CreatedAt), UpdatedAt: Time(o.UpdatedAt), Revision: o.Revision,
	}
}

// ObligationSummary tells how the obligations stand.
type ObligationSummary struct {
	ByStatus ObligationCounts `json:"byStatus"`
	ByMonth  []MonthCounts    `json:"byMonth" doc:"By the month in which they are due: this one, 12 before it and 24 after it, those with some."`
	ByOwner  []OwnerCounts    `json:"byOwner" doc:"Most open obligations first, 100 owners at most."`
	Next     []Obligation     `json:"next" doc:"The 10 pending ones that are due next."`
	Partial  bool             `json:"partial" doc:"Whether there are more than were counted: 100,000 open and 100,000 completed ones are."`
}

// ObligationCounts are numbers of obligations.
type ObligationCounts struct {
	Pending   uint64 `json:"pending"`
	Overdue   uint64 `json:"overdue"`
	Completed uint64 `json:"completed"`
}

// MonthCounts are those due in a month.
type MonthCounts struct {
	Month string `json:"month" doc:"Like 2026-11, in the settings' timeZone."`
	ObligationCounts
}

// OwnerCounts are those of a user.
type OwnerCounts struct {
	OwnerID   string `json:"ownerId"`
	OwnerName string `json:"ownerName"`
	ObligationCounts
}
