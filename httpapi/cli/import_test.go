package cli

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"strongroom/engine"
	"strongroom/httpapi"
	"strongroom/httpapi/control"
	"strongroom/httpapi/datadir"
)

// served returns a line to a vault through the socket of a server, and what ends
// that server.
func served(t *testing.T) (line *control.Client, end func()) {
	t.Helper()
	at := datadir.Place{Data: t.TempDir(), Vault: "main"}
	if _, err := datadir.Create(t.Context(), at, engine.NewUser{Name: "Ada", Access: engine.AccessAdmin}); err != nil {
		t.Fatal(err)
	}
	v, err := datadir.Open(at)
	if err != nil {
		t.Fatal(err)
	}
	socket, err := control.Listen(at.Data)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: control.New(map[string]*engine.Vault{"main": v}, httpapi.Options{})}
	ended := make(chan struct{})
	go func() { defer close(ended); server.Serve(socket) }()
	line, err = control.Open(t.Context(), at, httpapi.Build{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { line.Close() })
	return line, func() {
		server.Close()
		<-ended
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestImportStops holds that an import does not go on against a vault that takes
// nothing more.
func TestImportStops(t *testing.T) {
	dir := t.TempDir()
	for i := range 200 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.txt", i)), []byte(fmt.Sprint(i)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	line, end := served(t)
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	table := treeTable(root, dir, nil)
	judge, err := newJudge(t.Context(), line, root, table.columns, importOptions{})
	if err != nil {
		t.Fatal(err)
	}
	end()
	var stdout, stderr bytes.Buffer
	m := &importer{Program: &Program{Stdout: &stdout, Stderr: &stderr}, line: line, judge: judge, table: table}
	err = m.run(t.Context(), 2, nil)
	if err == nil || !strings.Contains(err.Error(), "takes nothing more") || m.tally[failed] > 10 {
		t.Errorf("%v\n%s", err, stdout.String())
	}
}

func TestDefaultExternalID(t *testing.T) {
	long := strings.Repeat("ä/", 150)
	for _, path := range []string{long + "a", long + "b", "x/" + long + "a"} {
		id := defaultExternalID(path)
		if n := utf8.RuneCountInString(id); n != maxExternalID || !strings.HasPrefix(id, "import:sha256:") || !strings.HasSuffix(path, id[len("import:sha256:")+65:]) {
			t.Errorf("%q of %d characters", id, n)
		}
	}
	if defaultExternalID(long+"a") == defaultExternalID("x/"+long+"a") {
		t.Error("two paths have one id")
	}
	if fits := strings.Repeat("x", 193); defaultExternalID(fits) != "import:"+fits {
		t.Error("a path that fits is cut")
	}
}

func TestImportBar(t *testing.T) {
	all := measure{files: 4, bytes: 4000}
	for done, want := range map[measure]string{
		{}:        "[..............................] 0 of 4 files",
		{1, 3000}: "[###############...............] 1 of 4 files, 10s left",
		{4, 4000}: "[##############################] 4 of 4 files",
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			time.Sleep(10 * time.Second)
			if got := all.bar(done, began); got != want {
				t.Errorf("%+v is shown as %q", done, got)
			}
		})
	}
	if got := (measure{}).bar(measure{}, time.Now()); !strings.HasSuffix(got, "0 of 0 files") {
		t.Error(got)
	}
}
