package browser

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/page"

	"strongroom/engine"
)

// TestScreenshots makes the pictures of README.md, if -screenshots asks for them, so
// that they show what there is.
func TestScreenshots(t *testing.T) {
	if !*screenshots {
		t.Skip("the pictures of README.md are made with -screenshots")
	}
	h := newHouse(t)
	h.Create("Offer of Bolt.txt", "an offer")
	d := h.CreateFrom(engine.NewDocument{Name: "Lease North.txt", Category: "contract", Tags: []string{"party:lighthouse", "signed"}}, "The lease of the north building, for ten years.")
	if _, _, err := h.PlaceHold(t.Context(), h.Admin, d.ID, engine.Condition{}, engine.NewHold{Reason: "A claim of the tenant", Matter: "North"}); err != nil {
		t.Fatal(err)
	}
	ada := h.tab(t, true).signIn(h.Token)
	ada.size(1100, 620)
	ada.scheme("light")
	for name, path := range map[string]string{"documents": "documents", "document": "documents/" + d.ID} {
		ada.open(path)
		picture := call(ada, page.CaptureScreenshot, page.CaptureScreenshotParams{}).Data
		if len(picture) > 100_000 {
			t.Errorf("%s has %d bytes", name, len(picture))
		}
		if err := os.WriteFile(filepath.Join("../../../testdata/console", name+".png"), []byte(picture), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
