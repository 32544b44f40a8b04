package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"strongroom/blobstore"
	"strongroom/engine"
	"strongroom/httpapi/datadir"
)

// tree writes files below a new directory, and returns it.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func writeFile(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// counts is what an import says on standard output.
func counts(imported, versions, skipped, failed int) string {
	return fmt.Sprintf("imported  %d\nversions  %d\nskipped   %d\nfailed    %d\n", imported, versions, skipped, failed)
}

// importing runs an import and fails unless it ends and counts as expected.
func importing(t *testing.T, code int, want string, args ...string) result {
	t.Helper()
	r := run(t, append([]string{"import"}, args...)...)
	if r.code != code || r.stdout != want {
		t.Fatalf("import %s: exit status %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r
}

// importedDocuments returns the documents of the vault at rest by their externalId.
func importedDocuments(t *testing.T, data string) map[string]engine.Document {
	t.Helper()
	v, err := datadir.Open(datadir.Place{Data: data, Vault: "main"})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	found := map[string]engine.Document{}
	for cursor := ""; ; {
		page, err := v.Documents(t.Context(), engine.DocumentQuery{Status: "all", Paging: engine.Paging{Limit: 500, Cursor: cursor}})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Items {
			found[d.ExternalID] = d
		}
		if cursor = page.NextCursor; cursor == "" {
			return found
		}
	}
}

func newVault(t *testing.T) string {
	t.Helper()
	t.Chdir(t.TempDir())
	mustRun(t, "init", "--admin", "Ada Lovelace <ada@example.com>")
	return "strongroom-data"
}

func TestImportTree(t *testing.T) {
	data := newVault(t)
	dir := tree(t, map[string]string{"a.txt": "A", "b/c.txt": "C", "b/ü ö.txt": "", ".hidden": "x", ".git/config": "x"})
	if err := os.Symlink("a.txt", filepath.Join(dir, "link")); err != nil {
		t.Log(err)
	}
	r := importing(t, 0, counts(3, 0, 0, 0), dir, "--category", "report", "--tags", "from:scanner, old")
	for _, say := range []string{"left out: 2 hidden, 1 symbolic link", "Ada Lovelace"} {
		if !strings.Contains(r.stderr, say) {
			t.Errorf("does not say %q:\n%s", say, r.stderr)
		}
	}
	d, ok := importedDocuments(t, data)["import:b/c.txt"]
	if !ok || d.Name != "c.txt" || d.Category != "report" || !slices.Equal(d.Tags, []string{"from:scanner", "old"}) {
		t.Errorf("imported as %+v", d)
	}
	importing(t, 0, counts(0, 0, 3, 0), dir)

	writeFile(t, filepath.Join(dir, "a.txt"), "B")
	r = importing(t, 1, counts(0, 0, 2, 1), dir)
	if !strings.Contains(r.stderr, "a.txt: document ") || !strings.Contains(r.stderr, "--update") {
		t.Error(r.stderr)
	}
	importing(t, 0, counts(0, 1, 2, 0), dir, "--update")
	importing(t, 0, counts(0, 0, 3, 0), dir, "--update")
	if d := importedDocuments(t, data)["import:a.txt"]; d.VersionCount != 2 || d.Current.Size != 1 {
		t.Errorf("the version is %+v", d)
	}
	mustRun(t, "verify", "--bytes")
}

// TestImportServed imports through the control socket, beside other requests.
func TestImportServed(t *testing.T) {
	t.Chdir(t.TempDir())
	s := startServer(t, "data")
	dir := tree(t, map[string]string{"a.txt": "A", "b.txt": "B"})
	importing(t, 0, counts(2, 0, 0, 0), dir, "--data", s.data)
	if log := s.stderr.String(); strings.Contains(log, `"route":"/v1/documents"`) ||
		strings.Count(log, `"files":2,"imported":2,"versions":0,"skipped":0,"failed":0,`) != 1 || !strings.Contains(log, "import ended") {
		t.Errorf("the log is\n%s", log)
	}
	importing(t, 0, counts(0, 0, 2, 0), dir, "--data", s.data, "--workers", "1")
	resp, answer := s.do(t, s.firstKey(t), "GET", "/v1/documents?externalId=import:a.txt", nil)
	if resp.StatusCode != http.StatusOK || !bytes.Contains(answer, []byte(`"name":"a.txt"`)) {
		t.Errorf("%s\n%s", resp.Status, answer)
	}
}

const everyColumn = "\ufeffpath,name,category,description,owner,tags,externalId,product,templateId,agreementId,label,comment," +
	"field.renewalDate,field.amount,field.signed,field.court,field.lawyer\r\n"

func TestImportCSV(t *testing.T) {
	data := newVault(t)
	grace := strings.TrimSpace(mustRun(t, "user", "add", "--name", "Grace", "--email", "Grace@example.com"))
	defineFields(t, data)
	dir := tree(t, map[string]string{"in/one.txt": "1", "two.txt": "2", "three.txt": "3"})
	list := writeFile(t, "list.csv", everyColumn+
		"./in/one.txt,One,contract,\"two\r\nlines, and \"\"quotes\"\"\",grace@EXAMPLE.com,\"a:b,c\",X-1,P,T,A,signed,as it came,2030-01-31,1250.50,TRUE,Berlin,grace@example.com\r\n"+
		"two.txt,,,,,,,,,,,,,,,,\r\n"+
		",,,,,,,,,,,,,,,,\r\n")
	if r := run(t, "import", dir, "--csv", list, "--check"); r.code != 0 || r.stdout != "checked   2\n" || len(importedDocuments(t, data)) != 0 {
		t.Fatalf("%d %s%s", r.code, r.stdout, r.stderr)
	}
	importing(t, 0, counts(2, 0, 0, 0), dir, "--csv", list, "--category", "report", "--tags", "all")
	found := importedDocuments(t, data)
	d := found["X-1"]
	if d.Name != "One" || d.Category != "contract" || d.Description != "two\nlines, and \"quotes\"" || d.OwnerID != grace ||
		!slices.Equal(d.Tags, []string{"a:b", "all", "c"}) || d.Product != "P" || d.TemplateID != "T" || d.AgreementID != "A" ||
		d.Current.Label != "signed" || d.Current.Comment != "as it came" {
		t.Errorf("imported as %+v", d)
	}
	fields, _ := json.Marshal(d.CustomFields)
	if want := fmt.Sprintf(`{"amount":1250.50,"court":"Berlin","lawyer":%q,"renewalDate":"2030-01-31","signed":true}`, grace); string(fields) != want {
		t.Errorf("custom fields %s\nwant          %s", fields, want)
	}
	if d := found["import:two.txt"]; d.Name != "two.txt" || d.Category != "report" || !slices.Equal(d.Tags, []string{"all"}) {
		t.Errorf("imported as %+v", d)
	}
	importing(t, 0, counts(0, 0, 2, 0), dir, "--csv", list)
}

// TestImportDelimiter takes a CSV as spreadsheets write it where the comma is in
// numbers, and gives back what failed in the same form.
func TestImportDelimiter(t *testing.T) {
	data := newVault(t)
	dir := tree(t, map[string]string{"one.txt": "1", "two.txt": "2"})
	list := writeFile(t, "list.csv", "\ufeffpath;name;tags\r\none.txt;One, or 1;a,b\r\n")
	importing(t, 0, counts(1, 0, 0, 0), dir, "--csv", list, "--delimiter", ";")
	if d := importedDocuments(t, data)["import:one.txt"]; d.Name != "One, or 1" || !slices.Equal(d.Tags, []string{"a", "b"}) {
		t.Errorf("imported as %+v", d)
	}
	writeFile(t, filepath.Join(dir, "one.txt"), "changed")
	importing(t, 1, counts(0, 0, 0, 1), dir, "--csv", list, "--delimiter", ";", "--failed", "failed.csv")
	importing(t, 0, counts(0, 1, 0, 0), dir, "--csv", "failed.csv", "--delimiter", ";", "--update")
	list = writeFile(t, "tabs.csv", "path\tname\ntwo.txt\tTwo\n")
	importing(t, 0, counts(1, 0, 0, 0), dir, "--csv", list, "--delimiter", "tab")
	for _, wrong := range []string{"", ";;", "\"", "\n"} {
		run(t, "import", dir, "--csv", list, "--delimiter", wrong).expect(t, 2, "--delimiter", "the word tab")
	}
}

func defineFields(t *testing.T, data string) {
	t.Helper()
	v, err := datadir.Open(datadir.Place{Data: data, Vault: "main"})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for _, f := range []engine.NewField{
		{Key: "amount", Type: engine.NumberField}, {Key: "signed", Type: engine.BooleanField},
		{Key: "court", Type: engine.ChoiceField, Choices: []string{"Berlin", "London"}}, {Key: "lawyer", Type: engine.UserField},
	} {
		if _, _, err := v.CreateField(t.Context(), engine.Operator(), f); err != nil {
			t.Fatal(err)
		}
	}
}

// TestImportRefused holds that a row that is wrong is told by line and column,
// and that then nothing at all is written.
func TestImportRefused(t *testing.T) {
	data := newVault(t)
	defineFields(t, data)
	dir := tree(t, map[string]string{"good.txt": "1", "sub/x": "2", ".hidden": "3", ".ssh/id_rsa": "4", "sub/.git/config": "5"})
	if err := os.Rename(data, filepath.Join(dir, "vaults")); err != nil {
		t.Fatal(err)
	}
	data = filepath.Join(dir, "vaults")
	outside := writeFile(t, filepath.Join(t.TempDir(), "secret"), "s")
	symlinks := os.Symlink(outside, filepath.Join(dir, "out")) == nil &&
		os.Symlink(filepath.Dir(outside), filepath.Join(dir, "away")) == nil && os.Symlink("sub", filepath.Join(dir, "inner")) == nil
	for _, c := range []struct{ csv, say string }{
		{"", "is empty"},
		{"path,colour\ngood.txt,red\n", `no column "colour"`},
		{"path;name\ngood.txt;x\n", "separated by commas"},
		{"path,path\n", `"path" is there twice`},
		{"path,\n", "column 2 has no name"},
		{"name\nx\n", "the column path is missing"},
		{"\xff\xfep\x00", "is UTF-16"},
		{"path,field.none\n", `"field.none"`},
		{"path,name\ngood.txt\n", "line 2: good.txt: has 1 cells"},
		{"path\n\"good.txt\n", "line 2: a quotation mark is not closed"},
		{"path\n\"good\".txt\n", "line 2: a quotation mark is not closed, or something follows"},
		{"path,name\ngood.txt,a \"b\" c\n", "line 2: a quotation mark stands in a cell without quotes"},
		{"pa\"th\n", "line 1: a quotation mark stands in a cell without quotes"},
		{"sep=;\npath;name\n", "take that line out"},
		{"path;name\ngood.txt;x\n", "separated by semicolons? give --delimiter ';'"},
		{"path\tname\ngood.txt\tx\n", "give --delimiter tab"},
		{"path\nmissing.txt\n", "line 2: missing.txt: path: there is no such file"},
		{"path\n../secret\n", "must lie below"},
		{"path\nsub/../../secret\n", "must lie below"},
		{"path\n" + outside + "\n", "must lie below"},
		{"path,name\n,x\n", "path: is missing"},
		{"path\nsub\n", "no regular file"},
		{"path\nout\n", "path: "},
		{"path\naway/secret\n", "path: "},
		{"path\ngood.txt\nsub/../good.txt\n", "line 3: sub/../good.txt: path: an earlier row"},
		{"path\n.hidden\n", "path: \".hidden\" begins with a dot"},
		{"path\n.ssh/id_rsa\n", "path: \".ssh\" begins with a dot"},
		{"path\nsub/.git/config\n", "path: \"sub/.git\" begins with a dot"},
		{"path\nsub/../.hidden\n", "path: \".hidden\" begins with a dot"},
		{"path\nvaults/vaults/main/lock.key\n", "path: \"vaults\" is the data directory"},
		{"path\nvaults/vaults/main/vault.db\n", "path: \"vaults\" is the data directory"},
		{"path\ninner/x\n", "path: \"inner\" is a symbolic link"},
		{"path,externalId\ngood.txt,1\nsub/x,1\n", "externalId: an earlier row"},
		{"path,externalId\ngood.txt,\nsub/x,import:good.txt\n", "externalId: an earlier row"},
		{"path,category\ngood.txt,poem\n", "category: must be one of contract,"},
		{"path,owner\ngood.txt,nobody@example.com\n", "owner: no user"},
		{"path,tags\ngood.txt,a:\n", "tags[0]: must be a word or key:value"},
		{"path,name\ngood.txt," + strings.Repeat("x", 300) + "\n", "name: must be at most 255 characters"},
		{"path,field.amount\ngood.txt,lots\n", "field.amount: must be a number"},
		{"path,field.amount\ngood.txt,true\n", "field.amount: must be a number"},
		{"path,field.signed\ngood.txt,perhaps\n", "field.signed: must be true or false"},
		{"path,field.court\ngood.txt,Rome\n", "field.court: must be one of Berlin, London"},
		{"path,field.lawyer\ngood.txt,me\n", "field.lawyer: no user"},
		{"path,field.renewalDate\ngood.txt,tomorrow\n", "field.renewalDate: must be a date"},
	} {
		if !symlinks && strings.Contains(c.say, "path: ") {
			continue
		}
		list := writeFile(t, "list.csv", c.csv)
		r := run(t, "import", dir, "--data", data, "--csv", list, "--failed", "failed.csv")
		if r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, c.say) || strings.Contains(r.stderr, "parse error") {
			t.Errorf("%q: exit status %d, does not say %q\n%s%s", c.csv, r.code, c.say, r.stdout, r.stderr)
		}
	}
	for _, own := range []string{data, filepath.Join(data, "vaults", "main")} {
		run(t, "import", own, "--data", data).expect(t, 2, "the data directory", "not imported")
	}
	// All that is wrong with a row is told at once.
	list := writeFile(t, "list.csv", "path,category,owner,tags,field.amount,field.signed\n"+
		"missing.txt,poem,nobody,a:,lots,perhaps\ngood.txt,,,,,\ngood.txt,,,,much,\n")
	r := run(t, "import", dir, "--data", data, "--csv", list)
	for _, say := range []string{
		"line 2: missing.txt: path: there is no such file; owner: no user has this id or e-mail address; field.amount: must be a number such as 1250.5; " +
			"field.signed: must be true or false; tags[0]: must be a word or key:value; category: must be one of contract",
		"line 4: good.txt: field.amount: must be a number such as 1250.5; path: an earlier row names the same file",
		"2 rows are wrong",
	} {
		if !strings.Contains(r.stderr, say) {
			t.Errorf("does not say %q:\n%s", say, r.stderr)
		}
	}
	if len(importedDocuments(t, data)) > 0 {
		t.Error("something was written")
	}
	if _, err := os.Stat("failed.csv"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file of failures was written: %v", err)
	}
}

// TestImportFailed feeds the file of failures back.
func TestImportFailed(t *testing.T) {
	newVault(t)
	dir := tree(t, map[string]string{"a.txt": "1", "b.txt": "2", "c.txt": "3"})
	list := writeFile(t, "list.csv", "name,path\n\"Bee, the\",b.txt\nSea,c.txt\n")
	importing(t, 0, counts(3, 0, 0, 0), dir, "--failed", "failed.csv")
	if got, _ := os.ReadFile("failed.csv"); string(got) != "path,error\n" {
		t.Errorf("nothing failed, and yet:\n%s", got)
	}
	writeFile(t, filepath.Join(dir, "b.txt"), "22")
	importing(t, 1, counts(0, 0, 1, 1), dir, "--csv", list, "--failed", "failed.csv")
	f, err := os.Open("failed.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != 2 || !slices.Equal(rows[0], []string{"name", "path", "error"}) ||
		!slices.Equal(rows[1][:2], []string{"Bee, the", "b.txt"}) || !strings.Contains(rows[1][2], "--update") {
		t.Errorf("%v %q", err, rows)
	}
	importing(t, 1, counts(0, 0, 0, 1), dir, "--csv", "failed.csv", "--failed", "failed.csv")
	importing(t, 0, counts(0, 1, 0, 0), dir, "--csv", "failed.csv", "--failed", "failed.csv", "--update")
	if got, _ := os.ReadFile("failed.csv"); string(got) != "name,path,error\n" {
		t.Errorf("nothing failed, and yet:\n%s", got)
	}
}

// canceller asks a run to stop when it says something that contains a word.
type canceller struct {
	bytes.Buffer
	word   string
	cancel context.CancelFunc
}

func (c *canceller) Write(p []byte) (int, error) {
	if strings.Contains(string(p), c.word) {
		c.cancel()
	}
	return c.Buffer.Write(p)
}

func TestImportInterrupted(t *testing.T) {
	data := newVault(t)
	dir := tree(t, map[string]string{"000.txt": "0"})
	importing(t, 0, counts(1, 0, 0, 0), dir)
	writeFile(t, filepath.Join(dir, "000.txt"), "changed")
	for i := 1; i <= 50; i++ {
		writeFile(t, filepath.Join(dir, fmt.Sprintf("%03d.txt", i)), fmt.Sprint(i))
	}
	ctx, cancel := context.WithCancel(t.Context())
	stderr := &canceller{word: "000.txt", cancel: cancel}
	var stdout bytes.Buffer
	p := &program{stdout: &stdout, stderr: stderr, env: func(string) string { return "" }}
	if code := p.run(ctx, []string{"import", dir, "--workers", "1"}); code != 1 || !strings.Contains(stderr.String(), "interrupted; the same command goes on") {
		t.Errorf("exit status %d\n%s%s", code, stdout.String(), stderr.String())
	}
	there := len(importedDocuments(t, data)) - 1
	if there > 2 {
		t.Errorf("%d files were imported after the signal", there)
	}
	importing(t, 0, counts(50-there, 1, there, 0), dir, "--update")
}

func TestImportLeavesTheVaultOut(t *testing.T) {
	newVault(t)
	writeFile(t, "a.txt", "A")
	r := importing(t, 0, counts(1, 0, 0, 0), ".")
	if !strings.Contains(r.stderr, "left out: 1 data directory") {
		t.Error(r.stderr)
	}
	run(t, "import", ".", "--failed", "failed.csv").expect(t, 2, "--failed failed.csv", "outside")
}

// BenchmarkImport imports files of 64 KiB into a vault at rest: against keeping
// the same bytes by bare system calls, as BenchmarkUpload64KiB does.
func BenchmarkImport(b *testing.B) {
	for _, workers := range []int{1, 16} {
		b.Run(fmt.Sprint(workers), func(b *testing.B) {
			b.Chdir(b.TempDir())
			dir := b.TempDir()
			for i := range b.N {
				path := filepath.Join(dir, fmt.Sprintf("%03d", i/1000), fmt.Sprintf("%03d.bin", i%1000))
				// Synced, for what the system has still to write is not the import's.
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), blobstore.WriteFile(path, randomBytes(64<<10))); err != nil {
					b.Fatal(err)
				}
			}
			command := func(args ...string) {
				p := &program{stdout: io.Discard, stderr: io.Discard, env: func(string) string { return "" }}
				if code := p.run(b.Context(), args); code != 0 {
					b.Fatalf("%v: exit status %d", args, code)
				}
			}
			command("init")
			bare := func() float64 { return bareBlobs(b, workers, 200*min(workers, 8)) }
			before := bare()
			b.ResetTimer()
			command("import", dir, "--workers", fmt.Sprint(workers))
			b.StopTimer()
			rate, limit := float64(b.N)/b.Elapsed().Seconds(), (before+bare())/2
			b.ReportMetric(rate, "files/s")
			b.ReportMetric(limit, "limit/s")
			b.ReportMetric(rate/limit, "of-limit")
		})
	}
}

