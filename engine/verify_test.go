package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"

	"go.etcd.io/bbolt"
)

// evidence is a closed vault with something of everything, to be tampered with.
type evidence struct {
	dir       string
	head      audit.Head // kept elsewhere
	live      engine.Document
	archived  engine.Document
	gone      engine.Certificate
	user      engine.User // with upload access
	comer     engine.User // through a provider
	key       engine.Key  // works
	revoked   engine.Key
	done      engine.Obligation // of the live document, completed
	open      engine.Obligation // which recurs after it
	held      heldEvidence      // of the live document, and of the one that is gone
	retention retentionEvidence
	client    engine.Client
	webhook   engine.Webhook      // disabled
	seqs      map[audit.Op]uint64 // of the last entry of each kind
}

func newEvidence(t *testing.T) *evidence {
	t.Helper()
	k := enginetest.New(t)
	e := &evidence{dir: k.Dir, seqs: map[audit.Op]uint64{}}
	e.fill(t, k)
	e.close(t, k)
	return e
}

// fill makes something of everything.
func (e *evidence) fill(t *testing.T, k *enginetest.Kit) {
	t.Helper()
	ctx, cond := t.Context(), engine.Condition{}
	var err error
	e.user, _, err = k.CreateUser(ctx, k.Admin, engine.NewUser{Name: "Ulla Upload", Email: "Ulla@example.com", Access: engine.AccessUpload})
	must(t, err)
	e.comer = comerOf(t, k)
	e.key, _, _, err = k.CreateKey(ctx, k.Admin, engine.NewKey{Name: "scanner", UserID: e.user.ID, ExpiresAt: time.Now().Add(time.Hour)})
	must(t, err)
	e.revoked, _, _, err = k.CreateKey(ctx, k.Admin, engine.NewKey{Name: "old", UserID: e.user.ID})
	must(t, err)
	e.revoked, _, err = k.RevokeKey(ctx, k.Admin, e.revoked.ID)
	must(t, err)
	e.retention = newRetentionEvidence(t, k)
	gone := k.Create("gone.txt", "gone for good")
	k.AddText(gone.ID, "gone, second")
	d := k.CreateFrom(engine.NewDocument{Name: "archived.txt", Category: "report"}, "archived")
	e.archived, _, err = k.ArchiveDocument(ctx, k.Admin, d.ID, cond)
	must(t, err)
	k.Define(engine.NumberField, "amount")
	k.Define(engine.BooleanField, "signed")
	k.Define(engine.TextField, "note")
	d = k.CreateFrom(engine.NewDocument{
		Product: "cpq", TemplateID: "t-1", AgreementID: "a-1",
		CustomFields: map[string]any{"amount": -12.5, "signed": true, "note": "as agreed", "renewalDate": "2027-01-31"},
		Name:         "Lease", Category: "contract", OwnerID: e.user.ID, Tags: []string{"client:Acme", "urgent"}, ExternalID: "erp-1", Path: "2024/contracts",
		Version: engine.NewVersion{FileName: "lease.txt", MediaType: "text/plain"},
	}, "first")
	k.AddText(d.ID, "second")
	e.held = newHeldEvidence(t, k, d.ID, gone.ID)
	e.gone, _, err = k.DeleteDocument(ctx, k.Admin, gone.ID, cond)
	must(t, err)
	e.done = oblige(k, d.ID, "Pay rent", "2099-01-31", "monthly")
	e.done, _, err = k.CompleteObligation(ctx, k.Admin, e.done.ID, engine.Condition{}, engine.Completion{Note: "paid", Evidence: &engine.Evidence{DocumentID: d.ID, Version: 1}})
	must(t, err)
	e.open = obligations(k, engine.ObligationQuery{Status: "pending"})[0]
	name := "Lease, signed"
	e.live, _, err = k.UpdateDocument(ctx, k.Admin, d.ID, cond, engine.DocumentPatch{Name: &name})
	must(t, err)
	e.webhook = webhooked(t, k)
	e.client = clientOf(t, k, e.user.ID)
	more := []string{"minutes"}
	_, _, err = k.CreateField(ctx, k.Admin, engine.NewField{Key: "stage", Type: engine.ChoiceField, Choices: []string{"draft", "signed"}, Description: "how far"})
	must(t, err)
	label := "Stage"
	_, _, err = k.UpdateField(ctx, k.Admin, "stage", engine.Condition{}, engine.FieldPatch{Label: &label})
	must(t, err)
	k.Define(engine.TextField, "brief")
	_, _, err = k.DeleteField(ctx, k.Admin, "brief", engine.Condition{}, false)
	must(t, err)
	_, _, err = k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{Categories: &more})
	must(t, err)
}

