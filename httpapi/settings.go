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
		body:     Settings{Categories: orEmpty(s.Categories), AuditReads: s.AuditReads},
		revision: s.Revision, receipt: r,
	}
}

type settingsPatch struct {
	Categories *[]string `json:"categories"`
	AuditReads *bool     `json:"auditReads"`
}

type updateSettingsInput struct {
	IfMatch ifMatch       `header:"If-Match"`
	Patch   settingsPatch `body:"merge"`
}

func updateSettings(ctx context.Context, c caller, in updateSettingsInput) (reply[Settings], error) {
	s, receipt, err := c.vault.UpdateSettings(ctx, c.actor, engine.Match(in.IfMatch), engine.SettingsPatch(in.Patch))
	return changedSettings(s, receipt), err
}
