package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"strongroom/audit"
	"strongroom/engine"
)

func settingsRoutes() []route {
	return slices.Concat(clientRoutes(), []route{
		{"GET", "/{vault}/settings", readAll, showSettings},
		{"POST", "/{vault}/settings/general", admin, saveSettings},
		{"GET", "/{vault}/settings/categories", readAll, listCategories},
		{"POST", "/{vault}/settings/categories/add", admin, addCategory},
		{"POST", "/{vault}/settings/categories/remove", admin, removeCategory},

		{"GET", "/{vault}/settings/fields", readAll, listFields},
		{"POST", "/{vault}/settings/fields/add", admin, addField},
		{"GET", "/{vault}/settings/fields/{key}", readAll, showField},
		{"POST", "/{vault}/settings/fields/{key}/change", admin, changeField},
		{"POST", "/{vault}/settings/fields/{key}/remove", admin, removeField},

		{"GET", "/{vault}/settings/users", readAll, listUsers},
		{"POST", "/{vault}/settings/users/add", admin, addUser},
		{"GET", "/{vault}/settings/users/{id}", readAll, showUser},
		{"POST", "/{vault}/settings/users/{id}/change", admin, changeUser},
		{"POST", "/{vault}/settings/users/{id}/identity", admin, linkUser},
		{"POST", "/{vault}/settings/users/{id}/unlink", admin, unlinkUser},
		{"POST", "/{vault}/settings/users/{id}/foresee", admin, foreseeHandover},
		{"POST", "/{vault}/settings/users/{id}/handover", admin, handOver},

		{"GET", "/{vault}/settings/keys", readAll, listKeys},
		{"POST", "/{vault}/settings/keys/add", admin, addKey},
		{"GET", "/{vault}/settings/keys/{id}", readAll, showKey},
		{"POST", "/{vault}/settings/keys/{id}/rotate", admin, rotateKey},
		{"POST", "/{vault}/settings/keys/{id}/revoke", admin, revokeKey},

		{"GET", "/{vault}/settings/webhooks", readAll, listWebhooks},
		{"POST", "/{vault}/settings/webhooks/add", admin, addWebhook},
		{"GET", "/{vault}/settings/webhooks/{id}", readAll, showWebhook},
		{"POST", "/{vault}/settings/webhooks/{id}/change", admin, changeWebhook},
		{"POST", "/{vault}/settings/webhooks/{id}/rotate", admin, rotateWebhook},
		{"POST", "/{vault}/settings/webhooks/{id}/remove", admin, removeWebhook},
		{"POST", "/{vault}/settings/webhooks/{id}/test", admin, testWebhook},
		{"POST", "/{vault}/settings/webhooks/{id}/redeliver", admin, redeliver},

		{"GET", "/{vault}/settings/health", readAll, showHealth},
	})
}

// draft is a form as it stands: what was typed, else what is there; and what keeps
// it from being taken as it is.
type draft struct {
	Typed   url.Values // nil: nothing yet
	Wrong   []engine.FieldError
	Refused string // in words
	Moved   bool   // somebody else changed meanwhile what it changes
}

// draft is the form as it was sent before signing in, if it was.
func (v *visit) draft() draft {
	if v.unsent == nil {
		return draft{}
	}
	return draft{Typed: v.unsent.fields}
}

// Show is what a field of the form has in it.
func (d draft) Show(name, is string) string {
	if d.Typed == nil {
		return is
	}
	return d.Typed.Get(name)
}

// Checked reports whether a box is ticked.
func (d draft) Checked(name string, is bool) bool {
	if d.Typed == nil {
		return is
	}
	return d.Typed.Get(name) != ""
}

// again is the form as it was sent, with what is wrong with it, and the status of
// the answer; 0 if the sender cannot mend it.
func (v *visit) again(err error) (draft, int) {
	d := draft{Typed: v.r.PostForm}
	if invalid, ok := errors.AsType[*engine.InvalidError](err); ok {
		d.Wrong = invalid.Fields
		return d, http.StatusBadRequest
	}
	if errors.Is(err, engine.ErrPrecondition) {
		d.Moved = true
		return d, http.StatusConflict
	}
	for _, r := range refusals {
		if errors.Is(err, r.is) && r.status == http.StatusConflict {
			d.Refused = r.title + ". " + r.next
			return d, r.status
		}
	}
	return d, 0
}