func (e *evidence) close(t *testing.T, k *enginetest.Kit) {
	t.Helper()
	e.head = k.Head()
	for after, more := uint64(0), true; more; {
		page, err := k.Entries(t.Context(), engine.EntryQuery{Limit: 500, After: after})
		must(t, err)
		for _, entry := range page.Items {
			e.seqs[entry.Op] = entry.Seq
		}
		after, more = page.NextAfter, page.NextAfter != 0
	}
	must(t, k.Close())
	compacted(t, filepath.Join(k.Dir, "rows.db")) // it is written many times
}

// findings opens the vault as it is now and verifies it. An error of either is
// a finding with the code "error".
func findings(dir string, o engine.VerifyOptions) (found []audit.Finding) {
	v, err := engine.Open(dir, engine.Options{ReserveBytes: -1})
	if err != nil {
		return []audit.Finding{{Code: "error", Message: err.Error()}}
	}
	defer v.Close()
	r, err := v.Verify(context.Background(), o)
	if err != nil {
		return append(r.Findings, audit.Finding{Code: "error", Message: err.Error()})
	}
	return r.Findings
}

// tamper is one change made behind the engine's back.
type tamper struct {
	name string
	code audit.Code
	db   func(*bbolt.Tx) error
	file func() error // restored by hand: only the blobs
	opts engine.VerifyOptions
}

func inBucket(name string, fn func(*bbolt.Bucket) error) func(*bbolt.Tx) error {
	return func(b *bbolt.Tx) error { return fn(b.Bucket([]byte(name))) }
}

func put(bucket string, key, value []byte) func(*bbolt.Tx) error {
	return inBucket(bucket, func(b *bbolt.Bucket) error {
		if value == nil {
			value = []byte{}
		}
		return b.Put(key, value)
	})
}

func drop(bucket string, key []byte) func(*bbolt.Tx) error {
	return inBucket(bucket, func(b *bbolt.Bucket) error {
		if b.Get(key) == nil {
			return fmt.Errorf("%s has no %q", bucket, key)
		}
		return b.Delete(key)
	})
}

func edit(bucket string, key []byte, fn func(key, value []byte) []byte) func(*bbolt.Tx) error {
	return inBucket(bucket, func(b *bbolt.Bucket) error {
		was := bytes.Clone(b.Get(key))
		if was == nil {
			return fmt.Errorf("%s has no %q", bucket, key)
		}
		is := fn(key, bytes.Clone(was))
		if bytes.Equal(was, is) {
			return fmt.Errorf("the edit of %s %q changed nothing", bucket, key)
		}
		return b.Put(key, is)
	})
}

func swap(bucket string, a, b []byte) func(*bbolt.Tx) error {
	return inBucket(bucket, func(rows *bbolt.Bucket) error {
		one, other := bytes.Clone(rows.Get(a)), bytes.Clone(rows.Get(b))
		if one == nil || other == nil {
			return fmt.Errorf("%s: nothing to swap", bucket)
		}
		if err := rows.Put(a, other); err != nil {
			return err
		}
		return rows.Put(b, one)
	})
}

func replace(old, new string) func(key, value []byte) []byte {
	return func(_, value []byte) []byte { return bytes.Replace(value, []byte(old), []byte(new), 1) }
}

func (e *evidence) line(op audit.Op) []byte { return engine.SeqKey(e.seqs[op]) }

