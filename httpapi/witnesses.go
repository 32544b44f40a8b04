package httpapi

import (
	"context"
	"time"

	"strongroom/engine"
)

// Witnesses has the checkpoints of vaults signed by others.
type Witnesses interface {
	// Witness signs the log of a vault as it is now and asks the witnesses. What each
	// of them came to is no error; that the vault may not sign is.
	Witness(ctx context.Context, v *engine.Vault) (Witnessing, error)
}

// Witnessing is what became of asking witnesses.
type Witnessing struct {
	Checkpoint engine.Checkpoint // with their signatures
	Enough     bool              // for the policy
	Said       []WitnessSaid     // in the order of the policy
}

// WitnessSaid is what became of asking one.
type WitnessSaid struct {
	Name string    // in the policy
	At   time.Time // when it signed
	Err  error     // nil: it signed
}

func (s *Server) witnessRoutes() []route {
	if s.options.Witnesses == nil {
		return nil
	}
	return []route{
		endpoint("POST", "/v1/log/witnesses", 200, admin, "Sign the log and have its witnesses sign it, now", s.askWitnesses, engine.ErrContradicted, engine.ErrSignKey, noSpace),
	}
}

// WitnessedLog is a checkpoint, and what became of asking its witnesses.
type WitnessedLog struct {
	Checkpoint string          `json:"checkpoint" doc:"The checkpoint (C2SP tlog-checkpoint), signed, with the signatures of witnesses."`
	Size       int64           `json:"size" doc:"How many entries it covers."`
	Enough     bool            `json:"enough" doc:"Whether as many witnesses have signed as the policy wants."`
	Witnesses  []WitnessAnswer `json:"witnesses" doc:"What each witness that was asked came to, in the order of the policy."`
}

// WitnessAnswer is what became of asking one witness.
type WitnessAnswer struct {
	Name  string `json:"witness" doc:"Its name in the policy."`
	At    Time   `json:"at" null:"it did not sign" doc:"When it says it signed, in whole seconds."`
	Error string `json:"error" doc:"Why it did not sign; empty if it did."`
}

func (s *Server) askWitnesses(ctx context.Context, c caller, _ struct{}) (reply[WitnessedLog], error) {
	w, err := s.options.Witnesses.Witness(ctx, c.vault)
	if err != nil {
		return reply[WitnessedLog]{}, err
	}
	out := WitnessedLog{string(w.Checkpoint.Note), w.Checkpoint.Size, w.Enough, []WitnessAnswer{}}
	for _, said := range w.Said {
		a := WitnessAnswer{Name: said.Name}
		if said.Err != nil {
			a.Error = said.Err.Error()
		} else {
			a.At = Time(said.At)
		}
		out.Witnesses = append(out.Witnesses, a)
	}
	return answer(out), nil
}
