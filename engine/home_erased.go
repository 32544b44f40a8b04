package engine

// Eraser is a Home that says how far it has nothing left of what was erased. An erasure
// is running until it is past that too: whoever reads that it is completed may take it
// that what was erased can be brought back from nowhere.
type Eraser interface {
	Home
	// Erased is the last entry up to which nothing that was erased lies in the home. It
	// takes no time.
	Erased() uint64
}

// gone is the last entry up to which nothing that was erased is left: in the database's
// file, and in a home that keeps what the vault was.
func (v *Vault) gone() uint64 {
	wiped := v.wiped.Load()
	if v.eraser != nil {
		wiped = min(wiped, v.eraser.Erased())
	}
	return wiped
}
