package engine

import (
	"crypto/rand"
	"encoding/json"
	"fmt"

	"strongroom/audit"
	"strongroom/engine/internal/secret"
	"strongroom/engine/internal/store"
)

func encodeVersion(v *Version) []byte {
	e := store.NewEncoder(256)
	e.Num(v.Number)
	e.Raw(v.Digest[:])
	e.Num(uint64(v.Size))
	e.Str(v.MediaType)
	e.Str(v.FileName)
	e.Str(v.Comment)
	e.Str(v.Label)
	e.Time(v.CreatedAt)
	e.Str(v.CreatedBy)
	e.Hash(v.PreviousChain)
	e.Hash(v.Chain)
	e.Flag(v.Discarded)
	if e.Num(uint64(v.TextSize)); v.TextSize > 0 {
		e.Raw(v.TextDigest[:])
	}
	return e.Bytes()
}

func decodeVersion(doc id, b []byte) (*Version, error) {
	return decodeVersionOf(doc.String(), b)
}

// decodeVersionOf is decodeVersion for who has spelled the document's id.
func decodeVersionOf(documentID string, b []byte) (*Version, error) {
	d := store.NewDecoder(b)
	v := &Version{DocumentID: documentID}
	v.Number = d.Num()
	d.Raw(v.Digest[:])
	v.Size = int64(d.Num())
	v.MediaType = d.Str()
	v.FileName = d.Str()
	v.Comment = d.Str()
	v.Label = d.Str()
	v.CreatedAt = d.Time()
	v.CreatedBy = d.Str()
	v.PreviousChain = d.Hash()
	v.Chain = d.Hash()
	v.Discarded = d.Flag()
	if v.TextSize = int64(d.Num()); v.TextSize != 0 {
		d.Raw(v.TextDigest[:])
	}
	return v, d.Done("version of document " + v.DocumentID)
}

func (d *document) encode() []byte {
	e := store.NewEncoder(512)
	e.Num(d.AuditSeq)
	e.Flag(d.deleted)
	e.Flag(d.Archived)
	e.Num(d.Revision)
	e.Num(d.VersionCount)
	e.Time(d.CreatedAt)
	e.Str(d.CreatedBy)
	e.Time(d.UpdatedAt)
	e.Str(d.UpdatedBy)
	if d.deleted {
		e.Str(d.Name)
		e.Flag(d.restricted)
		e.Flag(d.deferred)
		return e.Bytes()
	}
	e.Nested(encodeVersion(d.Current))
	e.Str(d.Name)
	e.Str(d.Category)
	e.Str(d.Description)
	e.Str(d.OwnerID)
	e.Num(uint64(len(d.Tags)))
	for _, tag := range d.Tags {
		e.Str(tag)
	}
	encodeFields(e, d.CustomFields)
	e.Str(d.ExternalID)
	e.Str(d.Product)
	e.Str(d.TemplateID)
	e.Str(d.AgreementID)
	e.Num(d.fence)
	if d.lease == nil {
		e.Nested(nil)
	} else {
		e.Nested(d.lease.encode())
	}
	e.Str(string(d.password))
	encodeHolds(e, d.holds)
	e.Time(d.retainUntil)
	e.Strs(d.confirmed)
	e.Str(d.Path)
	e.Flag(d.restricted)
	e.Flag(d.deferred)
	return e.Bytes()
}

func decodeDocument(key id, b []byte) (*document, error) {
	return decodeDocumentWith(key, b, secret.Parse)
}

// decodeDocumentWith reads a document whose edit password may be in the form of
// an earlier format.
func decodeDocumentWith(key id, b []byte, parse func(string) (secret.Password, error)) (*document, error) {
	r := store.NewDecoder(b)
	d := &document{id: key}
	d.ID = key.String()
	d.AuditSeq = r.Num()
	d.deleted = r.Flag()
	d.Archived = r.Flag()
	d.Revision = r.Num()
	d.VersionCount = r.Num()
	d.CreatedAt = r.Time()
	d.CreatedBy = r.Str()
	d.UpdatedAt = r.Time()
	d.UpdatedBy = r.Str()
	if d.deleted {
		d.Name = r.Str()
		d.restricted = r.Flag()
		d.deferred = r.Flag()
	} else {
		current, err := decodeVersionOf(d.ID, r.Nested())
		if err != nil {
			return nil, err
		}
		d.Current, current.Current = current, true
		d.Name = r.Str()
		d.Category = r.Str()
		d.Description = r.Str()
		d.OwnerID = r.Str()
		if n := r.Count(); n > 0 {
			d.Tags = make([]string, n)
			for i := range d.Tags {
				d.Tags[i] = r.Str()
			}
		}
		d.CustomFields = decodeFields(r)
		d.ExternalID = r.Str()
		d.Product = r.Str()
		d.TemplateID = r.Str()
		d.AgreementID = r.Str()
		d.fence = r.Num()
		if d.lease, err = decodeLease(r.Nested()); err != nil {
			return nil, fmt.Errorf("document %s: %w", d.ID, err)
		}
		if password := r.Str(); password != "" {
			d.EditProtected = true
			if d.password, err = parse(password); err != nil {
				return nil, fmt.Errorf("document %s: its edit password: %w", d.ID, errDamaged)
			}
		}
		d.holds = decodeHolds(r)
		d.retainUntil = r.Time()
		d.confirmed = r.Strs()
		d.Path = r.Str()
		d.restricted = r.Flag()
		d.deferred = r.Flag()
		d.recount()
	}
	d.Status = d.status()
	return d, r.Done("document " + d.ID)
}

