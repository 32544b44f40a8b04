package httpapi

import "strongroom/engine"

// ErasureSummary is a request to erase, without its documents.
type ErasureSummary struct {
	ID          string        `json:"id" doc:"Empty in a dry run, which there is nothing to read of afterwards."`
	Status      string        `json:"status" enum:"running|deferred|completed" doc:"deferred: what is left waits for a hold or for protection to end, and is then erased by itself. completed: all is gone, and where it stood has been overwritten."`
	UserID      string        `json:"userId,omitempty" doc:"Who is erased. Absent: documents are."`
	LegalBasis  string        `json:"legalBasis"`
	Requester   string        `json:"requester"`
	RequestedAt Time          `json:"requestedAt"`
	RequestedBy string        `json:"requestedBy" doc:"A user's id, or operator."`
	Counts      ErasureCounts `json:"counts"`
}

// ErasureCounts count the documents of an erasure.
type ErasureCounts struct {
	Documents uint64 `json:"documents"`
	Completed uint64 `json:"completed"`
	Deferred  uint64 `json:"deferred"`
}

// Erasure is a request to erase, and what has become of it.
type Erasure struct {
	ErasureSummary
	Documents []ErasedDocument `json:"documents"`
}

// ErasedDocument is how a document of an erasure stands.
type ErasedDocument struct {
	ID     string `json:"id"`
	Status string `json:"status" enum:"running|deferred|completed"`
	Why    string `json:"why" enum:"|held|protected|run" doc:"What it is deferred for: a legal hold, protection by compliance, or, once these have ended, the next run of retention."`
	Until  Time   `json:"until" null:"it is not deferred, or no date is known"`
}

func erasureSummaryOf(e engine.Erasure) ErasureSummary {
	return ErasureSummary{
		ID: e.ID, Status: string(e.Status), UserID: e.UserID, LegalBasis: e.LegalBasis, Requester: e.Requester,
		RequestedAt: Time(e.RequestedAt), RequestedBy: e.RequestedBy,
		Counts: ErasureCounts{Documents: e.Total, Completed: e.Completed, Deferred: e.Deferred},
	}
}

func erasureOf(e engine.Erasure) Erasure {
	return Erasure{erasureSummaryOf(e), mapped(e.Documents, func(d engine.ErasedDocument) ErasedDocument {
		return ErasedDocument{d.DocumentID, string(d.Status), string(d.Why), Time(d.Until)}
	})}
}
