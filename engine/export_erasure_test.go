package engine

func EditErasure(key, record []byte, fn func(*Erasure)) []byte {
	e, err := decodeErasure(id(key), record)
	if err != nil {
		panic(err)
	}
	fn(&e.Erasure)
	return e.encode()
}
