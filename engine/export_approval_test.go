package engine

// EditApproval changes the record of a request for approval, with its key and state.
func EditApproval(key, record []byte, fn func(a *Approval, with, state *string)) []byte {
	a, err := decodeApproval(id(key), record)
	if err != nil {
		panic(err)
	}
	fn(&a.Approval, &a.key, &a.state)
	return a.encode()
}