// A snapshot is a document's record with a seal beside it.

func encodeSnapshot(document []byte, s seal) []byte {
	e := store.NewEncoder(32 + len(document))
	e.Nested(document)
	e.Raw(s[:])
	return e.Bytes()
}

func decodeSnapshot(key id, b []byte) (*document, error) {
	r := store.NewDecoder(b)
	record := r.Nested()
	var s seal
	r.Raw(s[:])
	if err := r.Done("snapshot of document " + key.String()); err != nil {
		return nil, err
	}
	return decodeDocument(key, record)
}

// seal is what a record has that says what people wrote, and whose digest is a
// fact: 16 random bytes, which go with it.
type seal [16]byte

func newSeal() (s seal) {
	rand.Read(s[:]) // never fails
	return s
}

// digestOf is the fact that binds a record.
func digestOf(record []byte) audit.Value {
	return audit.Text(audit.HashLine(record).String())
}

// digestOfPassword is the fact that binds an edit password; "" is none.
func digestOfPassword(p secret.Password) audit.Value {
	if p == "" {
		return audit.Text("")
	}
	return digestOf([]byte(p))
}

// The kinds of a custom field's value.
const (
	fieldText = iota
	fieldNumber
	fieldTrue
	fieldFalse
)

func encodeFields(e *store.Encoder, m map[string]any) {
	e.Num(uint64(len(m)))
	for _, name := range sortedKeys(m) {
		e.Str(name)
		switch v := m[name].(type) {
		case string:
			e.Num(fieldText)
			e.Str(v)
		case json.Number:
			e.Num(fieldNumber)
			e.Str(v.String())
		case bool:
			if v {
				e.Num(fieldTrue)
			} else {
				e.Num(fieldFalse)
			}
		}
	}
}

func decodeFields(d *store.Decoder) map[string]any {
	n := d.Count()
	if n == 0 {
		return nil
	}
	m := make(map[string]any, n)
	for range n {
		name := d.Str()
		switch d.Num() {
		case fieldText:
			m[name] = d.Str()
		case fieldNumber:
			m[name] = json.Number(d.Str())
		case fieldTrue:
			m[name] = true
		case fieldFalse:
			m[name] = false
		default:
			d.Fail()
		}
	}
	return m
}

func (c *Certificate) encode() []byte {
	e := store.NewEncoder(64 + 80*len(c.Versions))
	e.Time(c.DeletedAt)
	e.Str(c.DeletedBy)
	e.Str(string(c.Right))
	e.Str(c.PolicyID)
	e.Str(c.ErasureID)
	e.Num(c.AuditSeq)
	e.Num(uint64(len(c.Versions)))
	for _, v := range c.Versions {
		e.Num(v.Number)
		e.Raw(v.Digest[:])
		e.Num(uint64(v.Size))
		e.Hash(v.Chain)
	}
	return e.Bytes()
}

func decodeCertificate(doc id, b []byte) (Certificate, error) {
	d := store.NewDecoder(b)
	c := Certificate{DocumentID: doc.String()}
	c.DeletedAt = d.Time()
	c.DeletedBy = d.Str()
	c.Right = Right(d.Str())
	c.PolicyID = d.Str()
	c.ErasureID = d.Str()
	c.AuditSeq = d.Num()
	c.Versions = make([]CertifiedVersion, d.Count())
	for i := range c.Versions {
		v := &c.Versions[i]
		v.Number = d.Num()
		d.Raw(v.Digest[:])
		v.Size = int64(d.Num())
		v.Chain = d.Hash()
	}
	return c, d.Done("certificate of document " + c.DocumentID)
}
