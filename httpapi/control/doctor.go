package control

import (
	"context"
	"encoding/json"
	"net/http"

	"strongroom/engine"
)

// Diagnosis is engine's, as the socket tells it.
type Diagnosis struct {
	Level engine.Level `json:"level"`
	What  string       `json:"what"`
	Says  string       `json:"says"`
}

// Examine asks the other end to look at what its vault stands on.
func (c *Client) Examine(ctx context.Context) ([]Diagnosis, error) {
	var list []Diagnosis
	err := c.Call(ctx, "GET", RouteDoctor, nil, &list)
	return list, err
}

// doctor is that route of the control socket.
func (s *Server) doctor(w http.ResponseWriter, r *http.Request) {
	list := []Diagnosis{}
	for _, d := range s.vaults[r.Header.Get(vaultHeader)].Examine(r.Context()) {
		list = append(list, Diagnosis(d))
	}
	json.NewEncoder(w).Encode(list)
}
