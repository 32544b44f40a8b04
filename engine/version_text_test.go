package engine_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// textOf reads the text that was given for a version, "" if none was.
func textOf(t *testing.T, k *enginetest.Kit, documentID string, number uint64) string {
	t.Helper()
	v, err := k.Version(t.Context(), documentID, number)
	must(t, err)
	f, err := k.LogReader().OpenText(t.Context(), &v)
	must(t, err)
	if f == nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	must(t, err)
	return string(b)
}

// inBlobs says whether the vault keeps bytes.
func inBlobs(t *testing.T, k *enginetest.Kit, text string) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(filepath.Join(k.Dir, "blobs"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		found = found || bytes.Contains(b, []byte(text))
		return err
	})
	must(t, err)
	return found
}

func TestATextIsGivenForAVersion(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("scan", "picture 1")
	k.AddText(d.ID, "picture 2")
	set := func(number uint64, text string) (engine.VersionText, engine.Receipt) {
		t.Helper()
		v, r, err := k.SetText(t.Context(), k.Admin, d.ID, number, engine.Condition{}, text)
		must(t, err)
		return v, r
	}
	before, err := k.Document(t.Context(), d.ID)
	must(t, err)
	v, r := set(1, "first words")
	if v.Number != 1 || v.TextDigest != engine.Digest(sha256.Sum256([]byte("first words"))) || v.TextSize != 11 || v.Revision != before.Revision {
		t.Errorf("%+v", v)
	}
	e, err := k.Entry(t.Context(), r.Seq)
	must(t, err)
	digest, _ := e.Facts["digest"].AsText()
	size, _ := e.Facts["size"].AsNumber()
	if e.Op != audit.OpDocumentTextSet || e.Document != d.ID || e.Version != 1 || digest != v.TextDigest.String() || size != 11 || !e.Entry.Detail.IsZero() {
		t.Errorf("%+v", e)
	}
	set(0, "second words")
	if one, two := textOf(t, k, d.ID, 1), textOf(t, k, d.ID, 2); one != "first words" || two != "second words" {
		t.Errorf("%q, %q", one, two)
	}
	after, err := k.Document(t.Context(), d.ID)
	must(t, err)
	if after.Revision != before.Revision || !after.UpdatedAt.Equal(before.UpdatedAt) || after.AuditSeq != k.Head().Seq || after.Current.TextSize != 12 {
		t.Errorf("%+v became %+v", before, after)
	}
	if _, r := set(1, "first words"); r.Seq != 0 {
		t.Error("the text that was there is an entry")
	}
	k.Check()
	set(1, "better words")
	if inBlobs(t, k, "first words") {
		t.Error("a text is kept whose place another took")
	}
	if v, _ := set(1, ""); v.TextSize != 0 || v.TextDigest != (engine.Digest{}) || inBlobs(t, k, "better words") {
		t.Errorf("a text that was taken away: %+v", v)
	}
	if _, r := set(1, ""); r.Seq != 0 {
		t.Error("no text in the place of none is an entry")
	}
	set(1, "picture 2") // the bytes of the other version
	set(1, "")
	if k.Content(d.ID, 2) != "picture 2" {
		t.Error("bytes went with a text that a version needs")
	}
	k.Check()
	k.Reopen()
	if textOf(t, k, d.ID, 2) != "second words" {
		t.Error("a text is gone after opening again")
	}
}

