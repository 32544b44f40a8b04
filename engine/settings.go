package engine

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"strongroom/audit"
)

// Settings of a vault. A vault that was never set has revision 1 and what
// defaultSettings says.
type Settings struct {
	Categories        []string  // beyond the built-in ones, sorted
	RetentionConflict Conflict  // which policy counts if several apply
	RetentionRunAt    string    // when the daily run of retention starts, HH:MM in TimeZone
	TimeZone          string    // an IANA name: where days begin and end
	ReminderDays      []uint64  // how long before an obligation is due to remind of it, falling
	AuditReads        bool      // each content download, passage that a search shows, and export of the log is an entry
	MaxClockGapDays   uint64    // a run of retention after a longer silence waits for an admin
	Paused            bool      // no webhooks, no scheduled retention and no erasure
	SearchLanguage    string    // how words are stemmed for search, a code of ISO 639-1
	MaxVersions       uint64    // how many versions a document may come to have
	RestrictDeferred  bool      // a document whose erasure is deferred is restricted
	TwoPersons        []Covered // what needs two persons, in the order of Coverable; none: nothing
	SignInByKey       bool      // people sign in to the console with keys too, not only through their provider
	Revision          uint64

	// formerZones are the time zones there were while a policy protected by
	// compliance, sorted: see retention.Calendar.
	formerZones []string
}

// SettingsPatch: nil leaves a member alone.
type SettingsPatch struct {
	Categories        *[]string
	RetentionConflict *Conflict
	RetentionRunAt    *string
	TimeZone          *string
	ReminderDays      *[]uint64
	AuditReads        *bool
	MaxClockGapDays   *uint64
	Paused            *bool
	SearchLanguage    *string
	MaxVersions       *uint64
	RestrictDeferred  *bool
	// SignInByKey: it is false only once an active admin has come through the provider.
	SignInByKey *bool
	TwoPersons  *[]Covered
	// PlanDigest is that of a preview with this RetentionConflict and TimeZone.
	PlanDigest *audit.Hash
}

// defaultMaxVersions is what vaults have whose settings do not say.
const defaultMaxVersions = 10_000

func defaultSettings() Settings {
	return Settings{
		RetentionConflict: ConflictLongest, RetentionRunAt: "02:00", TimeZone: "UTC", ReminderDays: []uint64{30, 7, 1},
		MaxClockGapDays: 30, SearchLanguage: "en", MaxVersions: defaultMaxVersions, SignInByKey: true, Revision: 1,
	}
}

// members are the settings as entries tell them.
func (s *Settings) members() map[string]any {
	return map[string]any{
		"categories": append([]string{}, s.Categories...), "retentionConflict": string(s.RetentionConflict),
		"retentionRunAt": s.RetentionRunAt, "timeZone": s.TimeZone, "reminderDays": append([]uint64{}, s.ReminderDays...),
		"auditReads": s.AuditReads, "maxClockGapDays": s.MaxClockGapDays, "paused": s.Paused, "searchLanguage": s.SearchLanguage,
		"maxVersions": s.MaxVersions, "restrictDeferred": s.RestrictDeferred, "signInByKey": s.SignInByKey, "twoPersons": wordsOf(s.TwoPersons),
		"formerZones": append([]string{}, s.formerZones...),
	}
}

// BuiltinCategories are known in every vault; the last is the default.
func BuiltinCategories() []string {
	return []string{"contract", "agreement", "invoice", "receipt", "report", "certificate", "policy", defaultCategory}
}

const defaultCategory = "other"

// Settings returns the settings of the vault.
func (v *Vault) Settings(ctx context.Context) (Settings, error) {
	return view(v, (*tx).settings)
}

func (t *tx) settings() (Settings, error) {
	return decodeSettings(t.Get(bucketSettings, settingsKey))
}

