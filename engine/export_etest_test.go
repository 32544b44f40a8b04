package engine

// Hooks of the tests in package engine_test. Nothing here is part of the
// program.

// Down is what stops a vault after a commit whose outcome is unknown.
func (v *Vault) Down(cause error) { v.fail(ReasonOutcomeUnknown, cause) }
