// Package enginetest opens real vaults for tests, of this project and of
// programs that embed it. Each is verified in full when its test ends, bytes
// included, so every test tests everything:
//
//	func TestMine(t *testing.T) {
//		kit := enginetest.New(t)
//		doc := kit.Create("contract.txt", "the text")
//		…
//	}
package enginetest

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/engine"
)

// Kit is an open vault with an administrator, and shorthands that fail the
// test instead of returning an error.
type Kit struct {
	*engine.Vault
	TB      testing.TB
	Dir     string
	Options engine.Options
	Admin   engine.Actor // a user with admin access, acting with a key
	Token   string       // that key's
	Host    Host         // nil: the vault lives in Dir
	// Spoilt is set by a test that makes a closure fail after it wrote, or
	// panic, on purpose: else that fails the test.
	Spoilt bool
}

// Host opens and closes the vault of a kit that lives elsewhere than in its directory.
type Host interface {
	Open() (*engine.Vault, error)
	Close() error // of the vault too
}

// New makes a vault in a temporary directory. It is verified and closed when
// the test ends.
func New(tb testing.TB) *Kit {
	tb.Helper()
	return NewWith(tb, engine.Options{Name: "main", ReserveBytes: -1})
}

// NewWith is New with options of the caller's.
func NewWith(tb testing.TB, o engine.Options) *Kit {
	tb.Helper()
	k := &Kit{TB: tb, Dir: filepath.Join(tb.TempDir(), "vault"), Options: o}
	v, err := engine.Create(k.Dir, o)
	k.must(err)
	k.begin(v)
	return k
}

// NewOn is New for a vault that a host has, with nobody in it. Dir is where it keeps
// what it has on this disk.
func NewOn(tb testing.TB, host Host, dir string, o engine.Options) *Kit {
	tb.Helper()
	k := &Kit{TB: tb, Dir: dir, Options: o, Host: host}
	v, err := k.open()
	k.must(err)
	k.begin(v)
	return k
}

func (k *Kit) begin(v *engine.Vault) {
	k.TB.Helper()
	k.Vault = v
	k.TB.Cleanup(k.finish)
	k.Admin, k.Token = k.Person("Ada Admin", engine.AccessAdmin)
}

func (k *Kit) open() (*engine.Vault, error) {
	if k.Host != nil {
		return k.Host.Open()
	}
	return engine.Open(k.Dir, k.Options)
}

func (k *Kit) end() error {
	if k.Host != nil {
		return k.Host.Close()
	}
	return k.Close()
}

func (k *Kit) must(err error) {
	k.TB.Helper()
	if err != nil {
		k.TB.Fatal(err)
	}
}

// Person makes a user with a key of its own, and returns who that is and the
// token.
func (k *Kit) Person(name string, access engine.Access) (engine.Actor, string) {
	k.TB.Helper()
	ctx := k.TB.Context()
	u, _, err := k.CreateUser(ctx, engine.Operator(), engine.NewUser{Name: name, Access: access})
	k.must(err)
	key, secret, _, err := k.CreateKey(ctx, engine.Operator(), engine.NewKey{Name: name, UserID: u.ID})
	k.must(err)
	return engine.Actor{UserID: u.ID, KeyID: key.ID, Access: access}, secret.Reveal()
}

// Upload stages text.
func (k *Kit) Upload(content string) *engine.Upload {
	k.TB.Helper()
	u, err := k.Stage(k.TB.Context(), strings.NewReader(content), 0)
	k.must(err)
	return u
}

// Create makes a document as the administrator.
func (k *Kit) Create(name, content string) engine.Document {
	k.TB.Helper()
	return k.CreateFrom(engine.NewDocument{Name: name}, content)
}

// CreateFrom is Create with all there is to say of a document.
func (k *Kit) CreateFrom(n engine.NewDocument, content string) engine.Document {
	k.TB.Helper()
	u := k.Upload(content)
	defer u.Discard()
	d, _, err := k.CreateDocument(k.TB.Context(), k.Admin, n, u)
	k.must(err)
	return d
}

// AddText adds a version as the administrator.
func (k *Kit) AddText(documentID, content string) engine.Document {
	k.TB.Helper()
	u := k.Upload(content)
	defer u.Discard()
	d, _, err := k.AddVersion(k.TB.Context(), k.Admin, documentID, engine.Condition{}, engine.NewVersion{}, u)
	k.must(err)
	return d
}

// Define defines custom fields of a type that has no choices.
func (k *Kit) Define(of engine.FieldType, keys ...string) {
	k.TB.Helper()
	for _, key := range keys {
		_, _, err := k.CreateField(k.TB.Context(), k.Admin, engine.NewField{Key: key, Type: of})
		k.must(err)
	}
}

// Content reads the bytes of a version, the current one for number 0.
func (k *Kit) Content(documentID string, number uint64) string {
	k.TB.Helper()
	_, f, _, err := k.OpenContent(k.TB.Context(), k.Admin, documentID, number)
	k.must(err)
	defer f.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(f)
	k.must(err)
	return b.String()
}

// Reopen closes the vault and opens it again.
func (k *Kit) Reopen() {
	k.TB.Helper()
	k.must(k.end())
	v, err := k.open()
	k.must(err)
	k.Vault = v
}

// Check verifies the whole vault, bytes included.
func (k *Kit) Check() {
	k.TB.Helper()
	report, err := k.Verify(k.TB.Context(), engine.VerifyOptions{Bytes: true, Heads: nil})
	k.must(err)
	for _, f := range report.Findings {
		k.TB.Errorf("verify: entry %d: %s: %s", f.Seq, f.Code, f.Message)
	}
	if report.Head != k.Head() && len(report.Findings) == 0 {
		k.TB.Errorf("verify stopped at entry %d of %d", report.Head.Seq, k.Head().Seq)
	}
}

// finish verifies the vault, and that closing and opening it writes nothing.
func (k *Kit) finish() {
	k.TB.Helper()
	tb := k.TB
	if k.Ready() != nil {
		k.end()
		v, err := k.open()
		if err != nil {
			tb.Errorf("open the vault again: %v", err)
			return
		}
		k.Vault = v
	}
	if late := k.Stats().LateFailures; late > 0 && !k.Spoilt {
		tb.Errorf("%d closures failed after they wrote, or panicked", late)
	}
	k.TB = cleanup{tb}
	k.Check()
	k.must(k.end())
	if k.Host != nil { // to open it is to take it over, which is written down
		return
	}
	path := filepath.Join(k.Dir, "rows.db")
	before, err := os.ReadFile(path)
	k.must(err)
	head := k.Head()
	v, err := engine.Open(k.Dir, k.Options)
	k.must(err)
	if v.Head() != head {
		tb.Errorf("opened again, the head is %v, was %v", v.Head(), head)
	}
	k.must(v.Close())
	after, err := os.ReadFile(path)
	k.must(err)
	if !bytes.Equal(before, after) {
		tb.Error("opening and closing the vault wrote to rows.db")
	}
}

// cleanup is a test that is ending: its own context is cancelled by then.
type cleanup struct{ testing.TB }

func (cleanup) Context() context.Context { return context.Background() }
