package check

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Limits of what an administrator sets.
const (
	maxCategory     = 50 // characters
	maxCategories   = 200
	maxChoices      = 200
	maxReminders    = 10
	maxReminderDays = 365
	maxClockGap     = 3_650 // days
	maxVersions     = 100_000
)

var (
	vaultNames = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	categories = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)
	timesOfDay = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
)

// IsVaultName says whether a vault can have this name: 1 to 40 lower-case
// letters, digits and hyphens, not beginning with a hyphen.
func IsVaultName(name string) bool { return vaultNames.MatchString(name) }

// Categories checks the names of categories and returns those that are not
// built in, sorted and each once.
func (c *Mistakes) Categories(field string, given, builtin []string) []string {
	if len(given) > maxCategories {
		c.Fail(field, "must be at most %d", maxCategories)
	}
	for i, name := range given {
		if len(name) > maxCategory || !categories.MatchString(name) {
			c.Fail(fmt.Sprintf("%s[%d]", field, i), "must be at most %d lower-case letters, digits, - or _", maxCategory)
		}
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(given)))
	return slices.DeleteFunc(sorted, func(name string) bool { return slices.Contains(builtin, name) })
}

// FieldKey checks the key of a custom field that is to be defined.
func (c *Mistakes) FieldKey(field, key string) {
	if !IsFieldKey(key) {
		c.Fail(field, "must be a letter followed by up to 63 letters, digits, - or _")
	}
}

// Choices checks the choices of a custom field and returns them spelled. Only a
// field of type choice has any, and it has at least one.
func (c *Mistakes) Choices(field string, given []string, isChoice bool) []string {
	switch {
	case !isChoice && len(given) > 0:
		c.Fail(field, "are for fields of type choice only; send [] for any other")
	case isChoice && len(given) == 0:
		c.Fail(field, "must be at least one, for a field of type choice")
	case len(given) > maxChoices:
		c.Fail(field, "must be at most %d", maxChoices)
		return nil
	}
	var spelled []string
	for i, choice := range given {
		at := fmt.Sprintf("%s[%d]", field, i)
		choice = NFC(Trim(choice))
		if slices.Contains(spelled, choice) {
			c.Fail(at, "is given twice")
		}
		c.Required(at, choice, maxTag)
		spelled = append(spelled, choice)
	}
	return spelled
}

// ReminderDays checks how many days before an obligation is due it is reminded
// of, and returns them falling and each once.
func (c *Mistakes) ReminderDays(field string, given []uint64) []uint64 {
	for i, days := range given {
		if days < 1 || days > maxReminderDays {
			c.Fail(fmt.Sprintf("%s[%d]", field, i), "must be from 1 to %d", maxReminderDays)
		}
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(given)))
	slices.Reverse(sorted)
	if len(sorted) > maxReminders {
		c.Fail(field, "must be at most %d", maxReminders)
	}
	return sorted
}

// ClockGap checks after how many days of silence a vault doubts its clock.
func (c *Mistakes) ClockGap(field string, days uint64) {
	if days < 1 || days > maxClockGap {
		c.Fail(field, "must be from 1 to %d", maxClockGap)
	}
}

// MaxVersions checks how many versions a document may have. Its certificate names
// each of them, and is made in one transaction.
func (c *Mistakes) MaxVersions(field string, number uint64) {
	if number < 1 || number > maxVersions {
		c.Fail(field, "must be from 1 to %d", maxVersions)
	}
}

// TimeOfDay checks a time such as 02:00.
func (c *Mistakes) TimeOfDay(field, value string) {
	if !timesOfDay.MatchString(value) {
		c.Fail(field, "must be a time of day from 00:00 to 23:59")
	}
}

// TimeZone checks the name of a time zone, as IANA has it and this machine
// knows it.
func (c *Mistakes) TimeZone(field, name string) {
	if !isZone(name) {
		c.Fail(field, "must be the IANA name of a time zone, such as Europe/Berlin or UTC")
	}
}

// isZone refuses names that mean another zone, or none, on another machine:
// "" and "Local", and names such as posixrules and right/UTC, which only some
// systems have. All names of IANA begin with a capital letter.
func isZone(name string) bool {
	if name == "" || name == "Local" || name[0] < 'A' || name[0] > 'Z' {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}

// IsDate says whether s is a day of the calendar as ISO 8601 spells it:
// 2026-11-21.
func IsDate(s string) bool {
	if len(s) != len(time.DateOnly) || s[4] != '-' || s[7] != '-' { // of most texts, without an error's making
		return false
	}
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}
