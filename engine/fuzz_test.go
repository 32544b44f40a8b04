package engine

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"strongroom/engine/internal/store"
)

// records are decoders with their encoders. Each returns what it read, and
// that written again.
var records = map[string]func([]byte) (value any, again []byte, err error){
	"document": func(b []byte) (any, []byte, error) {
		d, err := decodeDocument(id{}, b)
		if err != nil {
			return nil, nil, err
		}
		return d, d.encode(), nil
	},
	"version": func(b []byte) (any, []byte, error) {
		v, err := decodeVersion(id{}, b)
		if err != nil {
			return nil, nil, err
		}
		return v, encodeVersion(v), nil
	},
	"user": func(b []byte) (any, []byte, error) { u, err := decodeUser(id{}, b); return u, u.encode(), err },
	"key": func(b []byte) (any, []byte, error) {
		k, err := decodeKey(id{}, b)
		if err != nil {
			return nil, nil, err
		}
		return k, k.encode(), nil
	},
	"client": func(b []byte) (any, []byte, error) {
		c, err := decodeClient(id{}, b)
		if err != nil {
			return nil, nil, err
		}
		return c, c.encode(), nil
	},
	"certificate": func(b []byte) (any, []byte, error) {
		c, err := decodeCertificate(id{}, b)
		return c, c.encode(), err
	},
	"obligation": func(b []byte) (any, []byte, error) {
		o, err := decodeObligation(id{}, b)
		if err != nil {
			return nil, nil, err
		}
		return o, o.encode(), nil
	},
	"hold": func(b []byte) (any, []byte, error) {
		h, err := decodeHold(id{}, b)
		if err != nil {
			return nil, nil, err
		}
		return h, h.encode(), nil
	},
	"matter": func(b []byte) (any, []byte, error) {
		m, err := decodeMatter(nil, b)
		if err != nil {
			return nil, nil, err
		}
		return m, m.encode(), nil
	},
	"field": func(b []byte) (any, []byte, error) {
		f, err := decodeField(nil, b)
		return f, f.encode(), err
	},
	"settings": func(b []byte) (any, []byte, error) {
		if b == nil { // was never set
			return nil, nil, errDamaged
		}
		s, err := decodeSettings(b)
		return s, s.encode(), err
	},
	"erasure": func(b []byte) (any, []byte, error) {
		e, err := decodeErasure(id{}, b)
		if err != nil {
			return nil, nil, err
		}
		return e, e.encode(), nil
	},
	"draft": func(b []byte) (any, []byte, error) {
		if b == nil { // there is none
			return nil, nil, errDamaged
		}
		pad, err := decodeScratchpad(b)
		if err != nil {
			return nil, nil, err
		}
		return pad, pad.encode(), nil
	},
	"erasing": func(b []byte) (any, []byte, error) { r, err := decodeErasing(b); return r, r.encode(), err },
	"detail":  func(b []byte) (any, []byte, error) { r, err := store.DecodeDetail(b); return r, r.Encode(), err },
}