// general is the page of the settings that have no page of their own.
type general struct {
	draft
	engine.Settings
	Days     string
	Provider bool // there is an identity provider
	// Required: the change was not made, because of what it would do.
	Required *required
}

// required is what a change of the rules of retention would do, and the digest that
// says it was seen.
type required struct {
	engine.RunCounts
	Digest string
	Rows   []engine.PlannedOutcome
	More   bool
}

func showSettings(v *visit) (answer, error) { return v.settingsPage(general{draft: v.draft()}, 0) }

func (v *visit) settingsPage(g general, status int) (answer, error) {
	var err error
	g.Settings, err = v.vault.Settings(v.ctx())
	g.Days, g.Provider = joinNumbers(g.Settings.ReminderDays), v.console.options.Provider != nil
	return answer{page: "settings", title: "Settings", body: g, status: status}, err
}

// Languages are those that words can be stemmed in.
func (general) Languages() []option {
	return []option{{"de", "German"}, {"en", "English"}, {"es", "Spanish"}, {"fr", "French"}, {"it", "Italian"}, {"nl", "Dutch"}, {"pt", "Portuguese"}}
}

// Zones are offered; others can be typed.
func (general) Zones() []string {
	return strings.Fields("UTC Europe/Berlin Europe/London Europe/Madrid Europe/Paris Europe/Rome Europe/Vienna Europe/Zurich America/Chicago America/Denver " +
		"America/Los_Angeles America/New_York America/Sao_Paulo Asia/Dubai Asia/Kolkata Asia/Shanghai Asia/Singapore Asia/Tokyo Australia/Sydney Pacific/Auckland")
}

func saveSettings(v *visit) (answer, error) {
	p, err := v.settingsPatch()
	if err == nil {
		_, _, err = v.vault.UpdateSettings(v.ctx(), v.actor, v.revision(), p)
	}
	if err == nil {
		return see(v.Path("settings"), "The settings are saved."), nil
	}
	if errors.Is(err, engine.ErrPreviewRequired) {
		return v.settingsForeseen(p)
	}
	if d, status := v.again(err); status != 0 {
		return v.settingsPage(general{draft: d}, status)
	}
	return answer{}, err
}

// settingsForeseen shows what the change would do, and asks for it again.
func (v *visit) settingsForeseen(p engine.SettingsPatch) (answer, error) {
	would, err := v.vault.Preview(v.ctx(), v.actor, engine.PreviewQuery{
		Settings: &engine.SettingsPatch{RetentionConflict: p.RetentionConflict, TimeZone: p.TimeZone}, Paging: engine.Paging{Limit: 20},
	})
	if err != nil {
		return answer{}, err
	}
	return v.settingsPage(general{draft: draft{Typed: v.r.PostForm}, Required: &required{
		RunCounts: would.Counts, Digest: would.PlanDigest.String(), Rows: would.Page.Items, More: would.Page.NextCursor != "",
	}}, http.StatusConflict)
}

func (v *visit) settingsPatch() (p engine.SettingsPatch, err error) {
	var wrong []engine.FieldError
	number := func(name string) *uint64 {
		n, err := strconv.ParseUint(v.form(name), 10, 64)
		if err != nil {
			wrong = append(wrong, engine.FieldError{Field: name, Message: "must be a whole number"})
		}
		return &n
	}
	text := func(name string) *string { s := v.form(name); return &s }
	flag := func(name string) *bool { b := v.form(name) != ""; return &b }
	conflict, days := engine.Conflict(v.form("retentionConflict")), []uint64{}
	for _, word := range strings.FieldsFunc(v.form("reminderDays"), func(r rune) bool { return strings.ContainsRune(" ,;", r) }) {
		n, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			wrong = append(wrong, engine.FieldError{Field: "reminderDays", Message: "must be whole numbers with commas between, like 30, 7, 1"})
			break
		}
		days = append(days, n)
	}
	p = engine.SettingsPatch{
		RetentionConflict: &conflict, RetentionRunAt: text("retentionRunAt"), TimeZone: text("timeZone"), ReminderDays: &days, AuditReads: flag("auditReads"), RestrictDeferred: flag("restrictDeferred"), SignInByKey: flag("signInByKey"),
		MaxClockGapDays: number("maxClockGapDays"), Paused: flag("paused"), SearchLanguage: text("searchLanguage"), MaxVersions: number("maxVersions"),
	}
	two := []engine.Covered{}
	for _, what := range engine.Coverable() {
		if v.form("two."+string(what)) != "" {
			two = append(two, what)
		}
	}
	p.TwoPersons = &two
	if seen := v.form("planDigest"); seen != "" {
		if digest, err := audit.ParseHash(seen); err == nil {
			p.PlanDigest = &digest
		}
	}
	if wrong != nil {
		return p, &engine.InvalidError{Fields: wrong}
	}
	return p, nil
}

