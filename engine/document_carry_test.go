package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// TestEqualUploadsAtOnce: uploads of the same few bytes come together, of which each is carried by
// its own transaction. What kill -9 leaves then, the next Open makes whole: every record
// has the bytes that it names.
func TestEqualUploadsAtOnce(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	rounds := 60
	if testing.Short() {
		rounds = 15
	}
	for round := range rounds {
		text := strings.Repeat(fmt.Sprint("the same, round ", round, "; "), 1+round*40)
		var all sync.WaitGroup
		for n := range 12 {
			all.Go(func() {
				u, err := k.Stage(t.Context(), strings.NewReader(text), 0)
				if err == nil {
					_, _, err = k.CreateDocument(t.Context(), k.Admin, engine.NewDocument{Name: fmt.Sprint(round, " ", n), Version: engine.NewVersion{FileName: "a.txt"}}, u)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	killed := filepath.Join(t.TempDir(), "main")
	must(t, os.CopyFS(killed, os.DirFS(k.Dir)))
	v := open(t, killed)
	defer v.Close()
	verified(t, v, k.Head())
}