// UpdateSettings changes the settings. It needs admin access. A category that
// documents still use may be removed: they keep it, and no other document can
// get it. *PreviewRequiredError if another RetentionConflict or TimeZone would
// make documents due for deletion at once, and the PlanDigest is not that of its
// preview. *NeedsTwoError if TwoPersons has two persons needed for it.
func (v *Vault) UpdateSettings(ctx context.Context, actor Actor, cond Condition, p SettingsPatch) (Settings, Receipt, error) {
	if err := p.check(); err != nil {
		return Settings{}, Receipt{}, err
	}
	if p.RetentionConflict != nil || p.TimeZone != nil {
		v.planning.Lock()
		defer v.planning.Unlock()
		if err := v.settingsForeseen(ctx, actor, cond, p); err != nil {
			return Settings{}, Receipt{}, err
		}
	}
	return update(v, ctx, actor, func(t *tx) (Settings, audit.Event, error) {
		if err := t.settingsNeedTwo(cond, p); err != nil {
			return Settings{}, audit.Event{}, err
		}
		return t.updateSettings(cond.IfMatch, p)
	})
}

// settingsForeseen guards a change of what decides when documents are due.
func (v *Vault) settingsForeseen(ctx context.Context, actor Actor, cond Condition, p SettingsPatch) error {
	if err := v.mayAsk(actor, AccessAdmin); err != nil {
		return err
	}
	is, err := view(v, func(t *tx) (*Settings, error) {
		was, err := t.settings()
		if err == nil {
			err = cond.IfMatch.check(was.Revision)
		}
		if err != nil {
			return nil, err
		}
		is, err := t.supposedSettings(p)
		if err != nil || is.RetentionConflict == was.RetentionConflict && is.TimeZone == was.TimeZone {
			return nil, err
		}
		return is, nil
	})
	if err != nil || is == nil {
		return err
	}
	return v.looked(ctx, supposed{settings: is}, p.PlanDigest)
}

// updateSettings applies a patch that is checked.
func (t *tx) updateSettings(m Match, p SettingsPatch) (Settings, audit.Event, error) {
	if err := t.may(AccessAdmin); err != nil {
		return Settings{}, audit.Event{}, err
	}
	old, err := t.settings()
	if err != nil {
		return Settings{}, audit.Event{}, err
	}
	if err := m.check(old.Revision); err != nil {
		return Settings{}, audit.Event{}, err
	}
	s, detail := p.apply(old), map[string]any{}
	if err := t.keepZone(&old, &s); err != nil {
		return Settings{}, audit.Event{}, err
	}
	if old.SignInByKey && !s.SignInByKey {
		if err := t.adminHasCome(); err != nil {
			return Settings{}, audit.Event{}, err
		}
	}
	is := s.members()
	for name, was := range old.members() {
		if !reflect.DeepEqual(was, is[name]) {
			detail[name] = changed{was, is[name]}
		}
	}
	if len(detail) == 0 {
		return old, audit.Event{}, nil
	}
	s.Revision++
	t.Put(bucketSettings, settingsKey, s.encode())
	return s, audit.Event{
		Op:     audit.OpSettingsUpdated,
		Facts:  s.facts(sortedKeys(detail)),
		Detail: encodeDetail(detail),
	}, nil
}

// facts are those of a change of some settings: their names, and what they are
// from now on. Categories are text of people, and stand in the detail alone.
func (s *Settings) facts(names []string) audit.Facts {
	facts := audit.Facts{"changed": audit.Texts(names...)}
	for _, name := range names {
		switch value := s.members()[name].(type) {
		case string:
			facts[name] = audit.Text(value)
		case uint64:
			facts[name] = audit.Number(value)
		case bool:
			facts[name] = audit.Text(fmt.Sprint(value))
		case []string:
			if name == "formerZones" || name == "twoPersons" {
				facts[name] = audit.Texts(value...)
			}
		case []uint64:
			var list []string
			for _, n := range value {
				list = append(list, fmt.Sprint(n))
			}
			facts[name] = audit.Texts(list...)
		}
	}
	return facts
}

// maxFormerZones bounds in how many zones an end of compliance is reckoned.
const maxFormerZones = 16

// keepZone notes the zone of before while a policy protects by compliance: no
// change of the zone brings the end of that nearer.
func (t *tx) keepZone(old, s *Settings) error {
	if s.TimeZone == old.TimeZone || slices.Contains(old.formerZones, old.TimeZone) {
		return nil
	}
	binds := false
	err := t.eachPolicy(func(p Policy) { binds = binds || p.Protect == ProtectCompliance })
	if err != nil || !binds {
		return err
	}
	if len(old.formerZones) == maxFormerZones {
		return invalid("timeZone", "stays: compliance has been promised in %d others, and goes by all of them, which is the most", maxFormerZones)
	}
	s.formerZones = append(slices.Clone(old.formerZones), old.TimeZone)
	slices.Sort(s.formerZones)
	return nil
}

