package engine_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

func blobPath(k *enginetest.Kit, d engine.Digest) string {
	return filepath.Join(k.Dir, "blobs", "sha256", d.Hex()[:2], d.Hex())
}

func kept(k *enginetest.Kit, d engine.Digest) bool {
	k.TB.Helper()
	_, err := os.Stat(blobPath(k, d))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.TB.Fatal(err)
	}
	return err == nil
}

func TestRefusedUploadsLeaveNothing(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	first := k.CreateFrom(engine.NewDocument{Name: "a", ExternalID: "x"}, "first")
	create := func(content string) engine.Digest {
		t.Helper()
		u := k.Upload(content)
		defer u.Discard()
		_, _, err := k.CreateDocument(t.Context(), k.Admin, engine.NewDocument{Name: "b", ExternalID: "x"}, u)
		taken, ok := errors.AsType[*engine.ExistsError](err)
		if !ok || *taken != (engine.ExistsError{What: "document", ID: first.ID, Field: "externalId"}) {
			t.Errorf("%v", err)
		}
		return u.Digest()
	}
	if kept(k, create("refused")) {
		t.Error("the bytes of a refused document are kept")
	}
	if !kept(k, create("first")) {
		t.Error("bytes that another version needs are gone")
	}
	_, _, err := k.ArchiveDocument(t.Context(), k.Admin, first.ID, engine.Condition{})
	must(t, err)
	u := k.Upload("second")
	defer u.Discard()
	_, _, err = k.AddVersion(t.Context(), k.Admin, first.ID, engine.Condition{}, engine.NewVersion{}, u)
	wantIs(t, err, engine.ErrDocumentArchived)
	if kept(k, u.Digest()) {
		t.Error("the bytes of a refused version are kept")
	}
}

// TestAnUploadIsGoodForOneCall: once refused, its bytes are gone, and a second
// call must not record a version without them.
func TestAnUploadIsGoodForOneCall(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	k.CreateFrom(engine.NewDocument{Name: "a", ExternalID: "x"}, "first")
	u := k.Upload("second")
	defer u.Discard()
	_, _, err := k.CreateDocument(t.Context(), k.Admin, engine.NewDocument{Name: "b", ExternalID: "x"}, u)
	wantIs(t, err, engine.ErrExists)
	if d, _, err := k.CreateDocument(t.Context(), k.Admin, engine.NewDocument{Name: "b"}, u); err == nil {
		t.Errorf("document %s was made of bytes that were purged: kept %v", d.ID, kept(k, u.Digest()))
	}

	// Values that are refused before the bytes are kept do not use it up.
	w := k.Upload("third")
	defer w.Discard()
	_, _, err = k.CreateDocument(t.Context(), k.Admin, engine.NewDocument{Name: "\x00"}, w)
	wantIs(t, err, engine.ErrInvalid)
	_, _, err = k.CreateDocument(t.Context(), k.Admin, engine.NewDocument{Name: "c"}, w)
	must(t, err)
}

func TestEqualBytesAreKeptOnceAndUntilNobodyNeedsThem(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	a, b := k.Create("a", "the same"), k.Create("b", "the same")
	k.AddText(b.ID, "the same")
	remove := func(d engine.Document) {
		t.Helper()
		c, r, err := k.DeleteDocument(t.Context(), k.Admin, d.ID, engine.Condition{})
		must(t, err)
		if c.AuditSeq != r.Seq || c.AuditHash != r.Hash || c.DeletedBy != k.Admin.UserID || c.Right != "manual" {
			t.Errorf("%+v %+v", c, r)
		}
		again, r, err := k.DeleteDocument(t.Context(), k.Admin, d.ID, engine.Condition{})
		must(t, err)
		if r.Seq != 0 || again.AuditHash != c.AuditHash || len(again.Versions) != len(c.Versions) {
			t.Errorf("%+v %+v", again, r)
		}
	}
	remove(a)
	if !kept(k, b.Current.Digest) {
		t.Fatal("bytes that another document needs are gone")
	}
	_, open, _, err := k.OpenContent(t.Context(), k.Admin, b.ID, 0)
	must(t, err)
	defer open.Close()
	remove(b)
	if kept(k, b.Current.Digest) {
		t.Error("bytes that nobody needs are kept")
	}
	if text, err := io.ReadAll(open); err != nil || string(text) != "the same" {
		t.Errorf("a file opened before reads %q, %v", text, err)
	}
	_, _, _, err = k.OpenContent(t.Context(), k.Admin, b.ID, 0)
	wantIs(t, err, engine.ErrDocumentDeleted)
}

func TestStaging(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	for _, size := range []int{0, 1, 1 << 10, 1 << 20} {
		text := strings.Repeat("x", size)
		if size > 0 {
			_, err := k.Stage(t.Context(), strings.NewReader(text), int64(size)-1)
			if size > 1 { // a limit of 0 is none
				wantIs(t, err, engine.ErrTooLarge)
			}
		}
		u, err := k.Stage(t.Context(), strings.NewReader(text), int64(size))
		must(t, err)
		if u.Size() != int64(size) || len(u.Prefix()) != min(size, 512) {
			t.Errorf("%d bytes, prefix of %d", u.Size(), len(u.Prefix()))
		}
		must(t, u.Discard())
		must(t, u.Discard())
	}
	cause := errors.New("the client went away")
	_, err := k.Stage(t.Context(), io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<18)), failing{cause}), 0)
	wantIs(t, err, cause)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = k.Stage(ctx, strings.NewReader("x"), 0)
	wantIs(t, err, context.Canceled)
	left, err := os.ReadDir(filepath.Join(k.Dir, "blobs", "staging"))
	must(t, err)
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
