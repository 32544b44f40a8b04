package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"strongroom/audit"
)

// Settings of a vault. A vault that was never set has revision 1 and zero
// members.
type Settings struct {
	Categories []string // beyond the built-in ones, sorted
	AuditReads bool     // each content download and export of the log is an entry
	Revision   uint64
}

// SettingsPatch: nil leaves a member alone.
type SettingsPatch struct {
	Categories *[]string
	AuditReads *bool
}

// builtinCategories are known in every vault; the last is the default.
func builtinCategories() []string {
	return []string{"contract", "agreement", "invoice", "receipt", "report", "certificate", "policy", defaultCategory}
}

const defaultCategory = "other"

// Settings returns the vault's settings.
func (v *Vault) Settings(ctx context.Context) (Settings, error) {
	return view(v, (*tx).settings)
}

func (t *tx) settings() (Settings, error) {
	return decodeSettings(t.get(bucketSettings, settingsKey))
}

// UpdateSettings needs admin access. A category that documents still use may
// be removed: they keep it, and no other document can get it.
func (v *Vault) UpdateSettings(ctx context.Context, actor Actor, m Match, p SettingsPatch) (Settings, Receipt, error) {
	var wanted []string
	if p.Categories != nil {
		var err error
		if wanted, err = checkCategories(*p.Categories); err != nil {
			return Settings{}, Receipt{}, err
		}
	}
	return update(v, ctx, actor, func(t *tx) (Settings, audit.Event, error) {
		if err := t.may(AccessAdmin); err != nil {
			return Settings{}, audit.Event{}, err
		}
		s, err := t.settings()
		if err != nil {
			return Settings{}, audit.Event{}, err
		}
		if err := m.check(s.Revision); err != nil {
			return Settings{}, audit.Event{}, err
		}
		detail := map[string]any{}
		if p.Categories != nil && !slices.Equal(s.Categories, wanted) {
			detail["categories"] = changed{append([]string{}, s.Categories...), append([]string{}, wanted...)}
			s.Categories = wanted
		}
		if p.AuditReads != nil && s.AuditReads != *p.AuditReads {
			detail["auditReads"] = changed{s.AuditReads, *p.AuditReads}
			s.AuditReads = *p.AuditReads
		}
		if len(detail) == 0 {
			return s, audit.Event{}, nil
		}
		s.Revision++
		t.put(bucketSettings, settingsKey, s.encode())
		return s, audit.Event{
			Op:     audit.OpSettingsUpdated,
			Facts:  audit.Facts{"changed": audit.Texts(sortedKeys(detail)...)},
			Detail: encodeDetail(detail),
		}, nil
	})
}

func checkCategories(list []string) ([]string, error) {
	var c checks
	if len(list) > maxCategories {
		c.fail("categories", "must be at most %d", maxCategories)
	}
	for i, name := range list {
		if len(name) > maxCategory || !categories.MatchString(name) {
			c.fail(fmt.Sprintf("categories[%d]", i), "must be at most %d lower-case letters, digits, - or _", maxCategory)
		}
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(list)))
	sorted = slices.DeleteFunc(sorted, func(name string) bool { return slices.Contains(builtinCategories(), name) })
	return sorted, c.err()
}

// knownCategory says whether documents may be given this category.
func (t *tx) knownCategory(name string) error {
	s, err := t.settings()
	if err != nil {
		return err
	}
	known := append(builtinCategories(), s.Categories...)
	if slices.Contains(known, name) {
		return nil
	}
	return invalid("category", "must be one of %s; an admin can add others in the settings", strings.Join(known, ", "))
}
