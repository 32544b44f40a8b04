package httpapi

import (
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// TestEveryRefusalIsDeclared walks the table with vaults in all states, and
// documents in all states: whatever is answered, openapi.json must know it, and
// nothing is a defect.
func TestEveryRefusalIsDeclared(t *testing.T) {
	t.Parallel()
	yes := true
	for _, state := range []string{"well", "full", "closed"} {
		k := enginetest.New(t)
		if _, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{AuditReads: &yes}); err != nil {
			t.Fatal(err)
		}
		documents := func() []string {
			live, archived, gone := k.Create("live", "l"), k.Create("archived", "a"), k.Create("gone", "g")
			if _, _, err := k.ArchiveDocument(t.Context(), k.Admin, archived.ID, engine.Condition{}); err != nil {
				t.Fatal(err)
			}
			if _, _, err := k.DeleteDocument(t.Context(), k.Admin, gone.ID, engine.Condition{}); err != nil {
				t.Fatal(err)
			}
			return []string{live.ID, archived.ID, gone.ID, someID}
		}
		ids := documents()
		switch state {
		case "full":
			k.Options.ReserveBytes = math.MaxInt64
			k.Reopen()
		case "closed":
			if err := k.Close(); err != nil {
				t.Fatal(err)
			}
		}
		var log syncBuffer
		s := New(map[string]*engine.Vault{"main": k.Vault}, Options{
			Logger: zerolog.New(&log),
			Authenticate: func(*http.Request) (*engine.Vault, engine.Actor, error) {
				return k.Vault, engine.Actor{UserID: k.Admin.UserID, Access: engine.AccessAdmin}, nil
			},
		})
		for _, rt := range s.table {
			if state == "well" && rt.method != http.MethodGet {
				ids = documents() // for the route changes them
			}
			for _, id := range ids {
				for _, n := range []string{"1", "9"} {
					path := strings.NewReplacer(":id", id, ":documentId", id, ":n", n, ":seq", n+"00").Replace(rt.pattern)
					for _, query := range []string{"", "?documentId=" + id, "?fileName=a&ownerId=" + id} {
						for _, body := range []string{"", "{}", `{"name":"a"}`} {
							r := httptest.NewRequest(rt.method, path+query, strings.NewReader(body))
							if query == "" && body != "" {
								r.Header.Set("Content-Type", "application/json")
							}
							s.ServeHTTP(httptest.NewRecorder(), r)
						}
					}
				}
			}
		}
		declared(t, s.table, log.String())
		if strings.Contains(log.String(), string(codeInternal)) {
			t.Errorf("%s: there was an internal error:\n%s", state, log.String())
		}
	}
}
