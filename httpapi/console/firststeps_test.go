package console

import (
	"path/filepath"
	"testing"

	"strongroom/engine"
)

func TestFirstStepsTickThemselvesOff(t *testing.T) {
	k := newKit(t)
	b := k.admin()
	b.get("/console/main/documents").says("Begin here", "0 of 3 done").offers("/console/main/upload", "/console/main/settings/users")
	d := k.Create("lease", "text")
	b.get("/console/main/documents").says("Begin here", "1 of 3 done", "lease")
	k.ArchiveDocument(t.Context(), k.Admin, d.ID, engine.Condition{})
	b.get("/console/main/documents?status=archived").lacks("Begin here")
	k.Person("Ulla", engine.AccessUpload)
	b.get("/console/main/documents").says("2 of 3 done")
	k.uploader().get("/console/main/documents").lacks("Begin here")
	if _, _, err := k.Backup(t.Context(), k.Admin, engine.BackupOptions{To: filepath.Join(t.TempDir(), "backup")}); err != nil {
		t.Fatal(err)
	}
	b.get("/console/main/documents").lacks("Begin here")
}
