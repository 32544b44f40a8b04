package engine_test

import (
	"archive/zip"
	"bytes"

	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"

	"go.etcd.io/bbolt"
)

// A vault of every format is kept closed, as a release wrote it, and never
// edited: what it holds must be readable for ever.
const frozenPath = "../testdata/vaults/format-1.zip"

func TestFormat1IsMigrated(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "fro[zen]")
	told := thaw(t, frozenPath, dir)
	head, err := audit.ParseHead(told["head.txt"])
	must(t, err)
	before := rowsOf(t, filepath.Join(dir, "vault.db"))
	snapshot := filepath.Join(dir, "vault.db.format-1")
	must(t, os.WriteFile(snapshot, []byte("what a crash left"), 0o600))
	must(t, os.WriteFile(snapshot+".new", []byte("what a crash left"), 0o600))

	v := open(t, dir)
	if v.Name() != "frozen" || v.Head().Seq != head.Seq+1 {
		t.Errorf("%s, %+v, want one entry after %+v", v.Name(), v.Head(), head)
	}
	wasMigrated(t, v, head, 1)
	checkFrozen(t, v, told, head)
	must(t, v.Close())
	if !maps.Equal(rowsOf(t, snapshot), before) {
		t.Error("the copy does not hold what the vault held")
	}

	migrated := readFile(t, filepath.Join(dir, "rows.db"))
	must(t, open(t, dir).Close())
	if !bytes.Equal(readFile(t, filepath.Join(dir, "rows.db")), migrated) {
		t.Error("opening a migrated vault wrote to it")
	}
	for path := range files(t, dir) {
		if strings.Contains(path, "format-1") {
			t.Errorf("%s is still there", path)
		}
	}
}

// rowsOf is all that a vault.db holds.
func rowsOf(t *testing.T, path string) map[string]string {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	must(t, err)
	defer db.Close()
	rows := map[string]string{}
	must(t, db.View(func(b *bbolt.Tx) error {
		return b.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
			return bucket.ForEach(func(k, v []byte) error {
				rows[string(name)+"/"+string(k)] = string(v)
				return nil
			})
		})
	}))
	return rows
}

