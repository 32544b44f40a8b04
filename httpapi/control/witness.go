package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/httpapi/witness"
)

// Witnessed is what became of the answer of witnesses that a file brought.
type Witnessed struct {
	Witnesses []WitnessedBy `json:"witnesses"`
	Enough    bool          `json:"enough"` // for the policy
}

// WitnessedBy is a witness that has signed, by its name in the policy.
type WitnessedBy struct {
	Name string `json:"name"`
	Key  string `json:"key"`
	At   string `json:"at"`
}

type witnessedInput struct {
	Policy  string `json:"policy"`
	Request string `json:"request"`
}

// maxWitnessed is more than a policy and a request have, as JSON.
const maxWitnessed = 8 << 20

// WitnessRequest asks the other end to sign its log, and returns what a witness is
// asked with. old is witness.Request's.
func (c *Client) WitnessRequest(ctx context.Context, old int64) ([]byte, error) {
	body, err := c.Stream(ctx, RouteWitness+"?old="+strconv.FormatInt(old, 10))
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// AddWitnessed gives the other end a request that witnesses of a policy have signed.
func (c *Client) AddWitnessed(ctx context.Context, policy string, request []byte) (Witnessed, error) {
	var done Witnessed
	err := c.Call(ctx, http.MethodPost, RouteWitness, witnessedInput{policy, string(request)}, &done)
	return done, err
}

// witnessRequest is that route of the control socket: a signature is asked for only
// by who may read the key.
func (s *Server) witnessRequest(w http.ResponseWriter, r *http.Request) {
	old, err := strconv.ParseInt(r.URL.Query().Get("old"), 10, 64)
	if err != nil {
		refuse(w, http.StatusBadRequest, "INVALID_REQUEST_PARAMETER", "old must be a number")
		return
	}
	request, err := witness.Request(r.Context(), s.vaults[r.Header.Get(vaultHeader)], old)
	if err != nil {
		refuseWitness(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write(request)
}

func (s *Server) witnessAdd(w http.ResponseWriter, r *http.Request) {
	var in witnessedInput
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxWitnessed)).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, "INVALID_REQUEST_BODY", err.Error())
		return
	}
	policy, err := audit.ParsePolicy(in.Policy)
	if err != nil {
		refuse(w, http.StatusBadRequest, "INVALID_REQUEST_BODY", err.Error())
		return
	}
	by, enough, err := witness.Add(r.Context(), s.vaults[r.Header.Get(vaultHeader)], []byte(in.Request), policy)
	if err != nil {
		refuseWitness(w, err)
		return
	}
	done := Witnessed{Enough: enough}
	for _, c := range by {
		done.Witnesses = append(done.Witnesses, WitnessedBy{c.Name, c.Key.String(), audit.FormatTime(c.Time)})
	}
	json.NewEncoder(w).Encode(done)
}

// refuseWitness says what an operator did that does not fit, and what is wrong with
// the vault.
func refuseWitness(w http.ResponseWriter, err error) {
	invalid, isInvalid := errors.AsType[*engine.InvalidError](err)
	switch {
	case isInvalid:
		refuse(w, http.StatusBadRequest, "INVALID_REQUEST_PARAMETER", invalid.Error())
	case errors.Is(err, audit.ErrSyntax), errors.Is(err, audit.ErrSignature), errors.Is(err, engine.ErrNoCheckpoint):
		refuse(w, http.StatusBadRequest, "INVALID_REQUEST_BODY", err.Error())
	case errors.Is(err, engine.ErrContradicted), errors.Is(err, engine.ErrSignKey):
		refuse(w, http.StatusConflict, "CONFLICT", err.Error())
	default:
		refuse(w, http.StatusInternalServerError, "INTERNAL", err.Error())
	}
}