// TestImportNormalForms: a table and a file system may compose letters otherwise, and
// a tree that was copied over another file system is the same tree.
func TestImportNormalForms(t *testing.T) {
	data := newVault(t)
	const composed, apart = "Über", "U\u0308ber"
	long := strings.Repeat("x", 100) + "/" + strings.Repeat("y", 100)
	dir := tree(t, map[string]string{"2024/" + apart + "/" + apart + ".txt": "one", apart + "/" + long + "/deep.txt": "deep", "plain.txt": "p", "both/" + apart: "1", "both/" + composed: "2"})
	if entries, err := os.ReadDir(filepath.Join(dir, "both")); err != nil || len(entries) < 2 {
		t.Skip("this file system composes letters by itself")
	}
	if err := os.RemoveAll(filepath.Join(dir, "both", composed)); err != nil {
		t.Fatal(err)
	}
	list := writeFile(t, "list.csv", "path,category\n2024/"+composed+"/"+composed+".txt,report\n")
	importing(t, 0, counts(1, 0, 0, 0), dir, "--csv", list)
	found := importedDocuments(t, data)
	d := found["import:2024/"+composed+"/"+composed+".txt"]
	if d.Name != composed+".txt" || d.Path != "2024/"+composed || d.Category != "report" || d.Current.FileName != apart+".txt" {
		t.Errorf("imported as %+v", d)
	}
	importing(t, 0, counts(3, 0, 1, 0), dir)
	for _, rename := range [][2]string{{"2024/" + apart, "2024/" + composed}, {"2024/" + composed + "/" + apart + ".txt", "2024/" + composed + "/" + composed + ".txt"}, {apart, composed}, {"both/" + apart, "both/" + composed}} {
		if err := os.Rename(filepath.Join(dir, rename[0]), filepath.Join(dir, rename[1])); err != nil {
			t.Fatal(err)
		}
	}
	importing(t, 0, counts(0, 0, 4, 0), dir)
	for _, d := range importedDocuments(t, data) {
		if d.Name == "deep.txt" && d.Path != composed+"/"+long {
			t.Errorf("its path is %q", d.Path)
		}
	}
	// Two that differ in nothing else are told, and not taken for one another.
	writeFile(t, filepath.Join(dir, "both", apart), "other")
	list = writeFile(t, "list.csv", "path\nboth/"+composed+"\n")
	importing(t, 0, counts(0, 0, 1, 0), dir, "--csv", list)
	r := importing(t, 1, counts(0, 0, 4, 1), dir)
	if !strings.Contains(r.stderr, "has other bytes") {
		t.Error(r.stderr)
	}
	mustRun(t, "verify", "--bytes")
}

