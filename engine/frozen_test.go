package engine_test

import (
	"archive/zip"
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// A vault of format 1 is kept closed, as a release wrote it, and never edited:
// what it holds must be readable for ever. Only -freeze makes it anew.
var freeze = flag.Bool("freeze", false, "make testdata/vaults/format-1.zip anew")

const frozenPath = "../testdata/vaults/format-1.zip"

func TestFormat1(t *testing.T) {
	if *freeze {
		freezeVault(t)
	}
	dir := filepath.Join(t.TempDir(), "frozen")
	told := thaw(t, dir)
	before := readFile(t, filepath.Join(dir, "vault.db"))
	v := open(t, dir)
	ctx := t.Context()
	head, err := audit.ParseHead(told["head.txt"])
	must(t, err)
	if v.Name() != "frozen" || v.Head() != head {
		t.Errorf("%s, %+v, want %+v", v.Name(), v.Head(), head)
	}
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
	must(t, v.Close())
	if after := readFile(t, filepath.Join(dir, "vault.db")); !bytes.Equal(before, after) {
		t.Error("reading a vault of this format wrote to it")
	}
}

// thaw unpacks a copy. What lies beside the vault is returned: the token of
// its administrator, and its head.
func thaw(t *testing.T, dir string) map[string]string {
	t.Helper()
	z, err := zip.OpenReader(frozenPath)
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

func freezeVault(t *testing.T) {
	t.Helper()
	k := enginetest.NewWith(t, engine.Options{Name: "frozen", ReserveBytes: -1})
	ctx, cond := t.Context(), engine.Condition{}
	email, closed, on, zone := "Zoe@example.com", engine.UserClosed, true, "Europe/Berlin"
	zoe, _ := k.Person("Zoë View", engine.AccessView)
	_, _, err := k.UpdateUser(ctx, k.Admin, zoe.UserID, nil, engine.UserPatch{Email: &email, Status: &closed})
	must(t, err)
	next, _, _, err := k.RotateKey(ctx, k.Admin, zoe.KeyID, time.Hour)
	must(t, err)
	_, _, err = k.RevokeKey(ctx, k.Admin, next.ID)
	must(t, err)
	_, _, err = k.UpdateSettings(ctx, k.Admin, nil, engine.SettingsPatch{Categories: &[]string{"minutes"}, AuditReads: &on, TimeZone: &zone})
	must(t, err)
	k.Define(engine.NumberField, "amount")
	k.Define(engine.BooleanField, "signed")
	k.Define(engine.TextField, "note")
	_, _, err = k.CreateField(ctx, k.Admin, engine.NewField{Key: "kind", Label: "Kind", Type: engine.ChoiceField, Choices: []string{"B", "A"}, Description: "of lease"})
	must(t, err)
	lease := k.CreateFrom(engine.NewDocument{
		Name: "Lease", Category: "minutes", Description: "between\nus", Tags: []string{"client:Acme"}, ExternalID: "erp-1",
		Product: "cpq", TemplateID: "t-1", AgreementID: "a-1",
		CustomFields: map[string]any{"amount": 12.5, "signed": true, "note": "paid", "renewalDate": "2027-01-31"},
		Version:      engine.NewVersion{MediaType: "text/plain", FileName: "lease.txt", Comment: "a comment", Label: "draft"},
	}, "first text\n")
	u := k.Upload("second text\n")
	defer u.Discard()
	_, _, err = k.AddVersion(ctx, k.Admin, lease.ID, cond, engine.NewVersion{MediaType: "text/plain", FileName: "lease-2.txt", Label: "final"}, u)
	must(t, err)
	name := "Lease, signed"
	_, _, err = k.UpdateDocument(ctx, k.Admin, lease.ID, cond, engine.DocumentPatch{Name: &name, AddTags: []string{"urgent"}})
	must(t, err)
	date, err := engine.ParseDue("2020-01-31")
	must(t, err)
	duty, _, err := k.CreateObligation(ctx, k.Admin, engine.NewObligation{
		Title: "Pay rent", Description: "by transfer", DueDate: date, OwnerID: k.Admin.UserID, DocumentID: lease.ID, Recurrence: "monthly",
	})
	must(t, err)
	_, err = k.Sweep(ctx)
	must(t, err)
	_, _, err = k.CompleteObligation(ctx, k.Admin, duty.ID, nil, engine.Completion{Note: "paid", Evidence: &engine.Evidence{DocumentID: lease.ID, Version: 2}})
	must(t, err)
	old := k.Create("Old", "first text\n")
	_, _, err = k.ArchiveDocument(ctx, k.Admin, old.ID, cond)
	must(t, err)
	_, _, err = k.DeleteDocument(ctx, k.Admin, k.Create("Gone", "gone").ID, cond)
	must(t, err)
	_, f, _, err := k.OpenContent(ctx, k.Admin, lease.ID, 1)
	must(t, err)
	must(t, f.Close())
	auditReads(k, false)
	head := k.Head()
	must(t, k.Close())
	compacted(t, filepath.Join(k.Dir, "vault.db"))

	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name string, content []byte) {
		w, err := z.Create(name)
		must(t, err)
		_, err = w.Write(content)
		must(t, err)
	}
	add("token.txt", []byte(k.Token+"\n"))
	add("head.txt", []byte(head.Text()))
	for _, path := range sortedNames(files(t, k.Dir)) {
		add("vault/"+path, readFile(t, filepath.Join(k.Dir, filepath.FromSlash(path))))
	}
	must(t, z.Close())
	must(t, os.MkdirAll(filepath.Dir(frozenPath), 0o755))
	must(t, os.WriteFile(frozenPath, b.Bytes(), 0o644))
}

func sortedNames(m map[string]string) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
