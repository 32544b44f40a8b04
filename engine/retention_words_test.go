package engine

import (
	"testing"

	"strongroom/engine/internal/retention"
)

// The rules spell what they share with the engine alike: so a value is handed
// over by a conversion.
func TestRulesSpellAlike(t *testing.T) {
	for _, c := range [][2]string{
		{string(ScopeOrganization), string(retention.ScopeOrganization)},
		{string(ScopeProduct), string(retention.ScopeProduct)},
		{string(ScopeTemplate), string(retention.ScopeTemplate)},
		{string(ScopeCategory), string(retention.ScopeCategory)},
		{string(ScopeDocument), string(retention.ScopeDocument)},
		{string(ActionArchive), string(retention.ActionArchive)},
		{string(ActionDelete), string(retention.ActionDelete)},
		{string(ProtectNone), string(retention.ProtectNone)},
		{string(ProtectGovernance), string(retention.ProtectGovernance)},
		{string(ProtectCompliance), string(retention.ProtectCompliance)},
		{string(ResultDue), string(retention.Due)},
		{string(ResultHeld), string(retention.Held)},
		{string(ResultLocked), string(retention.Locked)},
		{string(ResultProtected), string(retention.Protected)},
		{string(RightManual), string(retention.RightManual)},
		{string(rightBypass), string(retention.RightBypass)},
		{string(RightRetention), string(retention.RightPolicy)},
		{string(RightErasure), string(retention.RightErasure)},
	} {
		if c[0] != c[1] {
			t.Errorf("%q is %q to the rules", c[0], c[1])
		}
	}
}
