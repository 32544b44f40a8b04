package engine

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/engine/internal/secret"
	"strongroom/engine/internal/store"
)

// migration brings the rows of an earlier format to this one. Few records need
// rewriting: see rewrite. What this format binds by facts, and no entry of before
// tells, its own entries tell: see binder.
type migration struct {
	v    *Vault
	from int
	part uint64
	bind *binder
}

// Unmarked returns the line of text that has to be written into Database(dir), if
// that file is missing and the vault's database is there: nothing is lost then. "" is
// said of every other directory.
func Unmarked(dir string) string { return store.Unmarked(dir) }

// begin returns the first record. The store has made the buckets that the earlier
// format lacks.
func (m *migration) begin(in *store.Tx, from int) (store.Record, error) {
	t := &tx{Tx: in, v: m.v, actor: System()}
	t.rewrite(from)
	m.from, m.part, m.bind = from, 1, newBinder()
	return m.record(m.bind.next(t)), nil
}

// goOn returns a further record as long as there is more to be told.
func (m *migration) goOn(in *store.Tx) (store.Record, error) {
	state := m.bind.next(&tx{Tx: in, v: m.v, actor: System()})
	if len(state) == 0 {
		return store.Record{}, nil
	}
	m.part++
	return m.record(state), nil
}

func (m *migration) record(state []string) store.Record {
	facts := audit.Facts{"format": audit.Number(formatVersion), "from": audit.Number(uint64(m.from))}
	if m.part > 1 {
		facts["part"] = audit.Number(m.part)
	}
	if len(state) > 0 {
		facts["state"] = audit.Texts(state...)
	}
	return store.Record{Actor: systemActor, Event: audit.Event{Op: audit.OpVaultMigrated, Facts: facts}}
}

// What a migration writes anew: rows whose form a later format changed. A row
// that cannot be read is left as it is, for Verify to find.

// rewrite brings the rows of an earlier format into the form of this version's.
func (t *tx) rewrite(from int) {
	if from < 3 {
		t.rewriteRows(bucketDrafts, scratchpadOfFormat2)
		t.rewriteRows(bucketDocuments, documentOfFormat2)
		t.rewriteRows(bucketSnapshots, snapshotOfFormat2)
		t.rewriteRows(bucketKinds, kindOfFormat2)
		t.indexKinds()
		t.linkKeys()
		t.compose()
		t.markDeferred()
	}
}

// compose puts what is looked up into NFC, which up to format 2 was as it was
// given: the rows of indexes, and where addresses and external ids lead. The texts
// themselves are bound by the log and stay.
func (t *tx) compose() {
	t.rekey(bucketEmails, func(k []byte) []byte { return emailKey(string(k)) })
	t.rekey(bucketExternals, func(k []byte) []byte { return externalKey(string(k)) })
	asGiven := func(s string) string { return s }
	var documents []id
	c := t.Cursor(bucketDocuments)
	for k, value := c.First(); k != nil; k, value = c.Next() {
		if len(k) == len(id{}) && bytes.ContainsFunc(value, func(r rune) bool { return r >= 0x300 && r != utf8.RuneError }) {
			documents = append(documents, id(k))
		}
	}
	for _, doc := range documents {
		if d, err := decodeDocument(doc, t.Get(bucketDocuments, doc[:])); err == nil {
			t.putRows(bucketIndex, indexRowsIn(d, asGiven), indexRows(d))
		}
	}
}

// rekey moves rows to the keys they should have. One whose place is taken stays.
func (t *tx) rekey(bucket []byte, to func([]byte) []byte) {
	type row struct{ from, to, value []byte }
	var rows []row
	c := t.Cursor(bucket)
	for k, value := c.First(); k != nil; k, value = c.Next() {
		if key := to(k); !bytes.Equal(key, k) {
			rows = append(rows, row{bytes.Clone(k), key, bytes.Clone(value)})
		}
	}
	for _, r := range rows {
		if t.Get(bucket, r.to) == nil {
			t.Delete(bucket, r.from)
			t.Put(bucket, r.to, r.value)
		}
	}
}

// indexKinds notes the kinds of starts that policies name and that were being
// drained when they came to do so.
func (t *tx) indexKinds() {
	named, err := t.namedKinds()
	if err != nil { // a damaged policy is for Verify to find
		return
	}
	for from := range named {
		if t.Get(bucketKinds, []byte(from)) == nil {
			t.Put(bucketKinds, []byte(from), (&kind{from: from}).encode())
		}
	}
}

// linkKeys tells keys what they were rotated to, which only the log knew up to
// format 2. There is no index of it, so all lines are looked at, few of them
// closely.
func (t *tx) linkKeys() {
	rotation := []byte(`"op":"` + audit.OpKeyRotated + `"`)
	c := t.Cursor(bucketLog)
	for at, line := c.First(); at != nil; at, line = c.Next() {
		if !bytes.Contains(line, rotation) {
			continue
		}
		e, err := audit.ParseEntry(line)
		if err != nil || e.Op != audit.OpKeyRotated {
			continue
		}
		old, _ := e.Facts["key"].AsText()
		successor, _ := e.Facts["successor"].AsText()
		if k, err := t.key(old); err == nil {
			k.successors = append(k.successors, successor)
			t.putKey(k)
		}
	}
}

