package console_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
	"strongroom/httpapi"
	"strongroom/httpapi/console"
)

// desk is somebody who has signed in, at the pages of a real vault.
type desk struct {
	t      *testing.T
	kit    *enginetest.Kit
	client *http.Client
	base   string // of the vault's pages
}

func newDesk(t *testing.T, o console.Options) *desk {
	t.Helper()
	kit := enginetest.New(t)
	c, err := console.New(map[string]*engine.Vault{"main": kit.Vault}, o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	d := &desk{t: t, kit: kit, base: server.URL + "/console/main/"}
	return d.as(kit.Token)
}

// as is the same pages for somebody else.
func (d *desk) as(token string) *desk {
	d.t.Helper()
	jar, _ := cookiejar.New(nil)
	other := *d
	other.client = &http.Client{Jar: jar}
	answer, err := other.client.PostForm(strings.TrimSuffix(d.base, "main/")+"sign-in", url.Values{"key": {token}})
	if err != nil || answer.StatusCode != 200 || !strings.Contains(answer.Request.URL.Path, "/documents") {
		d.t.Fatalf("signing in: %v, %v", answer, err)
	}
	answer.Body.Close()
	return &other
}

func (d *desk) read(answer *http.Response, err error) (int, string) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

// see opens a page, which must be there.
func (d *desk) see(path string) string {
	d.t.Helper()
	status, text := d.read(d.client.Get(d.base + path))
	if status != 200 {
		d.t.Fatalf("%s: %d\n%s", path, status, text)
	}
	return text
}

// send sends a form as it is, and returns what comes of it.
func (d *desk) send(path string, pairs ...string) (int, string) {
	d.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return d.read(d.client.PostForm(d.base+path, form))
}

func (d *desk) shows(page string, wanted ...string) {
	d.t.Helper()
	for _, w := range wanted {
		if !strings.Contains(page, w) {
			d.t.Errorf("the page does not say %q:\n%s", w, page)
		}
	}
}

func hidden(page, name string) string {
	found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(page)
	if found == nil {
		return ""
	}
	return found[1]
}

// settingsForm is the form as the page has it, with some of it changed.
func settingsForm(pairs ...string) []string {
	return append(pairs, "timeZone", "UTC", "reminderDays", "30, 7, 1", "retentionRunAt", "02:00", "retentionConflict", "longest", "maxClockGapDays", "30",
		"searchLanguage", "en", "maxVersions", "10000", "signInByKey", "on")
}

func TestSettingsAreChangedAndAConflictShowsBoth(t *testing.T) {
	d := newDesk(t, console.Options{})
	page := d.see("settings")
	d.shows(page, "Revision 1.", "Europe/Berlin")
	status, page := d.send("settings/general", settingsForm("revision", "1", "once", "a", "timeZone", "Europe/Vienna", "auditReads", "on", "reminderDays", "14, 2")...)
	if status != 200 {
		t.Fatalf("%d %s", status, page)
	}
	s, _ := d.kit.Settings(t.Context())
	if s.TimeZone != "Europe/Vienna" || !s.AuditReads || len(s.ReminderDays) != 2 {
		t.Errorf("the settings are %+v", s)
	}
	d.shows(page, "The settings are saved.", "Times are those of Europe/Vienna.")

	status, page = d.send("settings/general", settingsForm("revision", "1", "timeZone", "Asia/Tokyo")...)
	if status != 409 {
		t.Errorf("a form of before is answered %d", status)
	}
	d.shows(page, "Somebody else changed this meanwhile", `value="Asia/Tokyo"`, "Now: Europe/Vienna", `name="revision" value="2"`)

	status, page = d.send("settings/general", settingsForm("revision", "2", "timeZone", "Mars/Base", "maxVersions", "many")...)
	if status != 400 {
		t.Errorf("what cannot be is answered %d", status)
	}
	d.shows(page, "must be a whole number", `value="Mars/Base"`)
	if s, _ := d.kit.Settings(t.Context()); s.Revision != 2 {
		t.Error("something was saved")
	}
}

func TestSettingsThatMakeDocumentsDueAreShownFirst(t *testing.T) {
	d := newDesk(t, console.Options{})
	ctx := t.Context()
	d.kit.Define(engine.DateField, "signed")
	doc := d.kit.CreateFrom(engine.NewDocument{Name: "old lease", CustomFields: map[string]any{"signed": "2001-01-01"}}, "text")
	for _, p := range []engine.Period{"P90Y", "P1Y"} { // the longest counts, so nothing is due
		n := engine.NewPolicy{Name: string(p), Scope: engine.ScopeOrganization, Period: p, Action: engine.ActionDelete, StartFrom: "field:signed"}
		if _, _, err := d.kit.CreatePolicy(ctx, d.kit.Admin, n); err != nil {
			t.Fatal(err)
		}
	}
	status, page := d.send("settings/general", settingsForm("revision", "1", "retentionConflict", "shortest", "auditReads", "on")...)
	if status != 409 {
		t.Errorf("%d", status)
	}
	d.shows(page, "Documents would be due for deletion at once", "would delete 1 document", "old lease", `<option value="shortest" selected>`, "Nothing is saved yet")
	if s, _ := d.kit.Settings(ctx); s.RetentionConflict != engine.ConflictLongest || s.AuditReads {
		t.Error("it is saved all the same")
	}
	status, page = d.send("settings/general", settingsForm("revision", "1", "retentionConflict", "shortest", "planDigest", hidden(page, "planDigest"))...)
	if s, _ := d.kit.Settings(ctx); status != 200 || s.RetentionConflict != engine.ConflictShortest {
		t.Errorf("what was seen is answered %d %s", status, page)
	}
	if _, err := d.kit.Document(ctx, doc.ID); err != nil {
		t.Error(err)
	}
}

func TestCategoriesComeAndGo(t *testing.T) {
	d := newDesk(t, console.Options{})
	if status, page := d.send("settings/categories/add", "revision", "1", "category", "lease"); status != 200 || !strings.Contains(page, "can be chosen now") {
		t.Errorf("%d %s", status, page)
	}
	d.kit.CreateFrom(engine.NewDocument{Name: "one", Category: "lease"}, "text")
	page := d.see("settings/categories")
	d.shows(page, "1 document<")
	if status, page := d.send("settings/categories/add", "revision", "2", "category", "Not A Word"); status != 400 || !strings.Contains(page, "<b>category</b>") {
		t.Errorf("%d %s", status, page)
	}
	if _, page := d.send("settings/categories/remove", "revision", "2", "category", "lease"); !strings.Contains(page, "Documents that had it keep it") {
		t.Error(page)
	}
	if s, _ := d.kit.Settings(t.Context()); len(s.Categories) != 0 {
		t.Errorf("left are %v", s.Categories)
	}
}

func TestFieldIsClearedOnlyWithItsCountSeen(t *testing.T) {
	d := newDesk(t, console.Options{})
	if status, page := d.send("settings/fields/add", "key", "supplier", "label", "Supplier & Co", "type", "choice", "choices", "one\n two \n\n"); status != 200 {
		t.Fatalf("%d %s", status, page)
	}
	f, err := d.kit.Field(t.Context(), "supplier")
	if err != nil || len(f.Choices) != 2 || f.Choices[1] != "two" {
		t.Fatalf("%+v %v", f, err)
	}
	for range 2 {
		d.kit.CreateFrom(engine.NewDocument{Name: "one", CustomFields: map[string]any{"supplier": "one"}}, "text")
	}
	page := d.see("settings/fields/supplier")
	d.shows(page, "2 documents have a value of it", "Clear it from 2 documents")
	if status, page := d.send("settings/fields/supplier/remove", "revision", "1"); status != 409 || !strings.Contains(page, "The field is in use") {
		t.Errorf("%d %s", status, page)
	}
	status, page := d.send("settings/fields/supplier/change", "revision", "1", "label", "Supplier", "type", "text")
	if status != 409 {
		t.Errorf("%d %s", status, page)
	}
	if status, page := d.send("settings/fields/supplier/remove", "revision", "1", "force", "on"); status != 200 {
		t.Errorf("%d %s", status, page)
	}
	if _, err := d.kit.Field(t.Context(), "supplier"); !errors.Is(err, engine.ErrFieldNotFound) {
		t.Errorf("the field: %v", err)
	}
}

func TestLeaverHandsAllOverInOneStep(t *testing.T) {
	d := newDesk(t, console.Options{})
	ctx := t.Context()
	leaver, _ := d.kit.Person("Lea <i>Leaver</i>", engine.AccessUpload)
	stays, _ := d.kit.Person("Stan Stays", engine.AccessUpload)
	doc := d.kit.CreateFrom(engine.NewDocument{Name: "one", OwnerID: leaver.UserID}, "text")
	locked := d.kit.CreateFrom(engine.NewDocument{Name: "locked one", OwnerID: leaver.UserID}, "other")
	archived := d.kit.CreateFrom(engine.NewDocument{Name: "old", OwnerID: leaver.UserID}, "old")
	if _, _, err := d.kit.ArchiveDocument(ctx, d.kit.Admin, archived.ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.kit.AcquireLock(ctx, stays, locked.ID, engine.Condition{}, engine.NewLock{Duration: time.Minute, LockedByApp: "a test"}); err != nil {
		t.Fatal(err)
	}
	due, err := engine.ParseDue("2090-01-01")
	if err != nil {
		t.Fatal(err)
	}
	o, _, err := d.kit.CreateObligation(ctx, d.kit.Admin, engine.NewObligation{Title: "Renew", DueDate: due, OwnerID: leaver.UserID, DocumentID: doc.ID})
	if err != nil {
		t.Fatal(err)
	}

	page := d.see("settings/users/" + leaver.UserID)
	d.shows(page, "3 documents and 1 open obligation", "Lea &lt;i&gt;Leaver&lt;/i&gt;")
	status, page := d.send("settings/users/"+leaver.UserID+"/foresee", "to", stays.UserID, "close", "on")
	if status != 200 {
		t.Fatalf("%d %s", status, page)
	}
	d.shows(page, "<b>2 documents</b>", "<b>1 open obligation</b>", "Nothing has happened yet", "locked one", "Somebody is editing the document")
	if is, _ := d.kit.Document(ctx, doc.ID); is.OwnerID != leaver.UserID {
		t.Error("looking handed it over")
	}
	status, page = d.send("settings/users/"+leaver.UserID+"/handover", "to", stays.UserID, "close", "on", "once", "n")
	if status != 200 {
		t.Fatalf("%d %s", status, page)
	}
	d.shows(page, "2 documents and 1 open obligation belong to Stan Stays now", "is closed", "locked one")
	for id, owner := range map[string]string{doc.ID: stays.UserID, archived.ID: stays.UserID, locked.ID: leaver.UserID} {
		if is, _ := d.kit.Document(ctx, id); is.OwnerID != owner {
			t.Errorf("%s belongs to %s", is.Name, is.OwnerID)
		}
	}
	if is, _ := d.kit.Obligation(ctx, o.ID); is.OwnerID != stays.UserID {
		t.Error("the obligation stays behind")
	}
	if u, _ := d.kit.User(ctx, leaver.UserID); u.Status != engine.UserClosed {
		t.Errorf("the leaver is %s", u.Status)
	}
	if status, _ := d.send("settings/users/"+leaver.UserID+"/handover", "to", leaver.UserID); status != 400 {
		t.Errorf("handing over to oneself is answered %d", status)
	}
}

func TestLastAdminStays(t *testing.T) {
	d := newDesk(t, console.Options{})
	id := d.kit.Admin.UserID
	u, _ := d.kit.User(t.Context(), id)
	status, page := d.send("settings/users/"+id+"/change", "revision", "1", "name", u.Name, "access", "view", "status", "active", "lock", "on")
	if status != 409 {
		t.Errorf("%d", status)
	}
	d.shows(page, "This is the last admin")
}

func TestKeyIsShownOnceAndADoubleClickMakesOne(t *testing.T) {
	d := newDesk(t, console.Options{})
	token := regexp.MustCompile(`sr_main_[0-9A-Z]{26}_[A-Za-z0-9_-]+`)
	status, page := d.send("settings/keys/add", "name", "scanner", "once", "k1", "access", "upload", "expires", "2090-12-31")
	secret := token.FindString(page)
	if status != 200 || secret == "" {
		t.Fatalf("%d %s", status, page)
	}
	actor, err := d.kit.Authenticate(context.Background(), secret)
	if err != nil || actor.Access != engine.AccessUpload {
		t.Errorf("the key shown: %v, %v", actor, err)
	}
	_, page = d.send("settings/keys/add", "name", "scanner", "once", "k1")
	if token.MatchString(page) || !strings.Contains(page, "Revoke scanner") {
		t.Errorf("sent twice, the form shows %s", page)
	}
	keys, _ := d.kit.Keys(t.Context(), engine.Paging{})
	if len(keys.Items) != 2 {
		t.Errorf("there are %d keys", len(keys.Items))
	}
	for _, path := range []string{"settings/keys", "settings/keys/" + actor.KeyID} {
		if page := d.see(path); strings.Contains(page, secret) {
			t.Errorf("%s shows the secret", path)
		}
	}

	_, page = d.send("settings/keys/"+actor.KeyID+"/rotate", "overlap", "24", "once", "k2")
	if next := token.FindString(page); next == "" || next == secret {
		t.Errorf("rotating shows %q", next)
	}
	if _, err := d.kit.Authenticate(context.Background(), secret); err != nil {
		t.Errorf("the old one does not work on: %v", err)
	}
	if status, page := d.send("settings/keys/"+actor.KeyID+"/rotate", "overlap", "9999"); status != 400 {
		t.Errorf("%d %s", status, page)
	}
	d.send("settings/keys/"+actor.KeyID+"/revoke", "once", "k3")
	if _, err := d.kit.Authenticate(context.Background(), secret); !errors.Is(err, engine.ErrTokenRevoked) {
		t.Errorf("after revoking: %v", err)
	}
	d.shows(d.see("settings/keys"), "Revoked", "Works")
}

// courier remembers what it was asked to deliver.
type courier struct {
	httpapi.Deliverer
	tested, again []string
}

func (c *courier) Deliveries(context.Context, string, engine.DeliveryQuery) (engine.Page[engine.Delivery], error) {
	return engine.Page[engine.Delivery]{Items: []engine.Delivery{{N: 7, Seq: 12, Type: "hold.placed", Attempt: 2, At: time.Now(), Status: engine.DeliveryFailed, Error: "it answered <500>"}}}, nil
}

func (c *courier) Test(_ context.Context, id string) (engine.Delivery, error) {
	c.tested = append(c.tested, id)
	return engine.Delivery{Status: engine.DeliveryDone, HTTPStatus: 204}, nil
}

func (c *courier) Redeliver(_ context.Context, id string, n uint64) (engine.Delivery, error) {
	c.again = append(c.again, id)
	return engine.Delivery{Seq: 12, Status: engine.DeliveryFailed, Error: "it answered 500"}, nil
}

func TestWebhookIsMadeTriedAndRotated(t *testing.T) {
	c := &courier{}
	d := newDesk(t, console.Options{Deliveries: map[string]httpapi.Deliverer{"main": c}})
	status, page := d.send("settings/webhooks/add", "url", "https://hooks.example.com/x", "events", "hold.*, document.deleted", "active", "on", "once", "w")
	secret := regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`).FindString(strings.ReplaceAll(page, "&#43;", "+"))
	if status != 200 || secret == "" {
		t.Fatalf("%d %s", status, page)
	}
	hooks, _ := d.kit.Webhooks(t.Context(), engine.Paging{})
	w := hooks.Items[0]
	path := "settings/webhooks/" + w.ID
	page = d.see(path)
	d.shows(page, "document.deleted, hold.*", "entry 12, attempt 2", "it answered &lt;500&gt;", "Failed")
	if strings.Contains(page, "whsec_") {
		t.Error("the secret is shown again")
	}
	_, page = d.send(path+"/test", "once", "t1")
	d.shows(page, "The test was delivered: the endpoint answered 204 No Content.")
	_, page = d.send(path+"/redeliver", "n", "7", "once", "t2")
	d.shows(page, "Entry 12 was not delivered: it answered 500.")
	if len(c.tested) != 1 || len(c.again) != 1 {
		t.Errorf("asked for: %+v", c)
	}
	if status, _ := d.send(path+"/change", "revision", "1", "url", "https://hooks.example.com/y", "events", ""); status != 200 {
		t.Errorf("%d", status)
	}
	status, page = d.send(path+"/change", "revision", "1", "url", "https://hooks.example.com/z")
	if status != 409 || !strings.Contains(page, "Now: https://hooks.example.com/y") {
		t.Errorf("%d %s", status, page)
	}
	if _, page := d.send(path+"/rotate", "revision", "2"); !strings.Contains(page, "whsec_") {
		t.Errorf("%s", page)
	}
	if status, page := d.send(path+"/remove", "revision", "3"); status != 200 || !strings.Contains(page, "Nobody is told") {
		t.Errorf("%d %s", status, page)
	}
	if status, page := d.send("settings/webhooks/add", "url", "ftp://x"); status != 400 || !strings.Contains(page, `value="ftp://x"`) {
		t.Errorf("%d %s", status, page)
	}
}

func TestHealthSaysWhatIsWrong(t *testing.T) {
	d := newDesk(t, console.Options{Warnings: func() map[string][]string {
		return map[string][]string{"main": {"webhooks are not delivered"}, "other": {"what others must not know"}}
	}})
	page := d.see("settings/health")
	d.shows(page, "Somebody should see to this", "webhooks are not delivered", "There is no backup. Everything is on one disk only.", "strongroom backup --to", "file system")
	if strings.Contains(page, "others must not know") {
		t.Error("it tells of another vault")
	}
	if _, _, err := d.kit.Backup(t.Context(), engine.Operator(), engine.BackupOptions{To: filepath.Join(t.TempDir(), "b")}); err != nil {
		t.Fatal(err)
	}
	d.shows(d.see("settings/health"), "The last backup is from")
}

func TestSettingsAreForAdmins(t *testing.T) {
	d := newDesk(t, console.Options{})
	_, token := d.kit.Person("Vic Viewer", engine.AccessView)
	viewer := d.as(token)
	if strings.Contains(viewer.see("documents"), "/settings") {
		t.Error("Settings are offered to a viewer")
	}
	for _, path := range []string{"settings", "settings/users", "settings/keys", "settings/health"} {
		if status, _ := viewer.read(viewer.client.Get(viewer.base + path)); status != 403 {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, _ := viewer.send("settings/keys/add", "name", "mine"); status != 403 {
		t.Errorf("%d", status)
	}
}
