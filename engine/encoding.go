package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"strongroom/engine/internal/secret"
)

func encodeVersion(v *Version) []byte {
	e := newEncoder(256)
	e.num(v.Number)
	e.raw(v.Digest[:])
	e.num(uint64(v.Size))
	e.str(v.MediaType)
	e.str(v.FileName)
	e.str(v.Comment)
	e.str(v.Label)
	e.time(v.CreatedAt)
	e.str(v.CreatedBy)
	e.hash(v.PreviousChain)
	e.hash(v.Chain)
	e.flag(v.Discarded)
	return e.b
}

func decodeVersion(doc id, b []byte) (*Version, error) {
	d := newDecoder(b)
	v := &Version{DocumentID: doc.String()}
	v.Number = d.num()
	d.raw(v.Digest[:])
	v.Size = int64(d.num())
	v.MediaType = d.str()
	v.FileName = d.str()
	v.Comment = d.str()
	v.Label = d.str()
	v.CreatedAt = d.time()
	v.CreatedBy = d.str()
	v.PreviousChain = d.hash()
	v.Chain = d.hash()
	v.Discarded = d.flag()
	return v, d.done("version of document " + v.DocumentID)
}

func (d *document) encode() []byte {
	e := newEncoder(512)
	e.num(d.AuditSeq)
	e.flag(d.deleted)
	e.flag(d.Archived)
	e.num(d.Revision)
	e.num(d.VersionCount)
	e.time(d.CreatedAt)
	e.str(d.CreatedBy)
	e.time(d.UpdatedAt)
	e.str(d.UpdatedBy)
	if d.deleted {
		return e.b
	}
	e.nested(encodeVersion(d.Current))
	e.str(d.Name)
	e.str(d.Category)
	e.str(d.Description)
	e.str(d.OwnerID)
	e.num(uint64(len(d.Tags)))
	for _, tag := range d.Tags {
		e.str(tag)
	}
	e.fields(d.CustomFields)
	e.str(d.ExternalID)
	e.str(d.Product)
	e.str(d.TemplateID)
	e.str(d.AgreementID)
	e.num(d.fence)
	if d.lease == nil {
		e.nested(nil)
	} else {
		e.nested(d.lease.encode())
	}
	e.str(string(d.password))
	e.holds(d.holds)
	e.time(d.retainUntil)
	return e.b
}

func decodeDocument(key id, b []byte) (*document, error) {
	return decodeDocumentWith(key, b, secret.Parse)
}

// decodeDocumentWith reads a document whose edit password may be in the form of
// an earlier format.
func decodeDocumentWith(key id, b []byte, parse func(string) (secret.Password, error)) (*document, error) {
	r := newDecoder(b)
	d := &document{id: key}
	d.ID = key.String()
	d.AuditSeq = r.num()
	d.deleted = r.flag()
	d.Archived = r.flag()
	d.Revision = r.num()
	d.VersionCount = r.num()
	d.CreatedAt = r.time()
	d.CreatedBy = r.str()
	d.UpdatedAt = r.time()
	d.UpdatedBy = r.str()
	if !d.deleted {
		current, err := decodeVersion(key, r.nested())
		if err != nil {
			return nil, err
		}
		d.Current, current.Current = current, true
		d.Name = r.str()
		d.Category = r.str()
		d.Description = r.str()
		d.OwnerID = r.str()
		if n := r.count(); n > 0 {
			d.Tags = make([]string, n)
			for i := range d.Tags {
				d.Tags[i] = r.str()
			}
		}
		d.CustomFields = r.fields()
		d.ExternalID = r.str()
		d.Product = r.str()
		d.TemplateID = r.str()
		d.AgreementID = r.str()
		d.fence = r.num()
		if d.lease, err = decodeLease(r.nested()); err != nil {
			return nil, fmt.Errorf("document %s: %w", d.ID, err)
		}
		if password := r.str(); password != "" {
			d.EditProtected = true
			if d.password, err = parse(password); err != nil {
				return nil, fmt.Errorf("document %s: its edit password: %w", d.ID, errDamaged)
			}
		}
		d.holds = r.holds()
		d.retainUntil = r.time()
		d.recount()
	}
	d.Status = d.status()
	return d, r.done("document " + d.ID)
}

