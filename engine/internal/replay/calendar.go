package replay

// calendar is the secret of the address of a user's calendar, in the user's row.
func (a *Accounts) calendar(e *entry) error {
	u, err := a.known(Users, e)
	if err != nil {
		return err
	}
	u.Facts[Secret] = Text(e.word("secret"))
	return nil
}
