package engine_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/audit"
	"strongroom/audit/verifier"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// bagOf writes a bag and takes it apart: its files by their path below its directory.
func bagOf(t *testing.T, k *enginetest.Kit, c engine.BagChoice) (*engine.Bag, map[string]string) {
	t.Helper()
	b, err := k.MakeBag(t.Context(), k.Admin, c)
	must(t, err)
	var out bytes.Buffer
	must(t, b.Write(t.Context(), &out))
	return b, unpacked(t, b, out.Bytes())
}

func unpacked(t *testing.T, b *engine.Bag, text []byte) map[string]string {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	must(t, err)
	files, folded := map[string]string{}, map[string]string{}
	for _, f := range r.File {
		body, err := f.Open()
		must(t, err)
		text, err := io.ReadAll(body)
		must(t, err)
		path, inside := strings.CutPrefix(f.Name, b.Name()+"/")
		if !inside {
			t.Errorf("%s is not in the bag's directory", f.Name)
		}
		if other := folded[strings.ToLower(path)]; other != "" {
			t.Errorf("%s and %s are one file where case does not count", path, other)
		}
		folded[strings.ToLower(path)] = path
		for _, name := range strings.Split(path, "/") {
			if name == "" || len(name) > 255 || strings.ContainsAny(name, "<>:\"\\|?*%\r\n") || name != strings.TrimRight(name, ". ") {
				t.Errorf("%q is no name on some file system", path)
			}
		}
		files[path] = string(text)
	}
	return files
}

func cellsOf(t *testing.T, text string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	must(t, err)
	return rows[1:]
}