// checkFrozen finds in the vault what was put into it before it was frozen.
func checkFrozen(t *testing.T, v *engine.Vault, told map[string]string, head audit.Head) {
	t.Helper()
	ctx := t.Context()
	report, err := v.Verify(ctx, engine.VerifyOptions{Bytes: true, Heads: []audit.Head{head}})
	must(t, err)
	if len(report.Findings) > 0 || report.Documents != 3 || report.Versions != 3 || report.Blobs != 2 {
		t.Errorf("%+v", report)
	}
	admin, err := v.Authenticate(ctx, strings.TrimSpace(told["token.txt"]))
	must(t, err)
	if admin.Access != engine.AccessAdmin {
		t.Errorf("%+v", admin)
	}
	var said []string
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	users, err := v.Users(ctx, engine.Paging{})
	must(t, err)
	for _, u := range users.Items {
		say("user %s %q %s %s", u.Name, u.Email, u.Access, u.Status)
	}
	keys, err := v.Keys(ctx, engine.Paging{})
	must(t, err)
	for _, k := range keys.Items {
		say("key %s %s expires %v revoked %v", k.Name, k.Access, !k.ExpiresAt.IsZero(), !k.RevokedAt.IsZero())
	}
	fields, err := v.Fields(ctx, engine.Paging{})
	must(t, err)
	for _, f := range fields.Items {
		say("field %s %q %s %q %v %q", f.Key, f.Label, f.Type, f.Choices, f.Required, f.Description)
	}
	s, err := v.Settings(ctx)
	must(t, err)
	say("settings %v %s %s %s %v %v %d %v %s %d", s.Categories, s.RetentionConflict, s.RetentionRunAt, s.TimeZone, s.ReminderDays, s.AuditReads, s.MaxClockGapDays, s.Paused, s.SearchLanguage, s.Revision)
	for _, q := range []engine.DocumentQuery{
		{Product: "cpq", TemplateID: "t-1", AgreementID: "a-1"},
		{Fields: []engine.FieldFilter{{Key: "amount", From: "12", To: "13"}, {Key: "note", Value: "paid"}, {Key: "signed", Value: "true"}, {Key: "renewalDate", Value: "2027-01-31"}}},
	} {
		if page, err := v.Documents(ctx, q); err != nil || len(page.Items) != 1 {
			t.Errorf("%+v finds %d documents, %v", q, len(page.Items), err)
		}
	}
	page, err := v.Documents(ctx, engine.DocumentQuery{Status: "all", Sort: "createdAt"})
	must(t, err)
	for _, d := range page.Items {
		say("document %s %q %s %q %v %v ext %q versions %d revision %d", d.Status, d.Name, d.Category, d.Description, d.Tags, d.CustomFields, d.ExternalID, d.VersionCount, d.Revision)
		if d.Status == engine.StatusDeleted {
			c, err := v.Certificate(ctx, d.ID)
			must(t, err)
			say("certificate %s %d %s", c.Right, len(c.Versions), c.Versions[0].Digest.Hex()[:8])
			continue
		}
		for number := range d.VersionCount {
			ver, f, _, err := v.OpenContent(ctx, admin, d.ID, number+1)
			must(t, err)
			text, err := io.ReadAll(f)
			f.Close()
			must(t, err)
			say("version %d %q %s %q %q %q", ver.Number, text, ver.MediaType, ver.FileName, ver.Comment, ver.Label)
		}
	}
	for _, o := range obligations(&enginetest.Kit{Vault: v, TB: t}, engine.ObligationQuery{Status: "completed"}) {
		say("obligation %q %q %s %s %s of %q, %q %d", o.Title, o.Description, o.DueDate, o.Status, o.Recurrence, o.DocumentName, o.Note, o.Evidence.Version)
	}
	for _, o := range obligations(&enginetest.Kit{Vault: v, TB: t}, engine.ObligationQuery{Status: "overdue"}) {
		say("obligation %q %s %s", o.Title, o.DueDate, o.Status)
	}
	want := []string{
		`user Ada Admin "" admin active`,
		`user Zoë View "Zoe@example.com" view closed`,
		`key Ada Admin admin expires false revoked false`,
		`key Zoë View view expires true revoked false`,
		`key Zoë View view expires false revoked true`,
		`field amount "amount" number [] false ""`,
		`field kind "Kind" choice ["B" "A"] false "of lease"`,
		`field note "note" text [] false ""`,
		`field renewalDate "Renewal date" date [] false ""`,
		`field signed "signed" boolean [] false ""`,
		`settings [minutes] longest 02:00 Europe/Berlin [30 7 1] false 30 false en 3`,
		`document active "Lease, signed" minutes "between\nus" [client:Acme urgent] map[amount:12.5 note:paid renewalDate:2027-01-31 signed:true] ext "erp-1" versions 2 revision 3`,
		`version 1 "first text\n" text/plain "lease.txt" "a comment" "draft"`,
		`version 2 "second text\n" text/plain "lease-2.txt" "" "final"`,
		`document archived "Old" other "" [] map[] ext "" versions 1 revision 2`,
		`version 1 "first text\n" application/octet-stream "" "" ""`,
		`document deleted ""  "" [] map[] ext "" versions 1 revision 2`,
		`certificate manual 1 283bb9de`,
		`obligation "Pay rent" "by transfer" 2020-01-31 completed monthly of "Lease, signed", "paid" 2`,
		`obligation "Pay rent" 2020-02-29 overdue`,
	}
	if !slices.Equal(said, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
	}
}

// thaw unpacks a copy. What lies beside the vault is returned: the token of
// its administrator, and its head.
func thaw(t *testing.T, zipped, dir string) map[string]string {
	t.Helper()
	z, err := zip.OpenReader(zipped)
	must(t, err)
	defer z.Close()
	beside := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		must(t, err)
		b, err := io.ReadAll(r)
		must(t, err)
		name, inside := strings.CutPrefix(f.Name, "vault/")
		if !inside {
			beside[f.Name] = string(b)
			continue
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, b, 0o600))
	}
	return beside
}
