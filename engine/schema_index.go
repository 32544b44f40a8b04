package engine

import (
	"slices"
	"strings"
	"strongroom/engine/internal/check"
	"strongroom/engine/internal/store"
)

// Kinds of index rows. A row is kind ‖ value ‖ document, its value empty; all
// rows of one kind and value stand together in the order of document ids,
// which is the order of creation, so that several filters are intersected by
// walking their rows side by side. The two kinds that sort have the state
// before the value, so that walking one state meets no row of another.
const (
	kindState     = 's'
	kindCategory  = 'c'
	kindOwner     = 'o'
	kindProduct   = 'p'
	kindTemplate  = 'm'
	kindAgreement = 'a'
	kindTag       = 't' // each tag, and "key:*" for each key of a key:value tag
	kindMatter    = 'h' // each matter the document is held for now
	kindField     = 'f' // key of a custom field ‖ its value, as fieldRow spells it
	kindPath      = 'd' // the folder it lies in, and each that lies in
	kindUpdated   = 'u' // state ‖ milliseconds since 1970, big-endian
	kindName      = 'n' // state ‖ name in NFC, folded to lower case
)

// A state says of a document what the lists tell apart, in one letter.
const (
	stateLive         = "l"
	stateLiveHeld     = "h"
	stateArchived     = "a"
	stateArchivedHeld = "b"
	stateDeleted      = "d"
)

// What is restricted has another letter for each state, and what will be while the
// setting RestrictDeferred is on has a third: whoever walks what everybody sees
// meets none of it, and its number shows nowhere.
const (
	states           = stateLive + stateLiveHeld + stateArchived + stateArchivedHeld + stateDeleted
	statesRestricted = "vwxyz"
	statesDeferred   = "LHABD"
)

// indexState is the state of a document as the index spells it.
func (d *document) indexState() string {
	at := strings.Index(states, d.state())
	switch {
	case d.restricted:
		return statesRestricted[at : at+1]
	case d.deferred:
		return statesDeferred[at : at+1]
	}
	return d.state()
}

// shownStates are those states as the index spells them for who may see all, or
// for all others.
func (t *tx) shownStates(plain []string, all bool) ([]string, error) {
	s, err := t.settings()
	if err != nil {
		return nil, err
	}
	shown := slices.Clone(plain)
	for _, state := range plain {
		at := strings.Index(states, state)
		if all {
			shown = append(shown, statesRestricted[at:at+1])
		}
		if all || !s.RestrictDeferred {
			shown = append(shown, statesDeferred[at:at+1])
		}
	}
	return shown, nil
}

// indexRows returns every index row of a document. It is the only place that
// knows: store writes the difference between the rows before and after a
// change, Verify compares all rows with it. A later kind of row is added here
// and the bucket built anew from the documents, which stay as they are.
//
// Texts that are compared are in NFC here, however the document has them.
func indexRows(d *document) [][]byte { return indexRowsIn(d, check.NFC) }

func indexRowsIn(d *document, form func(string) string) [][]byte {
	r := newRows(d)
	state := d.indexState()
	r.add(kindState, state)
	r.add(kindUpdated, state, millis(d.UpdatedAt))
	r.add(kindName, state, foldName(form(d.Name)))
	if d.deleted {
		return r.rows
	}
	r.add(kindCategory, d.Category, endText)
	if owner, ok := store.ParseID(d.OwnerID); ok {
		r.add(kindOwner, string(owner[:]))
	}
	if d.Product != "" {
		r.add(kindProduct, d.Product, endText)
	}
	if d.TemplateID != "" {
		r.add(kindTemplate, d.TemplateID, endText)
	}
	if d.AgreementID != "" {
		r.add(kindAgreement, d.AgreementID, endText)
	}
	for _, folder := range check.Folders(d.Path) {
		r.add(kindPath, folder, endText)
	}
	anyKey := ""
	for _, tag := range d.Tags {
		tag = form(tag)
		r.add(kindTag, tag, endText)
		// Tags are sorted, so those of one key stand together.
		if key, _, ok := strings.Cut(tag, ":"); ok && key != anyKey {
			r.add(kindTag, key, ":*", endText)
			anyKey = key
		}
	}
	for _, h := range d.holds {
		if h.active > 0 && h.matter != "" {
			r.add(kindMatter, h.matter, endText)
		}
	}
	for key, value := range d.CustomFields {
		r.add(kindField, key, endText, fieldRow(formOf(value, form)))
	}
	return r.rows
}

// rowsOf are the rows of a document as they are made. They are many and short, and
// are made twice for each change: they lie in one piece of memory.
type rowsOf struct {
	id   id
	room []byte
	rows [][]byte
}

func newRows(d *document) *rowsOf {
	n := 8 + len(d.Tags)*2 + len(d.holds) + len(d.CustomFields)
	return &rowsOf{d.id, make([]byte, 0, n*48), make([][]byte, 0, n)}
}

// add makes a row of a kind whose value is these parts, one behind the other.
func (r *rowsOf) add(kind byte, value ...string) {
	begin := len(r.room)
	r.room = append(r.room, kind)
	for _, part := range value {
		r.room = append(r.room, part...)
	}
	r.room = append(r.room, r.id[:]...)
	r.rows = append(r.rows, r.room[begin:len(r.room):len(r.room)]) // stays, if room moves
}

func formOf(value any, form func(string) string) any {
	if s, ok := value.(string); ok {
		return form(s)
	}
	return value
}
