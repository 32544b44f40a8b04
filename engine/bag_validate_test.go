package engine_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// TestAnIndependentValidator has the bag looked at by programs that know nothing of
// this one: sha256sum; a validator written from the words of RFC 8493, in another
// language; and the one of the Library of Congress, where it is installed.
func TestAnIndependentValidator(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	for i := range 5 {
		d := k.CreateFrom(engine.NewDocument{Name: fmt.Sprintf("\u00fc %d%%, o\u0308 \u4e2d", i), Path: "2024/a b"}, strings.Repeat("text", i*1000))
		place(t, k, d.ID, "M")
	}
	k.CreateFrom(engine.NewDocument{Name: "empty", Path: "2024"}, "")
	b, err := k.MakeBag(t.Context(), k.Admin, engine.BagChoice{Query: &engine.DocumentQuery{Path: "2024", Status: engine.StatusAll}})
	must(t, err)
	var out bytes.Buffer
	must(t, b.Write(t.Context(), &out))
	dir := t.TempDir()
	file := filepath.Join(dir, b.Name()+".zip")
	must(t, os.WriteFile(file, out.Bytes(), 0o600))
	files := unpacked(t, b, out.Bytes())
	whole := lay(t, filepath.Join(dir, b.Name()), files, nil)
	run(t, whole, "sha256sum", "--strict", "-c", "manifest-sha256.txt")
	run(t, whole, "sha256sum", "--strict", "-c", "tagmanifest-sha256.txt")
	if _, err := exec.LookPath("python3"); err != nil {
		t.Log("NOT VALIDATED: there is no python3 on this machine")
		return
	}
	if exec.Command("python3", "-c", "import bagit").Run() == nil {
		run(t, whole, "python3", "-m", "bagit", "--validate", ".")
	} else {
		t.Log("NOT VALIDATED by the Library of Congress's validator: pip install bagit to have it so")
	}
	validator, err := filepath.Abs("../testdata/bagit/validate.py")
	must(t, err)
	if said := run(t, dir, "python3", validator, file, whole); strings.Count(said, ": valid\n") != 2 {
		t.Errorf("%s", said)
	}

	// The validator finds what is wrong, one thing at a time.
	some := "data/documents.csv"
	mangled := []string{validator}
	for what, mangle := range map[string]func(files map[string]string){
		"a changed byte":     func(f map[string]string) { f[some] = strings.Replace(f[some], "id", "ID", 1) },
		"a file too many":    func(f map[string]string) { f["data/extra"] = "extra" },
		"a file too few":     func(f map[string]string) { delete(f, some) },
		"a tag file changed": func(f map[string]string) { f["index.html"] += " " },
		"no declaration":     func(f map[string]string) { delete(f, "bagit.txt") },
		"no manifest":        func(f map[string]string) { delete(f, "manifest-sha256.txt") },
	} {
		mangled = append(mangled, lay(t, filepath.Join(dir, what), files, mangle))
	}
	cut := filepath.Join(dir, "cut.zip")
	must(t, os.WriteFile(cut, out.Bytes()[:out.Len()-30], 0o600))
	said, err := exec.Command("python3", append(mangled, cut)...).CombinedOutput()
	if err == nil || strings.Contains(string(said), ": valid") {
		t.Errorf("%s", said)
	}
	for _, of := range append(mangled[1:], cut) {
		if !strings.Contains(string(said), of+": ") {
			t.Errorf("nothing is wrong with %s:\n%s", of, said)
		}
	}
}

// lay writes the files of a bag into a directory, changed.
func lay(t *testing.T, dir string, files map[string]string, change func(map[string]string)) string {
	t.Helper()
	laid := map[string]string{}
	for name, text := range files {
		laid[name] = text
	}
	if change != nil {
		change(laid)
	}
	for name, text := range laid {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func run(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Logf("NOT VALIDATED by %s: it is not on this machine", program)
		return ""
	}
	c := exec.Command(program, args...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("%s %v: %v\n%s", program, args, err, out)
	}
	return string(out)
}
