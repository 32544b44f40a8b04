package httpapi

import "strongroom/engine"

// Hold is a legal hold on one document.
type Hold struct {
	ID            string `json:"id"`
	DocumentID    string `json:"documentId"`
	Reason        string `json:"reason"`
	Matter        string `json:"matter" doc:"What it was placed for, which holds of several documents have in common; empty if nothing was named."`
	Status        string `json:"status" enum:"active|released"`
	PlacedAt      Time   `json:"placedAt"`
	PlacedBy      string `json:"placedBy" doc:"A user's id, or operator."`
	ReleasedAt    Time   `json:"releasedAt" null:"active"`
	ReleasedBy    string `json:"releasedBy" doc:"Empty while it is active."`
	ReleaseReason string `json:"releaseReason" doc:"Empty if none was given."`
}

func holdOf(h engine.Hold) Hold {
	return Hold{
		ID: h.ID, DocumentID: h.DocumentID, Reason: h.Reason, Matter: h.Matter, Status: string(h.Status),
		PlacedAt: Time(h.PlacedAt), PlacedBy: h.PlacedBy,
		ReleasedAt: Time(h.ReleasedAt), ReleasedBy: h.ReleasedBy, ReleaseReason: h.ReleaseReason,
	}
}

// Matter is what the holds placed for one matter add up to.
type Matter struct {
	Matter         string `json:"matter"`
	Active         uint64 `json:"active" doc:"Holds."`
	Released       uint64 `json:"released" doc:"Holds."`
	Documents      uint64 `json:"documents" doc:"That were ever held for it, each counted once, those deleted since too."`
	FirstPlacedAt  Time   `json:"firstPlacedAt"`
	LastReleasedAt Time   `json:"lastReleasedAt" null:"none was released"`
}

func matterOf(m engine.Matter) Matter {
	return Matter{
		Matter: m.Name, Active: m.Active, Released: m.Released, Documents: m.Documents,
		FirstPlacedAt: Time(m.FirstPlacedAt), LastReleasedAt: Time(m.LastReleasedAt),
	}
}