// check looks at every member that is given, and spells it.
func (p *SettingsPatch) check() error {
	var c checks
	if p.Categories != nil {
		list := c.Categories("categories", *p.Categories, BuiltinCategories())
		p.Categories = &list
	}
	if p.ReminderDays != nil {
		list := c.ReminderDays("reminderDays", *p.ReminderDays)
		p.ReminderDays = &list
	}
	c.OneOf("retentionConflict", (*string)(p.RetentionConflict), string(ConflictLongest), string(ConflictShortest))
	c.OneOf("searchLanguage", p.SearchLanguage, "de", "en", "es", "fr", "it", "nl", "pt")
	if p.TwoPersons != nil {
		list, err := inCoverable(*p.TwoPersons)
		if err != "" {
			c.Fail("twoPersons", "%s", err)
		}
		p.TwoPersons = &list
	}
	if p.RetentionRunAt != nil {
		c.TimeOfDay("retentionRunAt", *p.RetentionRunAt)
	}
	if p.TimeZone != nil {
		c.TimeZone("timeZone", *p.TimeZone)
	}
	if p.MaxClockGapDays != nil {
		c.ClockGap("maxClockGapDays", *p.MaxClockGapDays)
	}
	if p.MaxVersions != nil {
		c.MaxVersions("maxVersions", *p.MaxVersions)
	}
	return c.err()
}

// apply returns the settings with what the patch, checked, changes.
func (p *SettingsPatch) apply(s Settings) Settings {
	set(&s.Categories, p.Categories)
	set(&s.RetentionConflict, p.RetentionConflict)
	set(&s.RetentionRunAt, p.RetentionRunAt)
	set(&s.TimeZone, p.TimeZone)
	set(&s.ReminderDays, p.ReminderDays)
	set(&s.AuditReads, p.AuditReads)
	set(&s.MaxClockGapDays, p.MaxClockGapDays)
	set(&s.Paused, p.Paused)
	set(&s.SearchLanguage, p.SearchLanguage)
	set(&s.MaxVersions, p.MaxVersions)
	set(&s.RestrictDeferred, p.RestrictDeferred)
	set(&s.SignInByKey, p.SignInByKey)
	set(&s.TwoPersons, p.TwoPersons)
	return s
}

// inCoverable returns the list in the order of Coverable, each once, and what is
// wrong with it; "" for nothing.
func inCoverable(given []Covered) (list []Covered, wrong string) {
	for _, what := range Coverable() {
		if slices.Contains(given, what) {
			list = append(list, what)
		}
	}
	for _, what := range given {
		if !slices.Contains(list, what) {
			return list, "must be a list out of " + strings.Join(wordsOf(Coverable()), ", ")
		}
	}
	return list, ""
}

func wordsOf[T ~string](list []T) []string {
	words := make([]string, len(list))
	for i, word := range list {
		words[i] = string(word)
	}
	return words
}

// set takes over what a patch has for one member, if it has it.
func set[T any](member, given *T) {
	if given != nil {
		*member = *given
	}
}

// zone is where the vault's days begin and end. It is kept from one
// transaction to the next, because to load one is to read a file.
func (t *tx) zone() (*time.Location, error) {
	c, err := t.calendar()
	if err != nil {
		return nil, err
	}
	return c.Zone, nil
}

func loadZone(name string) (*time.Location, error) {
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("the time zone of the settings is not known on this machine: %w", err)
	}
	return z, nil
}

// knownCategory says whether documents may be given this category.
func (t *tx) knownCategory(name string) error {
	s, err := t.settings()
	if err != nil {
		return err
	}
	known := append(BuiltinCategories(), s.Categories...)
	if slices.Contains(known, name) {
		return nil
	}
	return invalid("category", "must be one of %s; an admin can add others in the settings", strings.Join(known, ", "))
}
