package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"strongroom/engine"
)

// TestHeadLogDaily lets three days pass.
func TestHeadLogDaily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "heads.txt")
		v, err := engine.Create(filepath.Join(t.TempDir(), "main"), engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		s, err := startSchedule(map[string]*engine.Vault{"main": v}, map[string]*engine.Vault{"main": v}, path, 0, nil, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(72 * time.Hour)
		synctest.Wait()
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(text), "strongroom audit head "+v.ID()); got != 1+3+1 {
			t.Errorf("%d heads, want one at start, three at midnight and one at stop", got)
		}
	})
}

func TestMidnight(t *testing.T) {
	zone := time.FixedZone("", 5*3600)
	for at, want := range map[time.Time]string{
		time.Date(2026, 11, 21, 23, 59, 59, 0, time.UTC): "2026-11-22T00:00:00Z",
		time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC):    "2026-11-23T00:00:00Z",
		time.Date(2026, 11, 22, 3, 0, 0, 0, zone):        "2026-11-22T00:00:00Z",
	} {
		if got := midnight(at).Format(time.RFC3339); got != want {
			t.Errorf("after %v comes %s, want %s", at, got, want)
		}
	}
}
