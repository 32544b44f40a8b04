package control

import (
	"context"
	"encoding/json"
	"net/http"
)

// Imported is how far an import has come.
type Imported struct {
	Files    int  `json:"files"` // of these:
	Imported int  `json:"imported"`
	Versions int  `json:"versions"`
	Skipped  int  `json:"skipped"`
	Failed   int  `json:"failed"`
	Ended    bool `json:"ended"`
}

// Bulk returns the same line for many requests about one thing. The log of the
// other end has no line for each of them; the caller says how it goes on, see
// Import. It ends with the line it came from.
func (c *Client) Bulk() *Client {
	bulk := *c
	bulk.bulk = true
	return &bulk
}

// Import tells the other end, for its log, how far an import has come.
func (c *Client) Import(ctx context.Context, far Imported) error {
	return c.Call(ctx, "POST", RouteImport, far, &struct{}{})
}

// imported is that route of the control socket.
func (s *Server) imported(w http.ResponseWriter, r *http.Request) {
	var far Imported
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&far); err != nil {
		refuse(w, http.StatusBadRequest, "INVALID_REQUEST_BODY", err.Error())
		return
	}
	what := "importing"
	if far.Ended {
		what = "import ended"
	}
	s.log.Info().Str("vault", r.Header.Get(vaultHeader)).Int("files", far.Files).Int("imported", far.Imported).
		Int("versions", far.Versions).Int("skipped", far.Skipped).Int("failed", far.Failed).Msg(what)
	json.NewEncoder(w).Encode(struct{}{})
}
