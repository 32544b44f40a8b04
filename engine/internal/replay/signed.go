package replay

import "fmt"

// The members of the vault that say who signs checkpoints, and what was signed
// last. A vault that was restored has no signer until the next is named.
const (
	Signer     = "its signer"
	Second     = "its second signer"
	SignedBy   = "who signed last"
	SignedSize = "how many entries were signed"
	SignedRoot = "the root that was signed"
)

// signed takes a checkpoint into account. Whether its root is that of the lines is for
// who reads them.
func (a *Accounts) signed(e *entry) error {
	by := a.Vault.Facts[Signer]
	if by == (Value{}) {
		return fmt.Errorf("signs a checkpoint, and no signer was named")
	}
	size := Number(e.number("size"))
	if size.number >= int64(e.Seq) || size.number < a.Vault.Facts[SignedSize].number {
		return fmt.Errorf("signs %d entries, which is more than there were, or less than before", size.number)
	}
	a.Vault.Facts[SignedBy], a.Vault.Facts[SignedSize] = by, size
	a.Vault.Facts[SignedRoot] = Text(e.word("root"))
	return nil
}

// signer takes who signs from now on into account. An entry that names no second
// signer ends the one before.
func (a *Accounts) signer(e *entry) {
	a.Vault.Facts[Signer] = Text(e.word("vkey"))
	delete(a.Vault.Facts, Second)
	if second := e.word("mldsa"); second != "" {
		a.Vault.Facts[Second] = Text(second)
	}
}
