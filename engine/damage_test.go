package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// A disk that cannot give a page any more stops its vault, with an error that
// says what and where, and nothing else of the process: a page that is mapped
// and not there is what such a disk shows.
func TestAPageThatCannotBeRead(t *testing.T) {
	for name, use := range map[string]func(v *engine.Vault, doc string) error{
		"read": func(v *engine.Vault, doc string) error {
			_, err := v.Document(t.Context(), doc)
			return err
		},
		"write": func(v *engine.Vault, doc string) error {
			_, _, err := v.ArchiveDocument(t.Context(), engine.Operator(), doc, engine.Condition{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "main")
			other := enginetest.New(t)
			v, doc := paged(t, dir)
			if err := os.Truncate(filepath.Join(dir, "rows.db"), 4<<10); err != nil {
				t.Fatal(err)
			}
			err := use(v, doc)
			down, ok := errors.AsType[*engine.UnavailableError](err)
			if !ok || down.Reason != engine.ReasonDamaged || !strings.Contains(err.Error(), dir) {
				t.Errorf("got %v", err)
			}
			if err := v.Ready(); !errors.Is(err, engine.ErrUnavailable) {
				t.Errorf("the vault goes on: %v", err)
			}
			v.Close()
			other.Create("another vault", "is not concerned")
		})
	}
}

// paged makes a vault of many pages, with a document in it.
func paged(t *testing.T, dir string) (*engine.Vault, string) {
	t.Helper()
	v, err := engine.Create(dir, engine.Options{Name: "main", ReserveBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	user, _, err := v.CreateUser(t.Context(), engine.Operator(), engine.NewUser{Name: "Ada", Access: engine.AccessAdmin})
	if err != nil {
		t.Fatal(err)
	}
	var doc string
	for range 50 {
		u, err := v.Stage(t.Context(), strings.NewReader(strings.Repeat("x", 100)), 0)
		if err != nil {
			t.Fatal(err)
		}
		d, _, err := v.CreateDocument(t.Context(), engine.Operator(), engine.NewDocument{Name: "page", OwnerID: user.ID}, u)
		if err != nil {
			t.Fatal(err)
		}
		doc = d.ID
	}
	return v, doc
}