func TestATextIsRefused(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("scan", "picture")
	refused := func(want error, number uint64, c engine.Condition, text string) {
		t.Helper()
		head := k.Head()
		if _, _, err := k.SetText(t.Context(), k.Admin, d.ID, number, c, text); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
		if k.Head() != head {
			t.Error("it was written")
		}
	}
	refused(engine.ErrInvalid, 1, engine.Condition{}, "\xff\xfe")
	refused(engine.ErrTooLarge, 1, engine.Condition{}, strings.Repeat("x", engine.MaxText+1))
	refused(engine.ErrVersionNotFound, 2, engine.Condition{}, "no such version")
	if inBlobs(t, k, "no such version") {
		t.Error("the bytes of a text that was refused are kept")
	}
	grace, _ := k.Person("Grace", engine.AccessUpload)
	l := lock(t, k, grace, d.ID, engine.NewLock{})
	refused(engine.ErrLocked, 1, engine.Condition{}, "words")
	refused(engine.ErrLocked, 1, engine.Condition{}, "")
	if _, _, err := k.SetText(t.Context(), grace, d.ID, 1, with(l.Token), "by the holder"); err != nil {
		t.Error(err)
	}
	_, _, err := k.ReleaseLock(t.Context(), grace, d.ID, with(l.Token), true)
	must(t, err)
	l = lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
	refused(engine.ErrLockState, 1, with(l.Token), "words")
	_, _, err = k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), true)
	must(t, err)
	place(t, k, d.ID, "M")
	_, _, err = k.SetText(t.Context(), k.Admin, d.ID, 1, engine.Condition{}, "while it is held")
	must(t, err)
	archived := k.Create("archived", "picture")
	_, _, err = k.ArchiveDocument(t.Context(), k.Admin, archived.ID, engine.Condition{})
	must(t, err)
	_, _, err = k.SetText(t.Context(), k.Admin, archived.ID, 1, engine.Condition{}, "while it is archived")
	must(t, err)
}

// TestATextStaysWhenALockIsNotSaved: it is no change of the document.
func TestATextStaysWhenALockIsNotSaved(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("scan", "picture")
	l := lock(t, k, k.Admin, d.ID, engine.NewLock{Duration: time.Hour})
	orFail[engine.Document](t)(addText(k, d.ID, "second", with(l.Token)))
	for number, text := range []string{1: "of the first", 2: "of the second"} {
		if number > 0 {
			_, _, err := k.SetText(t.Context(), k.Admin, d.ID, uint64(number), with(l.Token), text)
			must(t, err)
		}
	}
	_, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), false)
	must(t, err)
	if one, two := textOf(t, k, d.ID, 1), textOf(t, k, d.ID, 2); one != "of the first" || two != "of the second" {
		t.Errorf("%q, %q", one, two)
	}
}

// TestATextGoesWithItsDocument: by hand, by erasure, and of one with many versions.
func TestATextGoesWithItsDocument(t *testing.T) {
	k := enginetest.New(t)
	byHand, erased, many := k.Create("a", "picture a"), k.Create("b", "picture b"), k.Create("c", "picture c")
	for range 40 {
		k.AddText(many.ID, "another picture")
	}
	for _, d := range []engine.Document{byHand, erased, many} {
		_, _, err := k.SetText(t.Context(), k.Admin, d.ID, 1, engine.Condition{}, "words of "+d.Name)
		must(t, err)
	}
	for _, d := range []engine.Document{byHand, many} {
		_, _, err := k.DeleteDocument(t.Context(), k.Admin, d.ID, engine.Condition{})
		must(t, err)
	}
	erase(t, k, erased.ID)
	sweep(k)
	if inBlobs(t, k, "words of ") {
		t.Error("a text outlives its document")
	}
}

// TestABackupHasTheTexts, and a log behind it tells which it lacks.
func TestABackupHasTheTexts(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("scan", "picture")
	_, _, err := k.SetText(t.Context(), k.Admin, d.ID, 1, engine.Condition{}, "words")
	must(t, err)
	to := filepath.Join(t.TempDir(), "backup")
	made := backUp(t, k, to)
	_, _, err = k.SetText(t.Context(), k.Admin, d.ID, 1, engine.Condition{}, "better words")
	must(t, err)
	r, told := restoredWith(t, k, to, exportSince(t, k, made.Head.Seq))
	if textOf(t, r, d.ID, 1) != "words" {
		t.Error("the restored vault lacks the text")
	}
	if lost := lostOf(told); !strings.Contains(lost, "document.text_set: the text given for version 1 of document "+d.ID) {
		t.Errorf("what is lost: %s", lost)
	}
}