// FuzzRecords: no bytes make a decoder panic, and what it reads is what is
// read again after it was written.
func FuzzRecords(f *testing.F) {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	ver := &Version{Number: 2, Size: 7, MediaType: "text/plain", FileName: "a.txt", CreatedAt: at, CreatedBy: NewID(), Discarded: true}
	doc := &document{Document: Document{
		Name: "Lease", Category: "contract", Tags: []string{"a", "b:c"}, Revision: 3, VersionCount: 2, AuditSeq: 9, CreatedAt: at, UpdatedAt: at, Path: "2024/contracts",
		CustomFields: map[string]any{"yes": true, "no": false, "text": "x", "day": "2026-02-28", "number": json.Number("-1.5")}, Current: ver, ExternalID: "e",
	}, holds: []matterHolds{{"", 1}, {"Acme", 0}, {"Bolt", 2}}}
	date, _ := ParseDue("2026-02-28")
	anchor, _ := ParseDue("2026-01-31")
	duty := &obligation{anchor: anchor, next: NewID(), reminded: 7, Obligation: Obligation{
		Title: "Pay", DueDate: date, OwnerID: NewID(), Recurrence: "monthly", CompletedAt: at, Evidence: &Evidence{NewID(), 2}, Revision: 2,
	}}
	doc.password = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzYWx0$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	doc.EditProtected = true
	pad := &scratchpad{Base: 3, Ends: at, Changes: []pendingChange{
		{At: at, Patch: &DocumentPatch{
			Name: new("n"), Description: new(""), Path: new("a/b"), Tags: new([]string{"a"}), RemoveTags: []string{"b"},
			CustomFields: map[string]any{"yes": true, "gone": nil, "number": json.Number("1")}, ClearCustomFields: true,
		}},
		{At: at, Version: &NewVersion{MediaType: "text/plain", FileName: "a.txt", Comment: "c", Label: "l"}, Size: 7, Restored: 1, Ref: draftRef(9)},
		{At: at, Patch: &DocumentPatch{Tags: new([]string(nil))}},
	}}
	tombstone := &document{deleted: true, Document: Document{Name: "Lease", Revision: 4, CreatedAt: at}}
	cert := &Certificate{DeletedAt: at, Right: "manual", AuditSeq: 3, Versions: []CertifiedVersion{{Number: 1, Size: 2}}}
	for _, seed := range [][]byte{
		nil, {}, {1}, {2}, {1, 0xff}, doc.encode(), tombstone.encode(), duty.encode(), encodeVersion(ver), cert.encode(),
		(&hold{Hold: Hold{DocumentID: NewID(), Reason: "litigation", Matter: "Acme", PlacedAt: at, ReleasedAt: at, ReleasedBy: NewID()}}).encode(),
		(&matter{Matter: Matter{Active: 1, Released: 2, Documents: 3, FirstPlacedAt: at}, seq: 9}).encode(),
		(&User{Name: "Ana", Email: "a@b", Access: AccessAdmin, Status: UserActive, CreatedAt: at, Revision: 1}).encode(),
		(&key{Key: Key{Name: "k", Access: AccessView, CreatedAt: at, ExpiresAt: at}}).encode(),
		(&client{der: []byte("key"), secret: [32]byte{1}, Client: Client{
			Name: "app", Grants: []Grant{GrantClientCredentials, GrantJWTBearer}, Access: AccessUpload, UserID: someUser, Impersonates: true,
			RedirectURIs: []string{"https://a/b"}, HasSecret: true, CreatedAt: at, Status: ClientActive, Revision: 2,
		}}).encode(),
		(&client{Client: Client{Grants: []Grant{GrantAuthorizationCode}, Status: ClientClosed}}).encode(),
		(&Settings{Categories: []string{"minutes"}, AuditReads: true, TimeZone: "UTC", ReminderDays: []uint64{30, 1}, Paused: true, Revision: 2}).encode(),
		(&Field{Label: "Kind", Type: ChoiceField, Choices: []string{"a", "b"}, Required: true, CreatedAt: at, Revision: 2}).encode(),
		store.DetailRow{Prev: 7, Salt: make([]byte, store.SaltSize), Detail: []byte("{}")}.Encode(), store.DetailRow{Prev: 7}.Encode(),
		pad.encode(), (&scratchpad{}).encode(),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		sameStanding(t, b)
		sameMandate(t, b)
		for name, record := range records {
			value, again, err := record(bytes.Clone(b))
			if err != nil {
				continue
			}
			second, _, err := record(again)
			if err != nil || !reflect.DeepEqual(value, second) {
				t.Errorf("%s %x: read %+v, written and read again %+v, %v", name, b, value, second, err)
			}
			// A glance at a document sees what reading it does.
			g, failed := glanceAt(b)
			d, err := decodeDocument(id{}, b)
			if err != nil {
				return
			}
			if failed != nil || g.updatedAt != d.UpdatedAt || string(g.name) != d.Name || g.row("none of them") != fieldRow(d.CustomFields["none of them"]) {
				t.Errorf("%x: %+v, %v, but it is %+v", b, g, failed, d)
			}
			for key, value := range d.CustomFields {
				if got := g.row(key); got != fieldRow(value) {
					t.Errorf("%x: %s is %q, but it is %v", b, key, got, value)
				}
			}
		}
	})
}

const someUser = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

// sameStanding: what is read of a user with each request is what all of it says.
func sameStanding(t *testing.T, b []byte) {
	s, err := decodeStanding(id{}, b)
	u, all := decodeUser(id{}, b)
	if (err == nil) != (all == nil) || err == nil && s != (standing{u.Status == UserActive, u.Access, u.Provided, u.SeenAt}) {
		t.Errorf("%x: stands as %+v, %v, but is %+v, %v", b, s, err, u, all)
	}
}