func (e *evidence) log() []tamper {
	const state, line = engine.CodeState, audit.CodeLine
	last := e.line(audit.OpSettingsUpdated)
	other := e.head
	other.Hash[0] ^= 1
	foreign := e.head
	foreign.Vault = engine.NewID()
	heads := func(h audit.Head) engine.VerifyOptions { return engine.VerifyOptions{Heads: []audit.Head{h}} }
	detail := func(fn func(row []byte) []byte) func(*bbolt.Tx) error {
		return edit("detail", e.line(audit.OpDocumentUpdated), func(_, row []byte) []byte { return fn(row) })
	}
	return []tamper{
		{name: "a letter of a line", code: line, db: edit("log", e.line(audit.OpDocumentCreated), replace(`"owner":"0`, `"owner":"1`))},
		{name: "a letter of the first line", code: line, db: edit("log", engine.SeqKey(1), replace(`"actor":"operator"`, `"actor":"operatos"`))},
		{name: "a line that is no entry", code: line, db: edit("log", e.line(audit.OpKeyRevoked), replace(`"seq"`, `"Seq"`))},
		{name: "a line without its newline", code: line, db: edit("log", e.line(audit.OpKeyRevoked), replace("\n", ""))},
		{name: "a line left out", code: line, db: drop("log", e.line(audit.OpDocumentArchived))},
		{name: "the first line left out", code: line, db: drop("log", engine.SeqKey(1))},
		{name: "two lines swapped", code: line, db: swap("log", engine.SeqKey(4), engine.SeqKey(5))},
		{name: "the last line, with a kept head", code: audit.CodeHead, opts: heads(e.head), db: edit("log", last, replace(`"categories"`, `"auditReads"`))},
		{name: "the tail, with a kept head", code: audit.CodeCutTail, opts: heads(e.head), db: func(b *bbolt.Tx) error {
			if err := drop("detail", last)(b); err != nil {
				return err
			}
			return drop("log", last)(b)
		}},
		{name: "the entry of a change that stands", code: state, db: func(b *bbolt.Tx) error {
			for seq := e.seqs[audit.OpDocumentUpdated]; seq <= e.head.Seq; seq++ {
				b.Bucket([]byte("detail")).Delete(engine.SeqKey(seq))
				b.Bucket([]byte("log")).Delete(engine.SeqKey(seq))
			}
			return nil
		}},
		{name: "a head of another history", code: audit.CodeHead, opts: heads(other)},
		{name: "a head of another vault", code: audit.CodeOtherVault, opts: heads(foreign)},
		{name: "a letter of a detail", code: audit.CodeDetailMismatch, db: detail(func(row []byte) []byte { return bytes.Replace(row, []byte("Lease"), []byte("lease"), 1) })},
		{name: "a salt", code: audit.CodeDetailMismatch, db: detail(func(row []byte) []byte { row[8] ^= 1; return row })},
		{name: "a detail that is no text", code: audit.CodeDetailRow, db: detail(func(row []byte) []byte { row[30] = 0xff; return row })},
		{name: "a detail without its salt", code: audit.CodeDetailMissing, db: detail(func(row []byte) []byte { return row[:8] })},
		{name: "a detail cut short", code: audit.CodeDetailRow, db: detail(func(row []byte) []byte { return row[:12] })},
		{name: "a detail left out", code: audit.CodeDetailMissing, db: drop("detail", last)},
		{name: "a detail too many", code: audit.CodeDetailUnknown, db: put("detail", e.line(audit.OpKeyRevoked), append(make([]byte, 24), `{"a":1}`...))},
		{name: "two details swapped", code: audit.CodeDetailMismatch, db: swap("detail", e.line(audit.OpKeyCreated), e.line(audit.OpUserCreated))},
		{name: "a link to an earlier entry", code: state, db: detail(func(row []byte) []byte { row[7]--; return row })},
		{name: "a link to itself", code: state, db: detail(func(row []byte) []byte { row[7] = byte(e.seqs[audit.OpDocumentUpdated]); return row })},
		{name: "the vault's name", code: state, db: put("meta", []byte("name"), []byte("other"))},
		{name: "when the vault was made", code: state, db: put("meta", []byte("created"), []byte("2001-01-01T00:00:00.000Z"))},
		{name: "the vault's id", code: state, db: put("meta", []byte("vault"), []byte(engine.NewID()))},
	}
}

