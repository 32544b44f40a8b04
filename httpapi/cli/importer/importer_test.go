package importer

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/httpapi"
	"strongroom/httpapi/control"
	"strongroom/httpapi/datadir"
)

// served returns a line to a vault through the socket of a server, and what ends
// that server.
func served(t *testing.T) (line *control.Client, end func()) {
	t.Helper()
	return servedWith(t, zerolog.Nop())
}

func servedWith(t *testing.T, log zerolog.Logger) (line *control.Client, end func()) {
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
	server := &http.Server{Handler: control.New(map[string]*engine.Vault{"main": v}, httpapi.Options{Logger: log})}
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
	source, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	m, err := New(t.Context(), line, source)
	if err != nil {
		t.Fatal(err)
	}
	end()
	told := 0
	tally, err := m.Run(t.Context(), 2, func(Row, error) { told++ })
	if stopped := (*StoppedError)(nil); !errors.As(err, &stopped) || tally.Failed > 10 || told != tally.Failed {
		t.Errorf("%v, %+v, %d told", err, tally, told)
	}
}

// TestImportTells holds that the log of the server has a line for a thousand files,
// and one at the end.
func TestImportTells(t *testing.T) {
	dir := t.TempDir()
	for i := range 1_200 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d.txt", i)), []byte(fmt.Sprint(i)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	line, end := servedWith(t, zerolog.New(zerolog.SyncWriter(&log)).Level(zerolog.InfoLevel))
	source, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	m, err := New(t.Context(), line, source)
	if err != nil {
		t.Fatal(err)
	}
	log.Reset()
	if _, err := m.Run(t.Context(), 16, func(row Row, err error) { t.Error(row.Path, err) }); err != nil {
		t.Error(err)
	}
	end()
	if told := log.String(); strings.Count(told, "\n") != 2 || !strings.Contains(told, `"files":10`) ||
		!strings.Contains(told, `"files":1200,"imported":1200`) {
		t.Errorf("the log is\n%s", told)
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
