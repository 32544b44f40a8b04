package engine

// Writable is nil, or why every change is refused now while reads go on:
// ErrNoSpace, or an *UnavailableError because of the clock. It is cheap to ask.
func (v *Vault) Writable() error {
	if err := v.enter(); err != nil {
		return err
	}
	defer v.exit()
	if err := v.clock.unwritable(); err != nil {
		return err
	}
	return v.checkReserve()
}
