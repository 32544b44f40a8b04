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
	rows := [][]byte{
		indexKey(kindState, d.indexState(), d.id),
		indexKey(kindUpdated, d.indexState()+millis(d.UpdatedAt), d.id),
		indexKey(kindName, d.indexState()+foldName(form(d.Name)), d.id),
	}
	if d.deleted {
		return rows
	}
	rows = append(rows, indexKey(kindCategory, text(d.Category), d.id))
	if owner, ok := store.ParseID(d.OwnerID); ok {
		rows = append(rows, indexKey(kindOwner, string(owner[:]), d.id))
	}
	if d.Product != "" {
		rows = append(rows, indexKey(kindProduct, text(d.Product), d.id))
	}
	if d.TemplateID != "" {
		rows = append(rows, indexKey(kindTemplate, text(d.TemplateID), d.id))
	}
	if d.AgreementID != "" {
		rows = append(rows, indexKey(kindAgreement, text(d.AgreementID), d.id))
	}
	for _, folder := range check.Folders(d.Path) {
		rows = append(rows, indexKey(kindPath, text(folder), d.id))
	}
	anyKey := ""
	for _, tag := range d.Tags {
		tag = form(tag)
		rows = append(rows, indexKey(kindTag, text(tag), d.id))
		// Tags are sorted, so those of one key stand together.
		if key, _, ok := strings.Cut(tag, ":"); ok && key != anyKey {
			rows = append(rows, indexKey(kindTag, text(key+":*"), d.id))
			anyKey = key
		}
	}
	for _, h := range d.holds {
		if h.active > 0 && h.matter != "" {
			rows = append(rows, indexKey(kindMatter, text(h.matter), d.id))
		}
	}
	for key, value := range d.CustomFields {
		rows = append(rows, indexKey(kindField, text(key)+fieldRow(formOf(value, form)), d.id))
	}
	return rows
}

func formOf(value any, form func(string) string) any {
	if s, ok := value.(string); ok {
		return form(s)
	}
	return value
}
