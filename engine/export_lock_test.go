package engine

import "time"

// StoredLock is a lock as its document's record has it.
type StoredLock struct {
	UserID, KeyID, App string
	Until              time.Time
	Duration           time.Duration
	UseScratchPad      bool
	Fence, Base        uint64
}

// EditLock changes the lock in a document's record.
func EditLock(key, record []byte, fn func(*StoredLock)) []byte {
	d, err := decodeDocument(id(key), record)
	if err != nil || d.lease == nil {
		panic(err)
	}
	l := d.lease
	is := StoredLock{l.userID, l.keyID, l.app, l.until, l.window, l.scratchPad, l.fence, l.base}
	fn(&is)
	d.lease = &lease{is.UserID, is.KeyID, is.App, is.Duration, is.Until, is.UseScratchPad, is.Fence, is.Base}
	return d.encode()
}

// Unlock takes the lock out of a document's record.
func Unlock(key, record []byte) []byte {
	d, err := decodeDocument(id(key), record)
	if err != nil || d.lease == nil {
		panic(err)
	}
	d.lease = nil
	return d.encode()
}

// DraftKey is the key of a scratchpad in rows.db.
func DraftKey(documentID, userID string) []byte { return scratchpadKey(id(KeyOf(documentID)), userID) }