func (e *evidence) documents() []tamper {
	const state, index = engine.CodeState, engine.CodeIndex
	live, gone := engine.KeyOf(e.live.ID), engine.KeyOf(e.gone.DocumentID)
	document := func(fn func(*engine.Document)) func(*bbolt.Tx) error {
		return edit("documents", live, func(k, b []byte) []byte { return engine.EditDocument(k, b, fn) })
	}
	version := func(number uint64, fn func(*engine.Version)) func(*bbolt.Tx) error {
		return edit("versions", engine.VersionKey(e.live.ID, number), func(k, b []byte) []byte { return engine.EditVersion(k[:16], b, fn) })
	}
	var first []byte
	certificate := func(fn func(*engine.Certificate)) func(*bbolt.Tx) error {
		return edit("certificates", gone, func(k, b []byte) []byte { return engine.EditCertificate(k, b, fn) })
	}
	return []tamper{
		{name: "archived", code: state, db: document(func(d *engine.Document) { d.Archived = true })},
		{name: "restricted", code: state, db: edit("documents", live, func(_, b []byte) []byte { b[len(b)-2] = 1; return b })},
		{name: "its erasure is deferred", code: state, db: edit("documents", live, func(_, b []byte) []byte { b[len(b)-1] = 1; return b })},
		{name: "a tombstone is restricted", code: state, db: edit("documents", gone, func(_, b []byte) []byte { b[len(b)-1] = 1; return b })},
		{name: "unarchived", code: state, db: edit("documents", engine.KeyOf(e.archived.ID), func(k, b []byte) []byte {
			return engine.EditDocument(k, b, func(d *engine.Document) { d.Archived = false })
		})},
		{name: "owner", code: state, db: document(func(d *engine.Document) { d.OwnerID = d.CreatedBy })},
		{name: "revision", code: state, db: document(func(d *engine.Document) { d.Revision++ })},
		{name: "version count", code: state, db: document(func(d *engine.Document) { d.VersionCount-- })},
		{name: "created at", code: state, db: document(func(d *engine.Document) { d.CreatedAt = d.CreatedAt.Add(-time.Hour) })},
		{name: "created by", code: state, db: document(func(d *engine.Document) { d.CreatedBy = e.user.ID })},
		{name: "updated at", code: state, db: document(func(d *engine.Document) { d.UpdatedAt = d.UpdatedAt.Add(-time.Hour) })},
		{name: "updated by", code: state, db: document(func(d *engine.Document) { d.UpdatedBy = e.user.ID })},
		{name: "last entry", code: state, db: document(func(d *engine.Document) { d.AuditSeq-- })},
		{name: "last entry of another", code: state, db: document(func(d *engine.Document) { d.AuditSeq = e.archived.AuditSeq })},
		{name: "another version is current", code: state, db: func(b *bbolt.Tx) error {
			first = bytes.Clone(b.Bucket([]byte("versions")).Get(engine.VersionKey(e.live.ID, 1)))
			return document(func(d *engine.Document) {
				engine.EditVersion(live, first, func(v *engine.Version) { d.Current = v })
			})(b)
		}},
		{name: "the copy of the current version", code: state, db: document(func(d *engine.Document) { d.Current.FileName = "other.txt" })},
		{name: "name", code: state, db: document(func(d *engine.Document) { d.Name = "Sale" })},
		{name: "category", code: state, db: document(func(d *engine.Document) { d.Category = "other" })},
		{name: "description", code: state, db: document(func(d *engine.Document) { d.Description = "what it never said" })},
		{name: "tags", code: state, db: document(func(d *engine.Document) { d.Tags = d.Tags[:1] })},
		{name: "custom fields", code: state, db: document(func(d *engine.Document) { d.CustomFields = map[string]any{"amount": "1"} })},
		{name: "external id", code: state, db: document(func(d *engine.Document) { d.ExternalID = "" })},
		{name: "path", code: state, db: document(func(d *engine.Document) { d.Path = "2024" })},
		{name: "the name of a tombstone", code: state, db: edit("documents", gone, func(k, b []byte) []byte {
			return engine.EditDocument(k, b, func(d *engine.Document) { d.Name = "Sale" })
		})},
		{name: "no name of a tombstone", code: state, db: edit("documents", gone, func(k, b []byte) []byte {
			return engine.EditDocument(k, b, func(d *engine.Document) { d.Name = "" })
		})},
		{name: "product", code: state, db: document(func(d *engine.Document) { d.Product = "p" })},
		{name: "a tombstone comes alive", code: state, db: func(b *bbolt.Tx) error {
			rows := b.Bucket([]byte("documents"))
			return rows.Put(gone, bytes.Clone(rows.Get(live)))
		}},
		{name: "a document becomes a tombstone", code: state, db: func(b *bbolt.Tx) error {
			rows := b.Bucket([]byte("documents"))
			return rows.Put(live, bytes.Clone(rows.Get(gone)))
		}},
		{name: "a tombstone is archived", code: state, db: edit("documents", gone, func(k, b []byte) []byte {
			return engine.EditDocument(k, b, func(d *engine.Document) { d.Archived = true })
		})},
		{name: "no document", code: state, db: drop("documents", live)},
		{name: "no tombstone", code: state, db: drop("documents", gone)},
		{name: "a document nobody made", code: state, db: func(b *bbolt.Tx) error {
			rows := b.Bucket([]byte("documents"))
			return rows.Put(engine.KeyOf(engine.NewID()), bytes.Clone(rows.Get(live)))
		}},
		{name: "a document that cannot be read", code: state, db: put("documents", live, []byte{9, 9})},
		{name: "a document with a short key", code: state, db: put("documents", live[:5], []byte{1})},

		{name: "digest of a version", code: state, db: version(1, func(v *engine.Version) { v.Digest[0] ^= 1 })},
		{name: "size of a version", code: state, db: version(1, func(v *engine.Version) { v.Size++ })},
		{name: "media type of a version", code: state, db: version(1, func(v *engine.Version) { v.MediaType = "text/html" })},
		{name: "file name of a version", code: state, db: version(1, func(v *engine.Version) { v.FileName = "other.txt" })},
		{name: "author of a version", code: state, db: version(1, func(v *engine.Version) { v.CreatedBy = e.user.ID })},
		{name: "time of a version", code: state, db: version(2, func(v *engine.Version) { v.CreatedAt = v.CreatedAt.Add(time.Second) })},
		{name: "number of a version", code: state, db: version(1, func(v *engine.Version) { v.Number = 2 })},
		{name: "chain of a version", code: state, db: version(2, func(v *engine.Version) { v.Chain[31] ^= 1 })},
		{name: "previous chain of a version", code: state, db: version(2, func(v *engine.Version) { v.PreviousChain[0] ^= 1 })},
		{name: "two versions swapped", code: state, db: swap("versions", engine.VersionKey(e.live.ID, 1), engine.VersionKey(e.live.ID, 2))},
		{name: "no version", code: state, db: drop("versions", engine.VersionKey(e.live.ID, 1))},
		{name: "a version too many", code: state, db: put("versions", engine.VersionKey(e.live.ID, 3), []byte{1})},
		{name: "a version of no document", code: state, db: put("versions", engine.VersionKey(engine.NewID(), 1), []byte{1})},
		{name: "a version of a deleted document", code: state, db: put("versions", engine.VersionKey(e.gone.DocumentID, 1), []byte{1})},
		{name: "a version with a short key", code: state, db: put("versions", live[:7], []byte{1})},

		{name: "no external id", code: index, db: drop("externals", []byte("erp-1"))},
		{name: "an external id of another", code: index, db: put("externals", []byte("erp-1"), engine.KeyOf(e.archived.ID))},
		{name: "an external id of nothing", code: index, db: put("externals", []byte("erp-2"), engine.KeyOf(engine.NewID()))},
		{name: "an external id without document", code: index, db: put("externals", []byte("erp-2"), nil)},
		{name: "no reference", code: index, db: drop("refs", engine.RefKey(e.live.Current.Digest, e.live.ID, 2))},
		{name: "a reference too many", code: index, db: put("refs", engine.RefKey(e.live.Current.Digest, e.live.ID, 1), nil)},
		{name: "a reference of no document", code: index, db: put("refs", engine.RefKey(e.live.Current.Digest, engine.NewID(), 1), nil)},
		{name: "a reference with a short key", code: index, db: put("refs", live, nil)},

		{name: "certificate: digest", code: state, db: certificate(func(c *engine.Certificate) { c.Versions[0].Digest[0] ^= 1 })},
		{name: "certificate: size", code: state, db: certificate(func(c *engine.Certificate) { c.Versions[1].Size++ })},
		{name: "certificate: a version less", code: state, db: certificate(func(c *engine.Certificate) { c.Versions = c.Versions[:1] })},
		{name: "certificate: by", code: state, db: certificate(func(c *engine.Certificate) { c.DeletedBy = e.user.ID })},
		{name: "certificate: at", code: state, db: certificate(func(c *engine.Certificate) { c.DeletedAt = c.DeletedAt.Add(time.Minute) })},
		{name: "certificate: right", code: state, db: certificate(func(c *engine.Certificate) { c.Right = "erasure" })},
		{name: "certificate: erasure", code: state, db: certificate(func(c *engine.Certificate) { c.ErasureID = engine.NewID() })},
		{name: "certificate: policy", code: state, db: certificate(func(c *engine.Certificate) { c.PolicyID = engine.NewID() })},
		{name: "certificate: entry", code: state, db: certificate(func(c *engine.Certificate) { c.AuditSeq-- })},
		{name: "certificate: no entry", code: state, db: certificate(func(c *engine.Certificate) { c.AuditSeq = 1 << 40 })},
		{name: "no certificate", code: state, db: drop("certificates", gone)},
		{name: "a certificate of a live document", code: state, db: func(b *bbolt.Tx) error {
			rows := b.Bucket([]byte("certificates"))
			return rows.Put(live, bytes.Clone(rows.Get(gone)))
		}},
		{name: "a certificate that cannot be read", code: state, db: put("certificates", gone, []byte{9})},
		{name: "a certificate with a short key", code: state, db: put("certificates", gone[:3], []byte{9})},
	}
}

