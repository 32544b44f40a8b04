package engine

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"strongroom/audit"
	"strongroom/engine/internal/retention"
	"strongroom/engine/internal/store"
)

// The steps that put the policies and settings of a log in force again.

// policyRuled makes a policy again, or makes it what it was.
func (e pastEntry) policyRuled(t *tx) (pastOutcome, audit.Event, error) {
	name := e.word("policy")
	key, ok := store.ParseID(name)
	if !ok {
		return impossible("the policy %q has no id", name)
	}
	old, err := t.policy(name)
	made := errors.Is(err, ErrPolicyNotFound)
	if err != nil && !made {
		return pastOutcome{}, audit.Event{}, err
	}
	old.ID = key.String()
	p, out := e.policy(old)
	if p.Scope != ScopeOrganization && p.Target == "" {
		return nothingRepeated(fmt.Sprintf("policy %s: the log does not say what it is for, and the details do not either", name))
	}
	if err := t.checkPolicy(p, &p); err != nil { // as if it had been so: what it names may have gone
		return pastOutcome{}, audit.Event{}, err
	}
	if _, field := strings.CutPrefix(string(p.StartFrom), retention.FromField); !field && !slices.Contains([]Start{StartCreated, StartUpdated, StartVersion}, p.StartFrom) {
		return impossible("policy %s counts from %q", name, p.StartFrom)
	}
	if p.Enabled && p.Action == ActionDelete && (made || !old.Enabled || old.Action != ActionDelete) {
		out.deletes = name
	}
	switch {
	case made:
		_, event, err := t.addPolicy(p)
		return out, event, err
	case p == old:
		return out, audit.Event{}, nil
	case old.Protect == ProtectCompliance && retention.Loosens(old.forRules(nil), p.forRules(nil)):
		return impossible("weakens policy %s, which protects by compliance", name)
	case weaker(old, p):
		out.loosens = fmt.Sprintf("weakens policy %s", name)
	}
	_, event, err := t.storePolicy(old, p)
	return out, event, err
}

// policy is what a policy is from the entry on.
func (e *pastEntry) policy(old Policy) (Policy, pastOutcome) {
	p, out := old, pastOutcome{}
	if target, told := e.members["target"].(string); told {
		p.Target = target
	}
	p.take(e.Facts)
	if p.Name = cmp.Or(e.text("name"), old.Name); p.Name == "" {
		p.Name = fmt.Sprintf("made again from the log, entry %d", e.Seq)
		out.lost = fmt.Sprintf("policy %s is in force, without its name: the details have none", p.ID)
	}
	return p, out
}

// weaker says whether a policy that is enabled keeps documents less than before.
func weaker(old, p Policy) bool {
	if !old.Enabled {
		return false
	}
	rank := []Protect{ProtectNone, ProtectGovernance, ProtectCompliance}
	same := p
	same.Protect = old.Protect
	if p.Action == ActionArchive {
		same.Action = old.Action
	}
	return slices.Index(rank, p.Protect) < slices.Index(rank, old.Protect) || retention.Loosens(old.forRules(nil), same.forRules(nil))
}

func (e pastEntry) policyDeleted(t *tx) (pastOutcome, audit.Event, error) {
	p, err := t.policy(e.word("policy"))
	if errors.Is(err, ErrPolicyNotFound) {
		return nothingRepeated("")
	}
	if err != nil {
		return pastOutcome{}, audit.Event{}, err
	}
	out := pastOutcome{}
	if p.Protect == ProtectCompliance {
		return impossible("deletes policy %s, which protects by compliance", p.ID)
	}
	if p.Enabled {
		out.loosens = fmt.Sprintf("deletes policy %s", p.ID)
	}
	_, event, err := t.removePolicy(p)
	return out, event, err
}

