package engine

import "strongroom/engine/internal/replay"

func (a *approval) record() replay.Thing {
	return replay.Thing{Facts: replay.Members{
		"the status":     replay.Text(a.Status),
		"what needs two": replay.Text(a.What),
		"the call":       replay.Text(a.Call),
		"the plan":       replay.Hash(a.PlanDigest),
		"asked for by":   replay.Text(a.RequestedBy),
		"with the key":   replay.Text(a.key),
		"asked for at":   replay.Time(a.RequestedAt),
		"its expiry":     replay.Time(a.ExpiresAt),
		"decided by":     replay.Text(a.DecidedBy),
		"decided at":     replay.Time(a.DecidedAt),
	}}
}

// planOf compares what a request that waits asks for with its digest; one that has
// ended has no such words any more.
func (c *checker) planOf(_ *tx, a *approval) {
	if a.Status == ApprovalWaiting && planDigest(a.What, a.Call, a.Arguments, a.state) != a.PlanDigest ||
		a.Status != ApprovalWaiting && (len(a.Arguments) > 0 || a.state != "") {
		c.find(0, CodeState, "approval %s: what it asks for is not what was asked for", a.ID)
	}
}
