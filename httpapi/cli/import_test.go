package cli

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/httpapi/cli/importer"
)

// TestImportStopped holds that a person is told that nothing is lost.
func TestImportStopped(t *testing.T) {
	err := verdictOf(t.Context(), importer.Tally{Failed: 3}, &importer.StoppedError{Err: errors.New("no space")}, true)
	if err == nil || !strings.Contains(err.Error(), "takes nothing more: no space") {
		t.Error(err)
	}
}

func TestImportBar(t *testing.T) {
	all := importer.Measure{Files: 4, Bytes: 4000}
	for done, want := range map[importer.Measure]string{
		{}:                      "[..............................] 0 of 4 files",
		{Files: 1, Bytes: 3000}: "[###############...............] 1 of 4 files, 10s left",
		{Files: 4, Bytes: 4000}: "[##############################] 4 of 4 files",
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			time.Sleep(10 * time.Second)
			if got := bar(done, all, began); got != want {
				t.Errorf("%+v is shown as %q", done, got)
			}
		})
	}
	if got := bar(importer.Measure{}, importer.Measure{}, time.Now()); !strings.HasSuffix(got, "0 of 0 files") {
		t.Error(got)
	}
}
