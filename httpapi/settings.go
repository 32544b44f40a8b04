package httpapi

import (
	"context"

	"strongroom/engine"
)

func getSettings(ctx context.Context, c caller, _ struct{}) (reply[Settings], error) {
	s, err := c.vault.Settings(ctx)
	return changedSettings(s, engine.Receipt{}), err
}

func changedSettings(s engine.Settings, r engine.Receipt) reply[Settings] {
	return reply[Settings]{
		body: Settings{
			Categories: orEmpty(s.Categories), RetentionConflict: string(s.RetentionConflict), RetentionRunAt: s.RetentionRunAt,
			TimeZone: s.TimeZone, ReminderDays: orEmpty(s.ReminderDays), AuditReads: s.AuditReads,
			MaxClockGapDays: s.MaxClockGapDays, Paused: s.Paused, SearchLanguage: s.SearchLanguage, MaxVersions: s.MaxVersions, RestrictDeferred: s.RestrictDeferred, SignInByKey: s.SignInByKey,
			TwoPersons: mapped(s.TwoPersons, func(what engine.Covered) string { return string(what) }),
		},
		revision: s.Revision, receipt: r,
	}
}

type settingsPatch struct {
	Categories        *[]string         `json:"categories"`
	RetentionConflict *engine.Conflict  `json:"retentionConflict" enum:"longest|shortest"`
	RetentionRunAt    *string           `json:"retentionRunAt"`
	TimeZone          *string           `json:"timeZone"`
	ReminderDays      *[]uint64         `json:"reminderDays"`
	AuditReads        *bool             `json:"auditReads"`
	MaxClockGapDays   *uint64           `json:"maxClockGapDays" min:"1" max:"3650"`
	Paused            *bool             `json:"paused"`
	SearchLanguage    *string           `json:"searchLanguage" enum:"de|en|es|fr|it|nl|pt"`
	MaxVersions       *uint64           `json:"maxVersions" min:"1" max:"100000"`
	RestrictDeferred  *bool             `json:"restrictDeferred"`
	SignInByKey       *bool             `json:"signInByKey"`
	TwoPersons        *[]engine.Covered `json:"twoPersons"`
	PlanDigest        *string           `json:"planDigest" doc:"That of a preview with this retentionConflict and timeZone. Needed if another would make documents due for deletion at once."`
}

type updateSettingsInput struct {
	IfMatch ifMatch       `header:"If-Match"`
	Patch   settingsPatch `body:"merge"`
}

func updateSettings(ctx context.Context, c caller, in updateSettingsInput) (reply[Settings], error) {
	p := in.Patch
	digest, err := previewed(p.PlanDigest)
	if err != nil {
		return reply[Settings]{}, err
	}
	s, receipt, err := c.vault.UpdateSettings(ctx, c.actor, in.IfMatch.condition(), engine.SettingsPatch{
		Categories: p.Categories, RetentionConflict: p.RetentionConflict, RetentionRunAt: p.RetentionRunAt, TimeZone: p.TimeZone,
		ReminderDays: p.ReminderDays, AuditReads: p.AuditReads, MaxClockGapDays: p.MaxClockGapDays, Paused: p.Paused,
		SearchLanguage: p.SearchLanguage, MaxVersions: p.MaxVersions, RestrictDeferred: p.RestrictDeferred, SignInByKey: p.SignInByKey, TwoPersons: p.TwoPersons, PlanDigest: digest,
	})
	return changedSettings(s, receipt), err
}