func joinNumbers(list []uint64) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.FormatUint(n, 10)
	}
	return strings.Join(words, ", ")
}

// categories is the page of them.
type categories struct {
	draft
	Builtin  []string
	Own      []used
	Revision uint64
}

// used is a category, and how many documents have it.
type used struct {
	Name  string
	Count string
}

func listCategories(v *visit) (answer, error) { return v.categoriesPage(v.draft(), 0) }

func (v *visit) categoriesPage(d draft, status int) (answer, error) {
	s, err := v.vault.Settings(v.ctx())
	body := categories{draft: d, Builtin: engine.BuiltinCategories(), Revision: s.Revision}
	for _, name := range s.Categories {
		n, more, err := v.countDocuments(engine.DocumentQuery{Category: name, Status: engine.StatusAll}, 500)
		if err != nil {
			return answer{}, err
		}
		body.Own = append(body.Own, used{name, atLeast(n, more)})
	}
	return answer{page: "categories", title: "Categories", body: body, status: status}, err
}

// countDocuments counts those chosen that are not deleted, up to a limit; more says
// that there may be more of them.
func (v *visit) countDocuments(q engine.DocumentQuery, limit int) (n int, more bool, err error) {
	for q.Limit = min(limit, 500); ; {
		found, err := v.vault.Documents(v.ctx(), q)
		if err != nil {
			return 0, false, err
		}
		for _, d := range found.Items {
			if d.Status != engine.StatusDeleted {
				n++
			}
		}
		if found.NextCursor == "" || n >= limit {
			return n, found.NextCursor != "", nil
		}
		q.Cursor = found.NextCursor
	}
}

// atLeast is a count of documents in words.
func atLeast(n int, more bool) string {
	if more {
		return thousands(n) + " documents or more"
	}
	return counted(n, "document")
}

func addCategory(v *visit) (answer, error) {
	name := v.form("category")
	if name == "" {
		return v.categoriesAgain(&engine.InvalidError{Fields: []engine.FieldError{{Field: "category", Message: "write its name"}}})
	}
	return v.changeCategories(func(list []string) []string { return append(list, name) }, "The category "+name+" can be chosen now.")
}

func removeCategory(v *visit) (answer, error) {
	name := v.form("category")
	return v.changeCategories(func(list []string) []string {
		return slices.DeleteFunc(list, func(s string) bool { return s == name })
	}, "The category "+name+" is gone from the choice. Documents that had it keep it.")
}

func (v *visit) changeCategories(change func([]string) []string, done string) (answer, error) {
	s, err := v.vault.Settings(v.ctx())
	if err != nil {
		return answer{}, err
	}
	list := change(slices.Clone(s.Categories))
	if _, _, err = v.vault.UpdateSettings(v.ctx(), v.actor, v.revision(), engine.SettingsPatch{Categories: &list}); err != nil {
		return v.categoriesAgain(err)
	}
	return see(v.Path("settings", "categories"), "%s", done), nil
}

func (v *visit) categoriesAgain(err error) (answer, error) {
	d, status := v.again(err)
	if status == 0 {
		return answer{}, err
	}
	for i := range d.Wrong { // the list is not what was typed
		d.Wrong[i].Field = "category"
	}
	return v.categoriesPage(d, status)
}