// indexTampers drops every index row of one document, and adds one of each kind.
func (e *evidence) index(t *testing.T) (list []tamper) {
	live := engine.KeyOf(e.live.ID)
	kinds := map[byte]bool{}
	db, err := bbolt.Open(filepath.Join(e.dir, "rows.db"), 0o600, &bbolt.Options{ReadOnly: true})
	must(t, err)
	defer db.Close()
	must(t, db.View(func(b *bbolt.Tx) error {
		return b.Bucket([]byte("index")).ForEach(func(k, _ []byte) error {
			if !bytes.HasSuffix(k, live) {
				return nil
			}
			kinds[k[0]] = true
			row := bytes.Clone(k)
			list = append(list, tamper{name: fmt.Sprintf("no row %q", k[:len(k)-16]), code: engine.CodeIndex, db: drop("index", row)})
			for who, doc := range map[string]string{"an archived": e.archived.ID, "a deleted": e.gone.DocumentID, "no": engine.NewID()} {
				more := append(bytes.Clone(row[:len(row)-16]), engine.KeyOf(doc)...)
				list = append(list, tamper{name: fmt.Sprintf("the row %q of %s document", k[:len(k)-16], who), code: engine.CodeIndex, db: put("index", more, nil)})
			}
			more := slices.Insert(bytes.Clone(row), 1, 'x')
			list = append(list, tamper{name: fmt.Sprintf("a second row like %q", k[:len(k)-16]), code: engine.CodeIndex, db: put("index", more, nil)})
			return nil
		})
	}))
	if len(kinds) != 12 {
		t.Errorf("the document has rows of the kinds %v", kinds)
	}
	return append(list, tamper{name: "a short row", code: engine.CodeIndex, db: put("index", []byte("sl"), nil)})
}

