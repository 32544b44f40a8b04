package httpapi

import (
	"encoding/json"

	"strongroom/engine"
)

// Approval is a request for what needs two persons.
type Approval struct {
	ID          string          `json:"id"`
	What        string          `json:"what" enum:"hold.release|erasure|governance.bypass|policy.weaken|lock.break|document.delete|export|admin|settings" doc:"What of the setting twoPersons covers it; admin and settings are covered by all of it."`
	Status      string          `json:"status" enum:"waiting|granted|rejected|expired"`
	PlanDigest  string          `json:"planDigest" doc:"Of the exact request and the state it was judged on. Who approves sends it back."`
	RequestedBy string          `json:"requestedBy" doc:"A user's id, or operator."`
	RequestedAt Time            `json:"requestedAt"`
	ExpiresAt   Time            `json:"expiresAt" doc:"Seven days after it was asked for."`
	DecidedBy   string          `json:"decidedBy,omitempty" doc:"A user's id, or operator. Absent while it waits, and if nobody decided."`
	DecidedAt   Time            `json:"decidedAt" null:"it waits, or has expired"`
	Call        string          `json:"call" doc:"Which call was asked for, such as hold.release or policy.update."`
	Arguments   json.RawMessage `json:"arguments,omitempty" type:"object" doc:"What is done if it is approved, exactly. Absent once it is decided or has expired, since it may name people; the audit log tells what was done."`
}

func approvalOf(a engine.Approval) Approval {
	return Approval{
		ID: a.ID, What: string(a.What), Status: string(a.Status), PlanDigest: a.PlanDigest.String(), RequestedBy: a.RequestedBy,
		RequestedAt: Time(a.RequestedAt), ExpiresAt: Time(a.ExpiresAt), DecidedBy: a.DecidedBy, DecidedAt: Time(a.DecidedAt),
		Call: a.Call, Arguments: a.Arguments,
	}
}
