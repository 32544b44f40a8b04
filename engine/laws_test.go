package engine_test

import (
	"os"
	"path/filepath"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// Asking for the state that already holds returns it and writes nothing.
func TestWhatHoldsAlreadyIsNotWritten(t *testing.T) {
	k := enginetest.New(t)
	ctx, cond := t.Context(), engine.Condition{}
	d := k.CreateFrom(engine.NewDocument{Name: "contract", Tags: []string{"a"}}, "text")
	u, _, err := k.CreateUser(ctx, k.Admin, engine.NewUser{Name: "Grace", Email: "grace@example.com", Access: engine.AccessView})
	must(t, err)
	key, _, _, err := k.CreateKey(ctx, k.Admin, engine.NewKey{Name: "key", UserID: u.ID})
	must(t, err)
	h := place(t, k, k.Create("held", "text").ID, "Acme")
	off, closed := false, engine.UserClosed
	for _, ask := range []struct {
		name string
		do   func() (engine.Receipt, error)
		once bool // the first time changes something
	}{
		{"unarchive", func() (engine.Receipt, error) {
			_, r, err := k.UnarchiveDocument(ctx, k.Admin, d.ID, cond)
			return r, err
		}, false},
		{"archive", func() (engine.Receipt, error) {
			_, r, err := k.ArchiveDocument(ctx, k.Admin, d.ID, cond)
			return r, err
		}, true},
		{"unarchive", func() (engine.Receipt, error) {
			_, r, err := k.UnarchiveDocument(ctx, k.Admin, d.ID, cond)
			return r, err
		}, true},
		{"the same metadata", func() (engine.Receipt, error) {
			_, r, err := k.UpdateDocument(ctx, k.Admin, d.ID, cond, engine.DocumentPatch{Name: &d.Name, AddTags: []string{"a"}, RemoveTags: []string{"b"}})
			return r, err
		}, false},
		{"the same user", func() (engine.Receipt, error) {
			_, r, err := k.UpdateUser(ctx, k.Admin, u.ID, engine.Condition{}, engine.UserPatch{Name: &u.Name, Access: &u.Access})
			return r, err
		}, false},
		{"ensure a user", func() (engine.Receipt, error) {
			_, r, err := k.EnsureUser(ctx, k.Admin, engine.NewUser{Name: "G", Email: "Grace@Example.com", Access: engine.AccessAdmin})
			return r, err
		}, false},
		{"close a user", func() (engine.Receipt, error) {
			_, r, err := k.UpdateUser(ctx, k.Admin, u.ID, engine.Condition{}, engine.UserPatch{Status: &closed})
			return r, err
		}, true},
		{"the same settings", func() (engine.Receipt, error) {
			_, r, err := k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{AuditReads: &off})
			return r, err
		}, false},
		{"release", func() (engine.Receipt, error) {
			_, r, err := k.ReleaseHold(ctx, k.Admin, h.ID, engine.Condition{}, "settled")
			return r, err
		}, true},
		{"revoke", func() (engine.Receipt, error) { _, r, err := k.RevokeKey(ctx, k.Admin, key.ID); return r, err }, true},
		{"delete", func() (engine.Receipt, error) { _, r, err := k.DeleteDocument(ctx, k.Admin, d.ID, cond); return r, err }, true},
	} {
		if ask.once {
			if r, err := ask.do(); err != nil || r.Seq != k.Head().Seq {
				t.Errorf("%s: %v, %v", ask.name, r, err)
			}
		}
		head := k.Head()
		if r, err := ask.do(); err != nil || r != (engine.Receipt{}) || k.Head() != head {
			t.Errorf("%s, which holds already: receipt %v, %v; the head moved: %v", ask.name, r, err, k.Head() != head)
		}
	}
}

// What is derived may be deleted, or damaged, while the vault is closed: it
// starts empty, and nothing audited is missing.
func TestDerivedStateMayBeDeleted(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("contract", "text")
	for _, damage := range []func(path string) error{
		os.Remove,
		func(path string) error { return os.WriteFile(path, []byte("null"), 0o600) },
		func(path string) error { return os.WriteFile(path, []byte("{\"x\": 1, \x00"), 0o600) },
	} {
		if _, err := k.Authenticate(t.Context(), k.Token); err != nil {
			t.Fatal(err)
		}
		head := k.Head()
		must(t, k.Close())
		must(t, damage(filepath.Join(k.Dir, "last-used.json")))
		v, err := engine.Open(k.Dir, k.Options)
		must(t, err)
		k.Vault = v
		key, err := k.Key(t.Context(), k.Admin.KeyID)
		if err != nil || !key.LastUsedAt.IsZero() {
			t.Errorf("last used at %v, %v", key.LastUsedAt, err)
		}
		if k.Head() != head || k.Content(d.ID, 0) != "text" {
			t.Error("something that is not derived has changed")
		}
		k.Check()
	}
}