// The kinds of a custom field's value.
const (
	fieldText = iota
	fieldNumber
	fieldTrue
	fieldFalse
)

func (e *encoder) fields(m map[string]any) {
	e.num(uint64(len(m)))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		e.str(name)
		switch v := m[name].(type) {
		case string:
			e.num(fieldText)
			e.str(v)
		case json.Number:
			e.num(fieldNumber)
			e.str(v.String())
		case bool:
			if v {
				e.num(fieldTrue)
			} else {
				e.num(fieldFalse)
			}
		}
	}
}

func (d *decoder) fields() map[string]any {
	n := d.count()
	if n == 0 {
		return nil
	}
	m := make(map[string]any, n)
	for range n {
		name := d.str()
		switch d.num() {
		case fieldText:
			m[name] = d.str()
		case fieldNumber:
			m[name] = json.Number(d.str())
		case fieldTrue:
			m[name] = true
		case fieldFalse:
			m[name] = false
		default:
			d.fail()
		}
	}
	return m
}

func (c *Certificate) encode() []byte {
	e := newEncoder(64 + 80*len(c.Versions))
	e.time(c.DeletedAt)
	e.str(c.DeletedBy)
	e.str(c.Right)
	e.str(c.PolicyID)
	e.str(c.ErasureID)
	e.num(c.AuditSeq)
	e.num(uint64(len(c.Versions)))
	for _, v := range c.Versions {
		e.num(v.Number)
		e.raw(v.Digest[:])
		e.num(uint64(v.Size))
		e.hash(v.Chain)
	}
	return e.b
}

func decodeCertificate(doc id, b []byte) (Certificate, error) {
	d := newDecoder(b)
	c := Certificate{DocumentID: doc.String()}
	c.DeletedAt = d.time()
	c.DeletedBy = d.str()
	c.Right = d.str()
	c.PolicyID = d.str()
	c.ErasureID = d.str()
	c.AuditSeq = d.num()
	c.Versions = make([]CertifiedVersion, d.count())
	for i := range c.Versions {
		v := &c.Versions[i]
		v.Number = d.num()
		d.raw(v.Digest[:])
		v.Size = int64(d.num())
		v.Chain = d.hash()
	}
	return c, d.done("certificate of document " + c.DocumentID)
}

func (u *User) encode() []byte {
	e := newEncoder(128)
	e.str(u.Name)
	e.str(u.Email)
	e.num(uint64(u.Access))
	e.str(string(u.Status))
	e.flag(u.CanLockEnvelopes)
	e.time(u.CreatedAt)
	e.time(u.UpdatedAt)
	e.num(u.Revision)
	return e.b
}

func decodeUser(key id, b []byte) (User, error) {
	d := newDecoder(b)
	u := User{ID: key.String()}
	u.Name = d.str()
	u.Email = d.str()
	u.Access = Access(d.num())
	u.Status = UserStatus(d.str())
	u.CanLockEnvelopes = d.flag()
	u.CreatedAt = d.time()
	u.UpdatedAt = d.time()
	u.Revision = d.num()
	return u, d.done("user " + u.ID)
}

func (k *key) encode() []byte {
	e := newEncoder(160)
	e.raw(k.secret[:])
	e.str(k.Name)
	e.str(k.UserID)
	e.num(uint64(k.Access))
	e.time(k.CreatedAt)
	e.time(k.ExpiresAt)
	e.time(k.RevokedAt)
	return e.b
}

func decodeKey(at id, b []byte) (*key, error) {
	d := newDecoder(b)
	k := &key{}
	k.ID = at.String()
	d.raw(k.secret[:])
	k.Name = d.str()
	k.UserID = d.str()
	k.Access = Access(d.num())
	k.CreatedAt = d.time()
	k.ExpiresAt = d.time()
	k.RevokedAt = d.time()
	return k, d.done("key " + k.ID)
}