// TestImportFolders: a file keeps its folder, as far as a path can say it.
func TestImportFolders(t *testing.T) {
	data := newVault(t)
	deep := strings.TrimSuffix(strings.Repeat("d/", 120), "/")
	dir := tree(t, map[string]string{"a/b/c.txt": "1", "top.txt": "2", deep + "/x.txt": "3"})
	importing(t, 0, counts(3, 0, 0, 0), dir)
	for _, d := range importedDocuments(t, data) {
		want := map[string]string{"c.txt": "a/b", "top.txt": "", "x.txt": strings.TrimSuffix(strings.Repeat("d/", 100), "/")}[d.Name]
		if d.Path != want {
			t.Errorf("%s lies in %q, want %q", d.Name, d.Path, want)
		}
	}
}

// TestImportOCR: files that say nothing get the text that a command reads in them;
// what it cannot read is told, and is there all the same.
func TestImportOCR(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the commands are those of a Unix")
	}
	data := newVault(t)
	dir := tree(t, map[string]string{
		"scan.png": "\x89PNG\r\n\x1a\nwords of a scan", "bad.png": "\x89PNG\r\n\x1a\nbad", "note.txt": "says itself", "empty.png": "",
	})
	reads := writeFile(t, filepath.Join(t.TempDir(), "ocr"), "#!/bin/sh\ncase $1 in *.png) ;; *) exit 4;; esac\ngrep -q words \"$1\" || { echo cannot read >&2; exit 3; }\ntail -n +3 \"$1\"\n")
	if err := os.Chmod(reads, 0o700); err != nil {
		t.Fatal(err)
	}
	base := []string{dir, "--ocr", reads + " {}"}
	r := importing(t, 1, counts(4, 0, 0, 0)+"read      1\nunread    1\n", base...)
	if want := "bad.png: it is in the vault, without a text: the command failed: exit status 3"; !strings.Contains(r.stderr, want) || !strings.Contains(r.stderr, "cannot read") {
		t.Errorf("%s\nlacks %q", r.stderr, want)
	}
	sizes := map[string]int64{}
	for _, d := range importedDocuments(t, data) {
		sizes[d.Name] = d.Current.TextSize
	}
	if sizes["scan.png"] != int64(len("words of a scan")) || sizes["bad.png"] != 0 || sizes["note.txt"] != 0 || len(sizes) != 4 {
		t.Errorf("%v", sizes)
	}
	// What has a text is left alone; what has none is tried again.
	importing(t, 0, counts(0, 0, 4, 0)+"read      1\nunread    0\n", dir, "--ocr", "echo {}")
	importing(t, 0, counts(0, 0, 4, 0)+"read      0\nunread    0\n", dir, "--ocr", "false")
}