func (e *evidence) people() []tamper {
	const state, index = engine.CodeState, engine.CodeIndex
	user, key := engine.KeyOf(e.user.ID), engine.KeyOf(e.key.ID)
	field := func(fn func(*engine.Field)) func(*bbolt.Tx) error {
		return edit("fields", []byte("stage"), func(k, b []byte) []byte { return engine.EditField(k, b, fn) })
	}
	account := func(fn func(*engine.User)) func(*bbolt.Tx) error {
		return edit("users", user, func(k, b []byte) []byte { return engine.EditUser(k, b, fn) })
	}
	apiKey := func(at string, fn func(*engine.Key)) func(*bbolt.Tx) error {
		return edit("keys", engine.KeyOf(at), func(k, b []byte) []byte { return engine.EditKey(k, b, fn) })
	}
	return []tamper{
		{name: "access of a user", code: state, db: account(func(u *engine.User) { u.Access = engine.AccessAdmin })},
		{name: "status of a user", code: state, db: account(func(u *engine.User) { u.Status = engine.UserClosed })},
		{name: "locking by a user", code: state, db: account(func(u *engine.User) { u.CanLockEnvelopes = false })},
		{name: "name of a user", code: state, db: account(func(u *engine.User) { u.Name = "Somebody Else" })},
		{name: "e-mail of a user", code: index, db: account(func(u *engine.User) { u.Email = "other@example.com" })},
		{name: "revision of a user", code: state, db: account(func(u *engine.User) { u.Revision++ })},
		{name: "a user is made at another time", code: state, db: account(func(u *engine.User) { u.CreatedAt = u.CreatedAt.Add(-time.Hour) })},
		{name: "no user", code: state, db: drop("users", user)},
		{name: "a user nobody made", code: state, db: func(b *bbolt.Tx) error {
			rows := b.Bucket([]byte("users"))
			return rows.Put(engine.KeyOf(engine.NewID()), bytes.Clone(rows.Get(user)))
		}},
		{name: "a user that cannot be read", code: state, db: put("users", user, []byte{9})},
		{name: "a user with a short key", code: state, db: put("users", user[:9], []byte{9})},
		{name: "no e-mail row", code: index, db: drop("emails", []byte("ulla@example.com"))},
		{name: "an e-mail row of another", code: index, db: put("emails", []byte("ulla@example.com"), key)},
		{name: "an e-mail row too many", code: index, db: put("emails", []byte("else@example.com"), user)},
		{name: "an e-mail row of nobody", code: index, db: put("emails", []byte("else@example.com"), nil)},

		{name: "a key is no longer revoked", code: state, db: apiKey(e.revoked.ID, func(k *engine.Key) { k.RevokedAt = time.Time{} })},
		{name: "a key is revoked", code: state, db: apiKey(e.key.ID, func(k *engine.Key) { k.RevokedAt = k.CreatedAt })},
		{name: "a key is revoked at another time", code: state, db: apiKey(e.revoked.ID, func(k *engine.Key) { k.RevokedAt = k.RevokedAt.Add(time.Hour) })},
		{name: "a key has more access", code: state, db: apiKey(e.key.ID, func(k *engine.Key) { k.Access = engine.AccessAdmin })},
		{name: "a key expires later", code: state, db: apiKey(e.key.ID, func(k *engine.Key) { k.ExpiresAt = k.ExpiresAt.Add(time.Hour) })},
		{name: "a key is another's", code: state, db: apiKey(e.key.ID, func(k *engine.Key) { k.UserID = e.live.CreatedBy })},
		{name: "name of a key", code: state, db: apiKey(e.key.ID, func(k *engine.Key) { k.Name = "printer" })},
		{name: "a key is made at another time", code: state, db: apiKey(e.key.ID, func(k *engine.Key) { k.CreatedAt = k.CreatedAt.Add(-time.Hour) })},
		{name: "a key has the secret of another", code: state, db: func(b *bbolt.Tx) error {
			known := b.Bucket([]byte("keys")).Get(engine.KeyOf(e.revoked.ID))
			return edit("keys", key, func(_, value []byte) []byte { return append(bytes.Clone(known[:33]), value[33:]...) })(b)
		}},
		{name: "no key", code: state, db: drop("keys", key)},
		{name: "a key nobody made", code: state, db: func(b *bbolt.Tx) error {
			rows := b.Bucket([]byte("keys"))
			return rows.Put(engine.KeyOf(engine.NewID()), bytes.Clone(rows.Get(key)))
		}},
		{name: "a key that cannot be read", code: state, db: put("keys", key, []byte{1, 2})},
		{name: "a key with a short key", code: state, db: put("keys", key[:2], []byte{1, 2})},

		{name: "label of a field", code: state, db: field(func(f *engine.Field) { f.Label = "Stadium" })},
		{name: "type of a field", code: state, db: field(func(f *engine.Field) { f.Type = engine.TextField })},
		{name: "choices of a field", code: state, db: field(func(f *engine.Field) { f.Choices = f.Choices[:1] })},
		{name: "a field is required", code: state, db: field(func(f *engine.Field) { f.Required = true })},
		{name: "description of a field", code: state, db: field(func(f *engine.Field) { f.Description = "" })},
		{name: "a field is made at another time", code: state, db: field(func(f *engine.Field) { f.CreatedAt = f.CreatedAt.Add(-time.Hour) })},
		{name: "a field is changed at another time", code: state, db: field(func(f *engine.Field) { f.UpdatedAt = f.UpdatedAt.Add(time.Hour) })},
		{name: "revision of a field", code: state, db: field(func(f *engine.Field) { f.Revision++ })},
		{name: "no field", code: state, db: drop("fields", []byte("stage"))},
		{name: "no first field", code: state, db: drop("fields", []byte("renewalDate"))},
		{name: "a field that was deleted", code: state, db: func(b *bbolt.Tx) error {
			rows := b.Bucket([]byte("fields"))
			return rows.Put([]byte("brief"), bytes.Clone(rows.Get([]byte("note"))))
		}},
		{name: "a field that cannot be read", code: state, db: put("fields", []byte("stage"), []byte{9})},

		{name: "settings", code: state, db: edit("settings", []byte("settings"), replace("minutes", "minutos"))},
		{name: "another time zone", code: state, db: edit("settings", []byte("settings"), replace("UTC", "EST"))},
		{name: "another number of versions", code: state, db: edit("settings", []byte("settings"), replace("en\x90N", "en\x91N"))},
		{name: "no settings", code: state, db: drop("settings", []byte("settings"))},
		{name: "settings that cannot be read", code: state, db: put("settings", []byte("settings"), []byte{9})},
	}
}