func TestABagOfAMatter(t *testing.T) {
	k := enginetest.New(t)
	lease := k.CreateFrom(engine.NewDocument{Name: "=cmd()", Path: "2024/CON/a:b", Tags: []string{"client:acme"}}, "lease")
	k.AddText(lease.ID, "lease, amended")
	page := k.CreateFrom(engine.NewDocument{Name: "<script>alert(1)</script>", Path: "2024"}, "<script>")
	gone := k.Create("gone.txt", "gone")
	other := k.Create("other.txt", "other")
	for _, d := range []engine.Document{lease, page, gone} {
		h, _, err := k.PlaceHold(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.NewHold{Reason: "suit", Matter: "Acme/7"})
		must(t, err)
		if d.ID == gone.ID {
			_, _, err = k.ReleaseHold(t.Context(), k.Admin, h.ID, engine.Condition{}, "settled")
			must(t, err)
			_, _, err = k.DeleteDocument(t.Context(), k.Admin, gone.ID, engine.Condition{Reason: "over"})
			must(t, err)
		}
	}
	_, _, err := k.RestrictDocument(t.Context(), k.Admin, page.ID, engine.Condition{}, "contested")
	must(t, err)
	b, files := bagOf(t, k, engine.BagChoice{Matter: "Acme/7"})
	if b.Documents != 3 {
		t.Errorf("%d documents", b.Documents)
	}
	dir := fmt.Sprintf("data/documents/2024/_CON/a_b/_cmd() (%s)", lease.ID)
	dir = strings.Replace(dir, "_cmd()", "=cmd()", 1)
	for path, want := range map[string]string{dir + "/0001-content": "lease", dir + "/0002-content": "lease, amended"} {
		if files[path] != want {
			t.Errorf("%s: %q", path, files[path])
		}
	}
	var certificate struct{ DocumentID string }
	must(t, json.Unmarshal([]byte(files["data/certificates/"+gone.ID+"/certificate.json"]), &certificate))
	if certificate.DocumentID != gone.ID {
		t.Errorf("%+v", certificate)
	}
	var all []struct{ ID, Name, Path string }
	must(t, json.Unmarshal([]byte(files["data/documents.json"]), &all))
	if len(all) != 3 || all[0].Name != "=cmd()" || all[0].Path != "2024/CON/a:b" {
		t.Errorf("%+v", all)
	}
	if rows := cellsOf(t, files["data/documents.csv"]); len(rows) != 3 || rows[0][1] != "'=cmd()" {
		t.Errorf("%q", rows)
	}
	if rows := cellsOf(t, files["data/versions.csv"]); len(rows) != 3 {
		t.Errorf("%q", rows)
	}
	if rows := cellsOf(t, files["data/problems.csv"]); len(rows) != 0 {
		t.Errorf("%q", rows)
	}
	var history []struct{ Op, ActorName string }
	must(t, json.Unmarshal([]byte(files[dir+"/history.json"]), &history))
	if len(history) != 3 || history[0].Op != "document.created" || history[2].Op != "hold.placed" || history[0].ActorName == "" {
		t.Errorf("%+v", history)
	}
	if files["proofs/verifier.html"] != string(verifier.Page()) {
		t.Error("the page that checks proofs is not in it")
	}
	index := files["index.html"]
	if strings.Contains(strings.ToLower(index), "<script") || strings.Contains(index, "http://") || strings.Contains(index, "https://") || !strings.Contains(index, "Matter Acme/7") {
		t.Error(index)
	}
	for name, text := range files {
		if strings.Contains(text, other.ID) {
			t.Errorf("%s tells of another document", name)
		}
	}
	last := uint64(0)
	for line := range strings.Lines(files["data/log.jsonl"]) {
		e, err := audit.ParseEntry([]byte(line))
		must(t, err)
		if e.Seq <= last || e.Document != lease.ID && e.Document != page.ID && e.Document != gone.ID && e.Op != audit.OpExportMade {
			t.Errorf("%s", line)
		}
		last = e.Seq
	}
	if last != b.Receipt.Seq {
		t.Errorf("the last line is %d, the export's %d", last, b.Receipt.Seq)
	}
	if left, err := os.ReadDir(filepath.Join(k.Dir, "exports")); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// acts does something once, when something was written.
type acts struct {
	bytes.Buffer
	act func()
}

func (a *acts) Write(p []byte) (int, error) {
	if a.act != nil && a.Len() > 0 {
		a.act()
		a.act = nil
	}
	return a.Buffer.Write(p)
}

// What happens after the list was fixed is not in the bag, and what is gone by then
// is told.
func TestABagOfWhatChangesMeanwhile(t *testing.T) {
	k := enginetest.New(t)
	kept, gone, late := k.Create("kept", "kept"), k.Create("gone", "gone"), k.Create("gone late", "late")
	b, err := k.MakeBag(t.Context(), k.Admin, engine.BagChoice{DocumentIDs: []string{late.ID, kept.ID, gone.ID, kept.ID}})
	must(t, err)
	if b.Documents != 3 {
		t.Errorf("%d documents", b.Documents)
	}
	k.AddText(kept.ID, "too late")
	k.Create("new", "new")
	remove := func(id string) {
		_, _, err := k.DeleteDocument(t.Context(), k.Admin, id, engine.Condition{})
		must(t, err)
	}
	remove(gone.ID)
	out := &acts{act: func() { remove(late.ID) }}
	must(t, b.Write(t.Context(), out))
	files := unpacked(t, b, out.Bytes())
	var bodies []string
	for name, text := range files {
		if strings.HasPrefix(name, "data/") && strings.Contains(name, "/000") {
			bodies = append(bodies, text)
		}
	}
	if len(bodies) != 1 || bodies[0] != "kept" {
		t.Errorf("%q", bodies)
	}
	rows := cellsOf(t, files["data/problems.csv"])
	if len(rows) != 2 || rows[0][0] != gone.ID || rows[1][0] != late.ID || !strings.Contains(rows[1][2], "deleted while") || !strings.Contains(files["index.html"], "problems.csv") {
		t.Errorf("%q", rows)
	}
	for line := range strings.Lines(files["data/log.jsonl"]) {
		e, err := audit.ParseEntry([]byte(line))
		must(t, err)
		if e.Seq > b.Seq && e.Seq != b.Receipt.Seq {
			t.Errorf("after the list: %s", line)
		}
	}
}

// Bytes that are damaged or missing are told, and the rest is there.
func TestABagOfDamagedBytes(t *testing.T) {
	k := enginetest.New(t)
	rotten, lost, whole := k.Create("rotten", "rotten"), k.Create("lost", "lost"), k.Create("whole", "whole")
	file := func(d engine.Document) string {
		hex := strings.TrimPrefix(d.Current.Digest.String(), "sha256:")
		return filepath.Join(k.Dir, "blobs", "sha256", hex[:2], hex)
	}
	must(t, os.Chmod(file(rotten), 0o600))
	must(t, os.WriteFile(file(rotten), []byte("rotteN"), 0o600))
	must(t, os.Rename(file(lost), file(lost)+".away"))
	_, files := bagOf(t, k, engine.BagChoice{DocumentIDs: []string{rotten.ID, lost.ID, whole.ID}})
	rows := cellsOf(t, files["data/problems.csv"])
	if len(rows) != 2 || rows[0][0] != rotten.ID || rows[1][0] != lost.ID || !strings.Contains(rows[0][2], "damaged") || !strings.Contains(rows[1][2], "not there") {
		t.Errorf("%q", rows)
	}
	must(t, os.WriteFile(file(rotten), []byte("rotten"), 0o600))
	must(t, os.Rename(file(lost)+".away", file(lost)))
}

func TestWhoMayMakeABag(t *testing.T) {
	k := enginetest.New(t)
	d := k.CreateFrom(engine.NewDocument{Name: "d", Path: "2024/a"}, "text")
	k.CreateFrom(engine.NewDocument{Name: "x", Path: "2024/ab"}, "other")
	auditor, _ := k.Person("auditor", engine.AccessAuditor)
	uploader, _ := k.Person("uploader", engine.AccessUpload)
	byPath := engine.BagChoice{Query: &engine.DocumentQuery{Path: "2024/a"}}
	before := k.Head().Seq
	for _, c := range []engine.BagChoice{{}, {Matter: "m", DocumentIDs: []string{}}, {Query: &engine.DocumentQuery{Status: "x"}}, {DocumentIDs: []string{"x"}}} {
		if _, err := k.MakeBag(t.Context(), k.Admin, c); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := k.MakeBag(t.Context(), k.Admin, engine.BagChoice{Matter: "none"}); !errors.Is(err, engine.ErrMatterNotFound) {
		t.Error(err)
	}
	if _, err := k.MakeBag(t.Context(), uploader, byPath); !errors.Is(err, engine.ErrLacksPermission) {
		t.Error(err)
	}
	if k.Head().Seq != before {
		t.Error("a refusal is in the log")
	}
	on := true
	_, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{AuditReads: &on})
	must(t, err)
	b, err := k.MakeBag(t.Context(), auditor, byPath)
	must(t, err)
	must(t, b.Write(t.Context(), io.Discard))
	e, err := k.Entry(t.Context(), b.Receipt.Seq)
	must(t, err)
	list := sha256.Sum256([]byte(d.ID + "\n"))
	if got, _ := e.Facts["list"].AsText(); got != hex.EncodeToString(list[:]) {
		t.Errorf("%s", e.Line)
	}
	page, err := k.Entries(t.Context(), engine.EntryQuery{After: b.Receipt.Seq, ActorID: auditor.UserID})
	must(t, err)
	if len(page.Items) != 1 || page.Items[0].Op != audit.OpDocumentDownloaded || page.Items[0].Document != d.ID || page.Items[0].Actor != auditor.UserID {
		t.Errorf("%+v", page.Items)
	}
	ctx, cancel := context.WithCancel(t.Context())
	b, err = k.MakeBag(ctx, auditor, byPath)
	must(t, err)
	cancel()
	if err := b.Write(ctx, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadDir(filepath.Join(k.Dir, "exports")); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// Whatever documents and folders are called, each file has a name of its own that
// every file system takes, and nothing leaves the bag.
func TestNamesInABag(t *testing.T) {
	k := enginetest.New(t)
	var ids []string
	first := k.CreateFrom(engine.NewDocument{Name: "name", Path: "a"}, "first")
	for i, n := range []engine.NewDocument{
		{Name: "Name", Path: "A"}, {Name: "name", Path: "a"}, {Name: "document.json", Path: "a/name (" + first.ID + ")"}, {Name: "x", Path: "a/name (" + strings.ToLower(first.ID) + ")/document.json"},
		{Name: "CON", Path: "NUL/aux.txt"}, {Name: strings.Repeat("\u4e2d", 200), Path: strings.Repeat("\u4e2d", 150) + "/" + strings.Repeat("b/", 40) + "c"}, {Name: "..", Path: "... /. ."},
	} {
		ids = append(ids, k.CreateFrom(n, fmt.Sprint("text ", i)).ID)
	}
	page := k.Create("page", "<script>")
	u := k.Upload("<html>")
	_, _, err := k.AddVersion(t.Context(), k.Admin, page.ID, engine.Condition{}, engine.NewVersion{MediaType: "text/html", FileName: "x.html"}, u)
	must(t, err)
	_, files := bagOf(t, k, engine.BagChoice{DocumentIDs: append(ids, first.ID, page.ID)}) // unpacked looks at the names
	versions, marked := 0, 0
	for name := range files {
		if strings.HasPrefix(name, "data/") && strings.Contains(name, "/000") {
			versions++
		}
		if strings.HasSuffix(name, "0002-x.html.evidence") {
			marked++
		}
		if len(name) > 255 {
			t.Errorf("%d bytes: %s", len(name), name)
		}
	}
	if versions != len(ids)+3 || marked != 1 || !strings.Contains(files["index.html"], `<span class="mark">page</span><small>`) {
		t.Errorf("%d versions, %d marked", versions, marked)
	}
}

// TestAnIndependentValidator has the bag looked at by programs that know nothing of
// this one.
func TestAnIndependentValidator(t *testing.T) {
	k := enginetest.New(t)
	for i := range 20 {
		k.CreateFrom(engine.NewDocument{Name: fmt.Sprintf("\u00fc %d", i), Path: "2024/a b"}, strings.Repeat("text", i*1000))
	}
	b, files := bagOf(t, k, engine.BagChoice{Query: &engine.DocumentQuery{Path: "2024"}})
	dir := filepath.Join(t.TempDir(), b.Name())
	for name, text := range files {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	validators := [][]string{{"sha256sum", "--strict", "-c", "manifest-sha256.txt"}, {"sha256sum", "--strict", "-c", "tagmanifest-sha256.txt"}, {"python3", "-m", "bagit", "--validate", "."}}
	for _, v := range validators {
		if _, err := exec.LookPath(v[0]); err != nil {
			t.Logf("NOT VALIDATED by %v: it is not on this machine", v)
			continue
		}
		if v[0] == "python3" && exec.Command("python3", "-c", "import bagit").Run() != nil {
			t.Logf("NOT VALIDATED by %v: pip install bagit to have it so", v)
			continue
		}
		c := exec.Command(v[0], v[1:]...)
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", v, err, out)
		}
	}
}