// rewriteRows puts what again returns for a row in its place; nil leaves the row
// alone. A cursor must not meet what is written under it, so the rows that
// change are gathered first: few, of those that a vault has.
func (t *tx) rewriteRows(bucket []byte, again func(k, value []byte) []byte) {
	type row struct{ k, value []byte }
	var rows []row
	c := t.Cursor(bucket)
	for k, value := c.First(); k != nil; k, value = c.Next() {
		if record := again(k, value); record != nil {
			rows = append(rows, row{bytes.Clone(k), record})
		}
	}
	for _, r := range rows {
		t.Put(bucket, r.k, r.value)
	}
}

// documentOfFormat2 rewrites a document that has an edit password, whose cost
// was not stored up to format 2.
func documentOfFormat2(k, value []byte) []byte {
	if len(k) != len(id{}) {
		return nil
	}
	d, err := decodeDocumentWith(id(k), value, passwordOfFormat2)
	if err != nil || d.password == "" {
		return nil
	}
	return d.encode()
}

// snapshotOfFormat2 rewrites a snapshot, which was a document's record alone.
func snapshotOfFormat2(k, value []byte) []byte {
	if len(k) != len(id{}) {
		return nil
	}
	d, err := decodeDocumentWith(id(k), value, passwordOfFormat2)
	if err != nil {
		return nil
	}
	return encodeSnapshot(d.encode(), newSeal())
}

// kindOfFormat2 rewrites how far a kind of start is indexed, which said until when
// it is kept too.
func kindOfFormat2(name, value []byte) []byte {
	r := store.NewDecoder(value)
	k := kind{from: string(name)}
	r.Raw(k.through[:])
	k.whole, k.draining = r.Flag(), r.Flag()
	r.Time()
	if r.Done("kind of start") != nil {
		return nil
	}
	switch {
	case k.draining:
		k.whole, k.through = false, drained
	case k.whole:
		k.through = id{}
	}
	return k.encode()
}

// passwordOfFormat2 reads a salt of 16 bytes and the Argon2id hash of 32, made
// with 19 MiB and two passes.
func passwordOfFormat2(text string) (secret.Password, error) {
	const salt, hash = 16, 32
	if len(text) != salt+hash {
		return "", errDamaged
	}
	return secret.Of(secret.Cost{Memory: 19 << 10, Passes: 2, Lanes: 1}, []byte(text[:salt]), []byte(text[salt:]))
}

// scratchpadOfFormat2 rewrites a scratchpad, which was JSON up to format 2.
func scratchpadOfFormat2(_, value []byte) []byte {
	r := json.NewDecoder(bytes.NewReader(value))
	r.UseNumber() // in custom fields
	var was oldScratchpad
	if r.Decode(&was) != nil || len(was.Changes) > maxPending {
		return nil
	}
	pad := &scratchpad{Base: was.Base, Ends: was.Ends, seal: newSeal()}
	for _, c := range was.Changes {
		change, ok := c.change()
		if !ok {
			return nil
		}
		pad.Changes = append(pad.Changes, change)
	}
	return pad.encode()
}

// oldScratchpad is a scratchpad as the formats up to 2 have it. Its names are those
// that are stored, and never change.
type oldScratchpad struct {
	Base    uint64
	Ends    time.Time
	Changes []oldChange
}

type oldChange struct {
	Patch    *oldPatch
	Version  *oldVersion
	Digest   string
	Size     int64
	Restored uint64
	Ref      uint64
	At       time.Time
}

type oldPatch struct {
	Name              *string
	Category          *string
	Description       *string
	OwnerID           *string
	ExternalID        *string
	Tags              *[]string
	AddTags           []string
	RemoveTags        []string
	CustomFields      map[string]any
	ClearCustomFields bool
}

type oldVersion struct {
	MediaType string
	FileName  string
	Comment   string
	Label     string
}

func (c *oldChange) change() (change pendingChange, ok bool) {
	change.At = c.At
	switch {
	case (c.Patch == nil) == (c.Version == nil):
		return pendingChange{}, false
	case c.Patch != nil:
		p := DocumentPatch{
			Name: c.Patch.Name, Category: c.Patch.Category, Description: c.Patch.Description, OwnerID: c.Patch.OwnerID, ExternalID: c.Patch.ExternalID,
			Tags: c.Patch.Tags, AddTags: c.Patch.AddTags, RemoveTags: c.Patch.RemoveTags,
			CustomFields: c.Patch.CustomFields, ClearCustomFields: c.Patch.ClearCustomFields,
		}
		change.Patch = &p
		return change, fieldsOfFormat2(p.CustomFields)
	}
	digest, err := blobstore.ParseDigest(c.Digest)
	change.Version = &NewVersion{MediaType: c.Version.MediaType, FileName: c.Version.FileName, Comment: c.Version.Comment, Label: c.Version.Label}
	change.Digest, change.Size, change.Restored, change.Ref = digest, c.Size, c.Restored, c.Ref
	return change, err == nil
}

// fieldsOfFormat2 says whether custom fields have the values that there are.
func fieldsOfFormat2(fields map[string]any) bool {
	for _, value := range fields {
		switch value.(type) {
		case nil, bool, string, json.Number:
		default:
			return false
		}
	}
	return true
}
