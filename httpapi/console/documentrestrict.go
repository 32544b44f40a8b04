package console

import "strongroom/engine"

func restrictDocument(v *visit) (answer, error) {
	_, _, err := v.vault.RestrictDocument(v.ctx(), v.actor, v.id("id"), engine.Condition{}, v.form("reason"))
	return v.deed(err, "The document is restricted: only admins and auditors see it now.")
}

func unrestrictDocument(v *visit) (answer, error) {
	d, _, err := v.vault.UnrestrictDocument(v.ctx(), v.actor, v.id("id"), engine.Condition{}, v.form("reason"))
	if err == nil && d.Restricted {
		return v.deed(nil, "The restriction by hand is over. The document stays restricted as long as its erasure waits.")
	}
	return v.deed(err, "Everybody sees the document again.")
}
