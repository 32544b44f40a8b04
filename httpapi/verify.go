package httpapi

import (
	"context"
	"sync"
	"time"

	"strongroom/audit"
	"strongroom/engine"
)

type verification struct {
	Bytes bool   `json:"bytes" doc:"Read every blob too; for admins and auditors."`
	Head  string `json:"head" doc:"Printed heads, one after the other: three lines each, as GET /v1/audit/head gives them in text. Each must be an entry of this log."`
}

type verifyInput struct {
	Verification verification `body:"optional"`
}

// verify reads all of the log and the vault, so each vault has one at a time:
// anybody who may look may ask for it, any number of times. See verifications.
func (s *Server) verify(ctx context.Context, c caller, in verifyInput) (reply[VerifyReport], error) {
	o := engine.VerifyOptions{Bytes: in.Verification.Bytes}
	if refused := c.actor.Access.Permits(engine.AccessAuditor); o.Bytes && refused != nil {
		return reply[VerifyReport]{}, refused
	}
	if in.Verification.Head != "" {
		heads, err := audit.ParseHeads(in.Verification.Head)
		if err != nil {
			return reply[VerifyReport]{}, inBody("head", "is not a printed head; give the three lines of text from GET /v1/audit/head")
		}
		o.Heads = heads
	}
	end, err := s.verificationsOf(c.vault).begin(ctx, s.running, &c)
	if err != nil {
		return reply[VerifyReport]{}, err
	}
	defer end()
	report, err := c.vault.Verify(ctx, o)
	if err != nil {
		return reply[VerifyReport]{}, err
	}
	return answer(VerifyReport{
		OK: len(report.Findings) == 0, Head: headOf(report.Head),
		Entries: report.Entries, Versions: report.Versions, Blobs: report.Blobs,
		Findings: mapped(report.Findings, findingOf),
	}), nil
}

// verifications are those of one vault, one at a time. Admins, whom auditors count
// among here, come first: while one
// runs that anybody else asked for, an admin waits for its end, and nobody but
// those who wait begins another. All others are refused, and whoever is no admin rests
// after a verification for as long as it took, so that one who asks again and
// again leaves room for others.
type verifications struct {
	mu      sync.Mutex // leaf lock
	running bool
	admin   bool                 // it is an admin's that runs
	admins  []chan struct{}      // who wait, the first of them first; closed when it is their turn
	rests   map[string]time.Time // until when, by user
}

const (
	// waitingAdmins is how many may wait.
	waitingAdmins = 16
	// shortest is a verification after which nobody rests.
	shortest = time.Second
)

func (s *Server) verificationsOf(v *engine.Vault) *verifications {
	of, _ := s.verifying.LoadOrStore(v.As(engine.System()), &verifications{rests: map[string]time.Time{}})
	return of.(*verifications)
}

// begin takes the turn of the caller. Whoever has it calls end. stop ends the
// waiting.
func (v *verifications) begin(ctx, stop context.Context, c *caller) (end func(), err error) {
	admin, began := c.actor.Access.Permits(engine.AccessAuditor) == nil, time.Now()
	v.mu.Lock()
	rest := v.rests[c.actor.UserID].Sub(began)
	switch {
	case !admin && rest > 0:
		v.mu.Unlock()
		return nil, &limitedError{after: rest, message: "you had the vault verified a moment ago, which took long; wait as long as Retry-After says"}
	case !v.running:
		v.running, v.admin = true, admin
		v.mu.Unlock()
		return v.ender(c.actor.UserID, admin), nil
	case !admin || v.admin || len(v.admins) >= waitingAdmins:
		v.mu.Unlock()
		return nil, errVerifying
	}
	turn := make(chan struct{})
	v.admins = append(v.admins, turn)
	v.mu.Unlock()
	select {
	case <-turn:
	case <-ctx.Done():
		err = ctx.Err()
	case <-stop.Done():
		err = errVerifying
	}
	if err == nil {
		err = c.again()
	}
	if err != nil {
		v.leave(turn)
		return nil, err
	}
	return v.ender(c.actor.UserID, true), nil
}

// leave gives up waiting, or the turn that has come meanwhile.
func (v *verifications) leave(turn chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, waiting := range v.admins {
		if waiting == turn {
			v.admins = append(v.admins[:i:i], v.admins[i+1:]...)
			return
		}
	}
	v.next()
}

// ender returns what ends the turn that begins now.
func (v *verifications) ender(userID string, admin bool) func() {
	began := time.Now()
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		now := time.Now()
		for who, until := range v.rests {
			if !until.After(now) {
				delete(v.rests, who)
			}
		}
		if took := now.Sub(began); !admin && took >= shortest {
			v.rests[userID] = now.Add(took)
		}
		v.next()
	}
}

// next hands the turn over to the first who waits. Called under v.mu.
func (v *verifications) next() {
	if v.running = len(v.admins) > 0; v.running {
		close(v.admins[0])
		v.admin, v.admins = true, v.admins[1:]
	}
}