func (e *evidence) blobs() []tamper {
	hex := e.live.Current.Digest.Hex()
	path := filepath.Join(e.dir, "blobs", "sha256", hex[:2], hex)
	write := func(text string) func() error { return func() error { return os.WriteFile(path, []byte(text), 0o600) } }
	all := engine.VerifyOptions{Bytes: true}
	return []tamper{
		{name: "no blob", code: engine.CodeBlob, file: func() error { return os.Remove(path) }},
		{name: "a blob cut short", code: engine.CodeBlob, file: write("seco")},
		{name: "a blob grown", code: engine.CodeBlob, file: write("second, and more")},
		{name: "another byte in a blob", code: engine.CodeBlob, file: write("sekond"), opts: all},
		{name: "a blob that is a directory", code: engine.CodeBlob, opts: all, file: func() error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.Mkdir(path, 0o700)
		}},
	}
}

func TestVerifyFindsTampering(t *testing.T) {
	t.Parallel()
	findsTampering(t, newEvidence(t), 1)
}

// TestVerifyFindsTamperingAmongMany: a larger vault is divided among the cores. It
// tries each seventh tamper.
func TestVerifyFindsTamperingAmongMany(t *testing.T) {
	if testing.Short() {
		t.Skip("some sixty verifications of a larger vault")
	}
	t.Parallel()
	k := enginetest.New(t)
	must(t, k.Fill(t.Context(), k.Admin, 600, k.Upload("one of many"), func(i int) engine.NewDocument {
		return engine.NewDocument{Name: fmt.Sprint("one of many ", i), Category: "other", OwnerID: k.Admin.UserID, ExternalID: fmt.Sprint("many-", i), Tags: []string{"many"}}
	}))
	e := &evidence{dir: k.Dir, seqs: map[audit.Op]uint64{}}
	e.fill(t, k)
	e.close(t, k)
	findsTampering(t, e, 7)
}

