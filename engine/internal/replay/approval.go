package replay

import (
	"fmt"

	"strongroom/audit"
)

// approval takes a request for approval, or its end, into account. A request ends
// once, before it expires or by expiring, and nobody grants their own.
func (a *Accounts) approval(e *entry) error {
	if e.Op == audit.OpApprovalRequested {
		t, err := a.made(Approvals, e)
		if err != nil {
			return err
		}
		t.Facts["the status"] = Text("waiting")
		t.Facts["what needs two"] = Text(e.word("what"))
		t.Facts["the call"] = Text(e.word("call"))
		t.Facts["the plan"] = Text(e.word("plan"))
		t.Facts["asked for by"] = Text(e.Actor)
		t.Facts["with the key"] = Text(e.Key)
		t.Facts["asked for at"] = Time(e.Time)
		t.Facts["its expiry"] = e.time("expires")
		return nil
	}
	t, err := a.known(Approvals, e)
	if err != nil {
		return err
	}
	name, expiry := e.word("approval"), t.Facts["its expiry"]
	switch {
	case t.Facts["the status"] != Text("waiting"):
		return fmt.Errorf("ends the approval %s, which had ended before", name)
	case t.Facts["the plan"] != Text(e.word("plan")):
		return fmt.Errorf("ends the approval %s with another plan than it was asked for", name)
	case (e.Op == audit.OpApprovalExpired) != (expiry.number <= e.Time.UnixMilli()):
		return fmt.Errorf("ends the approval %s, which expires %s", name, expiry)
	}
	t.Facts["with the key"] = Value{}
	t.Facts["decided at"] = Time(e.Time)
	t.Facts["decided by"] = Text(e.Actor)
	switch e.Op {
	case audit.OpApprovalGranted:
		if e.Actor == "system" || t.Facts["asked for by"] == Text(e.Actor) && e.Actor != "operator" {
			return fmt.Errorf("grants the approval %s to who asked for it", name)
		}
		t.Facts["the status"] = Text("granted")
	case audit.OpApprovalRejected:
		t.Facts["the status"] = Text("rejected")
	case audit.OpApprovalExpired:
		t.Facts["the status"], t.Facts["decided by"] = Text("expired"), Value{}
	}
	return nil
}
