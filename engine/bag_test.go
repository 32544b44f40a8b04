package engine_test

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/audit"
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