// findsTampering tries one in so many of the tampers.
func findsTampering(t *testing.T, e *evidence, each int) {
	t.Helper()
	db := filepath.Join(e.dir, "rows.db")
	good := readFile(t, db)
	for _, o := range []engine.VerifyOptions{{}, {Bytes: true}, {Heads: []audit.Head{e.head}}} {
		if found := findings(e.dir, o); len(found) > 0 {
			t.Fatalf("unspoilt: %v", found)
		}
	}
	blob := e.live.Current.Digest.Hex()
	blob = filepath.Join(e.dir, "blobs", "sha256", blob[:2], blob)
	bytesOfBlob := readFile(t, blob)
	for i, c := range slices.Concat(e.log(), e.documents(), e.index(t), e.people(), e.comers(), e.obligations(t), e.holdTampers(t), e.retentionTampers(t), e.webhooks(), e.clients(t), e.blobs()) {
		if i%each != 0 {
			continue
		}
		if c.db != nil {
			spoil(t, e.dir, c.db)
		}
		if c.file != nil {
			must(t, c.file())
		}
		found := findings(e.dir, c.opts)
		if !slices.ContainsFunc(found, func(f audit.Finding) bool { return f.Code == c.code }) {
			t.Errorf("%s: want a finding %q, got %v", c.name, c.code, found)
		}
		must(t, os.WriteFile(db, good, 0o600))
		must(t, os.RemoveAll(blob))
		must(t, os.WriteFile(blob, bytesOfBlob, 0o600))
	}
	if found := findings(e.dir, engine.VerifyOptions{Bytes: true, Heads: []audit.Head{e.head}}); len(found) > 0 {
		t.Fatalf("mended: %v", found)
	}
}

func TestVerifyNamesEachOfSeveralFindings(t *testing.T) {
	t.Parallel()
	e := newEvidence(t)
	good := readFile(t, filepath.Join(e.dir, "rows.db"))
	spoil(t, e.dir, func(b *bbolt.Tx) error {
		return errors.Join(
			drop("externals", []byte("erp-1"))(b), drop("emails", []byte("ulla@example.com"))(b),
			drop("users", engine.KeyOf(e.user.ID))(b), drop("refs", engine.RefKey(e.live.Current.Digest, e.live.ID, 2))(b),
		)
	})
	var said []string
	for _, f := range findings(e.dir, engine.VerifyOptions{}) {
		said = append(said, f.Message)
	}
	all := strings.Join(said, "\n")
	for _, want := range []string{`"erp-1"`, e.user.ID, "version 2 has no reference"} {
		if !strings.Contains(all, want) {
			t.Errorf("no finding names %s:\n%s", want, all)
		}
	}
	must(t, os.WriteFile(filepath.Join(e.dir, "rows.db"), good, 0o600))
}