// sameMandate is sameStanding for a client.
func sameMandate(t *testing.T, b []byte) {
	c, all := decodeClient(id{}, b)
	for _, by := range append([]Grant{"", "none of them"}, grants...) {
		for _, user := range []string{someUser, "another"} {
			m, err := decodeMandate(id{}, b, by, user)
			if (err == nil) != (all == nil) {
				t.Errorf("%x: read in part %v, and as a whole %v", b, err, all)
			}
			if err != nil {
				continue
			}
			itself := c.UserID == user
			want := mandate{active: c.Status == ClientActive, access: c.Access, impersonates: c.Impersonates && !itself}
			switch has := slices.Contains(c.Grants, by); by {
			case "":
				want.permits = true
			case GrantClientCredentials:
				want.permits = has && itself
			case GrantJWTBearer:
				want.permits = has && (itself || c.Impersonates)
			default:
				want.permits = has
			}
			if m != want {
				t.Errorf("%x: %q for %s may %+v, but is %+v", b, by, user, m, c)
			}
		}
	}
}

// FuzzDraftOfFormat2: what a scratchpad of format 2 becomes can be read.
func FuzzDraftOfFormat2(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "null", `{"Base":1,"Ends":"2000-01-01T00:30:00Z","Changes":[{"Patch":{"Name":"n","Tags":[],"AddTags":null,"CustomFields":{"a":-12.50,"b":null,"c":[1]}},"At":"2000-01-01T00:00:00Z"}]}`,
		`{"Changes":[{"Version":{"MediaType":"text/plain"},"Digest":"sha256:480c2336b410f1ad5f8bf1b28944490255804b65350c527787e74ebdd511e3a4","Size":7,"Ref":9223372036854775830,"At":"2000-01-01T00:00:00Z"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		record := scratchpadOfFormat2(nil, b)
		if record == nil {
			return
		}
		pad, err := decodeScratchpad(record)
		if err != nil || !bytes.Equal(pad.encode(), record) {
			t.Errorf("%s becomes %x, read as %+v, %v", b, record, pad, err)
		}
	})
}

// FuzzCursor: a cursor that is accepted is one that would be given.
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{"", "x", "AAAA", store.EncodePlace(listName, []byte("name")), store.EncodePlace(listUsers, make([]byte, 16)), "VQ", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		for _, list := range []byte{listUsers, listKeys, listVersions, listCreated, listUpdated, listName, listDue, listHolds, listMatters} {
			place, err := decodeCursor(list, cursor)
			if err != nil || place == nil {
				continue
			}
			again, err := decodeCursor(list, store.EncodePlace(list, place))
			if err != nil || !bytes.Equal(again, place) {
				t.Errorf("%c %q: %x, again %x, %v", list, cursor, place, again, err)
			}
		}
	})
}

// FuzzParseID: both spellings of an id, in either case, are the same id.
func FuzzParseID(f *testing.F) {
	for _, seed := range []string{"", NewID(), strings.ToLower(NewID()), "01a1ffac-addc-a324-f587-5cb3f52fb812", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", strings.Repeat("-", 36), strings.Repeat("0", 36)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		i, ok := store.ParseID(s)
		if !ok {
			return
		}
		h := hex.EncodeToString(i[:])
		for _, spelled := range []string{i.String(), strings.ToLower(i.String()), h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]} {
			for _, cased := range []string{spelled, strings.ToUpper(spelled)} {
				if again, ok := store.ParseID(cased); !ok || again != i {
					t.Errorf("%q is %s, %q is %s", s, i, cased, again)
				}
			}
		}
	})
}

// FuzzDue: what is accepted is spelled one way, and an index gives it back.
func FuzzDue(f *testing.F) {
	for _, seed := range []string{"", "2026-11-30", "1970-01-01", "9999-12-31", "2026-11-30T17:00:00.5+01:00", "9999-12-31T23:59:59.999Z", "2026-02-30"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDue(s)
		if err != nil {
			return
		}
		again, err := ParseDue(d.String())
		if err != nil || again != d || dueAt([]byte(d.place())) != d || d.IsZero() {
			t.Errorf("%q is %s, read again %s, %v", s, d, again, err)
		}
		for _, zone := range []*time.Location{time.UTC, time.FixedZone("east", 14*3600), time.FixedZone("west", -12*3600)} {
			if d.starts(zone).After(d.last(zone)) || d.reminder(1, zone).After(d.ends(zone)) {
				t.Errorf("%s in %s", d, zone)
			}
			if next, ok := d.recurs(d, 1, zone); ok && !next.at.After(d.at) {
				t.Errorf("%s recurs at %s", d, next)
			}
		}
	})
}