// settingsUpdated makes settings what they were, but whether the vault is paused:
// it is, until somebody has looked at it.
func (e pastEntry) settingsUpdated() (pastStep, error) {
	p, lost := e.settingsPatch()
	e.members = nil
	return func(t *tx) (pastOutcome, audit.Event, error) {
		out := pastOutcome{lost: lost}
		old, err := t.settings()
		if err != nil {
			return out, audit.Event{}, err
		}
		s, event, err := t.updateSettings(nil, p)
		if s.RetentionConflict == ConflictShortest && old.RetentionConflict != s.RetentionConflict ||
			old.AuditReads && !s.AuditReads || old.RestrictDeferred && !s.RestrictDeferred || s.MaxClockGapDays > old.MaxClockGapDays || uncovers(old.TwoPersons, s.TwoPersons) {
			out.loosens = "loosens the settings"
		}
		return out, event, err
	}, p.check()
}

// settingsPatch is what an entry says of settings, in its facts or, as in entries
// of before, in its detail; and what it does not tell.
func (e *pastEntry) settingsPatch() (p SettingsPatch, lost string) {
	text := func(name string) *string {
		if s := cmp.Or(e.word(name), e.text(name)); s != "" {
			return &s
		}
		return nil
	}
	p.RetentionRunAt, p.TimeZone, p.SearchLanguage = text("retentionRunAt"), text("timeZone"), text("searchLanguage")
	p.RetentionConflict = (*Conflict)(text("retentionConflict"))
	if on := text("auditReads"); on != nil {
		p.AuditReads = new(*on == "true")
	} else if on, told := e.members["auditReads"].(bool); told {
		p.AuditReads = &on
	}
	if on := text("restrictDeferred"); on != nil {
		p.RestrictDeferred = new(*on == "true")
	}
	if words, told := e.Facts["twoPersons"].AsTexts(); told {
		list := []Covered{}
		for _, word := range words {
			list = append(list, Covered(word))
		}
		p.TwoPersons = &list
	}
	if days := e.numbers("maxClockGapDays"); len(days) == 1 {
		p.MaxClockGapDays = &days[0]
	}
	if most := e.numbers("maxVersions"); len(most) == 1 {
		p.MaxVersions = &most[0]
	}
	if days := e.numbers("reminderDays"); days != nil {
		p.ReminderDays = &days
	}
	if categories, told := e.strings("categories"); told {
		p.Categories = &categories
	}
	changed, _ := e.Facts["changed"].AsTexts()
	told := map[string]bool{
		"retentionRunAt": p.RetentionRunAt != nil, "timeZone": p.TimeZone != nil, "searchLanguage": p.SearchLanguage != nil,
		"retentionConflict": p.RetentionConflict != nil, "auditReads": p.AuditReads != nil, "maxClockGapDays": p.MaxClockGapDays != nil, "maxVersions": p.MaxVersions != nil,
		"reminderDays": p.ReminderDays != nil, "restrictDeferred": p.RestrictDeferred != nil, "categories": p.Categories != nil, "twoPersons": p.TwoPersons != nil, "paused": true, "formerZones": true, // these follow from the change of the zone
	}
	for _, name := range changed {
		if !told[name] {
			lost += " " + name
		}
	}
	if lost != "" {
		lost = "the settings" + lost + " are as they were before"
	}
	return p, lost
}

// numbers returns a setting that is a number or several, nil if neither the
// facts nor the detail tell it.
func (e *pastEntry) numbers(name string) []uint64 {
	if n, told := e.Facts[name].AsNumber(); told {
		return []uint64{n}
	}
	said, told := e.Facts[name].AsTexts()
	if member, is := e.members[name]; !told && is {
		items, many := member.([]any)
		if !many {
			items = []any{member}
		}
		for _, item := range items {
			said = append(said, fmt.Sprint(item))
		}
		told = true
	}
	if !told {
		return nil
	}
	list := []uint64{}
	for _, s := range said {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return nil
		}
		list = append(list, n)
	}
	return list
}
