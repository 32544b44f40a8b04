package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"strongroom/engine/internal/check"
	"strongroom/engine/internal/store"

	"github.com/oklog/ulid/v2"
)

// formatVersion is the format of rows.db this package writes. A higher one is
// refused at open; a lower one is migrated.
const formatVersion = 4

// The buckets of rows.db. Every key in it is built in this file, every value
// in an encoding file.
//
//	meta        format, vault, name, created      what the vault is
//	            doubt                             the time of the last entry before the clock was doubted, while it is
//	            signer                            the verifier key of what checkpoints are signed with, if any is
//	            signed                            the last checkpoint: the verifier key of who signed, and the note
//	log         seq                               the exact line of an entry
//	detail      seq                               previous seq of the document ‖ salt ‖ detail
//	documents   document                          document with its current version, or its tombstone
//	versions    document ‖ number                 version; of a deleted document: until it is cleared
//	refs        digest ‖ document ‖ number        empty: this version needs these bytes; see draftRef and textRef
//	index       kind ‖ value ‖ document           empty: see indexRows
//	externals   externalId                        document
//	certificates document                         deletion certificate
//	users       user                              user
//	emails      e-mail, folded                    user
//	identities  issuer ‖ NUL ‖ subject            user
//	keys        key                               API key with the hash of its secret
//	clients     client                            client with the hash of its secret and its public key
//	fields      key of a field                    its definition
//	settings    "settings"                        settings
//	snapshots   document                          the document as it was when it was locked
//	drafts      document ‖ user, 26 characters    the scratchpad of that user
//	obligations obligation                        obligation
//	dues        kind ‖ value ‖ due ‖ obligation   empty: see dueRows
//	holds       hold                              legal hold, of a deleted document too
//	holdrows    kind ‖ value ‖ state ‖ hold       empty: see holdRows
//	matters     matter                            what its holds add up to
//	webhooks    webhook                           webhook with the secrets it signs with
//	policies    policy                            retention policy
//	scopes      scope ‖ target ‖ policy           empty: see policyRows
//	kinds       kind of start                     how far it is indexed
//	starts      kind ‖ group ‖ start ‖ document   empty: see startRows
//	runs        run                               run of retention
//	erasures    erasure                           what was asked for, and how far it has come
//	erasing     erasure ‖ document or user        what is left to be done there
//	erased      erasure ‖ document or user        seq of its last erasure.completed
//
// The first three are the store's, which makes one of its own for a while when it
// overwrites freed pages.
//
// document, user, key, client, obligation, hold, policy, run, erasure, webhook: 16 bytes; seq, number: 8 bytes, big-endian.
var (
	bucketMeta         = store.Meta
	bucketLog          = store.Log
	bucketDetail       = store.Detail
	bucketDocuments    = []byte("documents")
	bucketVersions     = []byte("versions")
	bucketRefs         = []byte("refs")
	bucketIndex        = []byte("index")
	bucketExternals    = []byte("externals")
	bucketCertificates = []byte("certificates")
	bucketUsers        = []byte("users")
	bucketEmails       = []byte("emails")
	bucketIdentities   = []byte("identities")
	bucketKeys         = []byte("keys")
	bucketClients      = []byte("clients")
	bucketFields       = []byte("fields")
	bucketSettings     = []byte("settings")
	bucketSnapshots    = []byte("snapshots")
	bucketDrafts       = []byte("drafts")
	bucketObligations  = []byte("obligations")
	bucketDues         = []byte("dues")
	bucketHolds        = []byte("holds")
	bucketHoldRows     = []byte("holdrows")
	bucketMatters      = []byte("matters")
	bucketWebhooks     = []byte("webhooks")
	bucketPolicies     = []byte("policies")
	bucketScopes       = []byte("scopes")
	bucketKinds        = []byte("kinds")
	bucketStarts       = []byte("starts")
	bucketRuns         = []byte("runs")
	bucketErasures     = []byte("erasures")
	bucketErasing      = []byte("erasing")
	bucketErased       = []byte("erased")
	bucketApprovals    = []byte("approvals")
)

// schema is what the store is told of them.
func (v *Vault) schema() store.Schema {
	m := &migration{v: v}
	return store.Schema{
		Format: formatVersion, Buckets: bucketsOf, Derived: [][]byte{bucketKinds, bucketStarts},
		Cleared: [][]byte{bucketVersions, bucketRefs},
		Migrate: m.begin, Migrated: m.goOn,
	}
}

// bucketsOf are those of a format up to this version's, but for the store's own.
func bucketsOf(format int) [][]byte {
	names := [][]byte{
		bucketDocuments, bucketVersions, bucketRefs, bucketIndex,
		bucketExternals, bucketCertificates, bucketUsers, bucketEmails, bucketKeys, bucketFields, bucketSettings,
		bucketSnapshots, bucketDrafts, bucketObligations, bucketDues,
	}
	if format >= 2 {
		names = append(names, bucketHolds, bucketHoldRows, bucketMatters, bucketWebhooks)
		names = append(names, bucketPolicies, bucketScopes, bucketKinds, bucketStarts, bucketRuns)
		names = append(names, bucketErasures, bucketErasing, bucketErased)
	}
	if format >= 3 {
		names = append(names, bucketClients, bucketIdentities, bucketApprovals)
	}
	return names
}

var (
	metaName    = []byte("name")
	metaCreated = []byte("created")
	metaDoubt   = []byte("doubt")
	metaSigner  = []byte("signer")
	metaSecond  = []byte("mldsa")
	metaSigned  = []byte("signed")
	settingsKey = []byte("settings")
)

func versionKey(doc id, number uint64) []byte {
	return binary.BigEndian.AppendUint64(doc[:], number)
}

func refKey(d Digest, doc id, number uint64) []byte {
	return append(d[:], versionKey(doc, number)...)
}

func scratchpadKey(doc id, userID string) []byte { return append(doc[:], userID...) }

// erasureKey is that of a document, or of a user, in an erasure.
func erasureKey(erasure, subject id) []byte { return append(erasure[:], subject[:]...) }

// emailKey folds an address: in lower case and NFC.
func emailKey(email string) []byte { return []byte(check.NFC(strings.ToLower(check.NFC(email)))) }

func externalKey(externalID string) []byte { return []byte(check.NFC(externalID)) }

// emailKeys and externalKeys are those a text may stand under. What was stored
// before NFC was asked for stands as it was given, if another had its place when the
// vault was migrated.
func emailKeys(email string) [][]byte {
	return keysOf(emailKey(email), []byte(strings.ToLower(email)))
}

func externalKeys(externalID string) [][]byte {
	return keysOf(externalKey(externalID), []byte(externalID))
}

func keysOf(composed, given []byte) [][]byte {
	if bytes.Equal(composed, given) {
		return [][]byte{composed}
	}
	return [][]byte{composed, given}
}

// lookUp returns what the first of these keys leads to; nil if none leads anywhere.
func (t *tx) lookUp(bucket []byte, keys [][]byte) (of []byte) {
	for _, key := range keys {
		if of = t.Get(bucket, key); of != nil {
			return of
		}
	}
	return nil
}

func (t *tx) leadsTo(bucket []byte, keys [][]byte, of id) bool {
	return slices.ContainsFunc(keys, func(key []byte) bool { return bytes.Equal(t.Get(bucket, key), of[:]) })
}

// unlink deletes those of the keys that lead there.
func (t *tx) unlink(bucket []byte, keys [][]byte, of id) {
	for _, key := range keys {
		if bytes.Equal(t.Get(bucket, key), of[:]) {
			t.Delete(bucket, key)
		}
	}
}

// Kinds of rows in dues. A row is kind ‖ value ‖ due ‖ obligation (see
// Due.place), so that all of one kind and value stand as they are due. All but
// the reminders have the state last in their value.
const (
	dueAll      = 'a'
	dueOwner    = 'o' // owner, 16 bytes
	dueDocument = 'd' // document, 16 bytes
	dueReminder = 'r' // the reminder logged last, 2 bytes; only of those that wait for one

	reminderSize = 3
)

const (
	dueOpen      = "o"
	dueCompleted = "c"
)

// dueRows returns every index row of an obligation, as indexRows does of a
// document.
func dueRows(o *obligation) [][]byte {
	state, place := dueOpen, o.DueDate.place()
	if !o.CompletedAt.IsZero() {
		state = dueCompleted
	}
	owner, _ := store.ParseID(o.OwnerID)
	doc, _ := store.ParseID(o.DocumentID)
	rows := [][]byte{
		indexKey(dueAll, state+place, o.id),
		indexKey(dueOwner, string(owner[:])+state+place, o.id),
		indexKey(dueDocument, string(doc[:])+state+place, o.id),
	}
	if o.waits() {
		logged := string(binary.BigEndian.AppendUint16(nil, uint16(o.reminded)))
		rows = append(rows, indexKey(dueReminder, logged+place, o.id))
	}
	return rows
}

// Kinds of rows in holdrows. A row is kind ‖ value ‖ state ‖ hold, so that all of
// one kind, value and state stand in the order in which they were placed.
const (
	holdAll      = 'a'
	holdDocument = 'd' // document, 16 bytes
	holdMatter   = 'm' // only of those that have one
)

const (
	holdActive   = "a"
	holdReleased = "r"
)

// holdRows returns every index row of a hold, as indexRows does of a document.
func holdRows(h *hold) [][]byte {
	state := holdActive
	if !h.ReleasedAt.IsZero() {
		state = holdReleased
	}
	doc, _ := store.ParseID(h.DocumentID)
	rows := [][]byte{
		indexKey(holdAll, state, h.id),
		indexKey(holdDocument, string(doc[:])+state, h.id),
	}
	if h.Matter != "" {
		rows = append(rows, indexKey(holdMatter, text(h.Matter)+state, h.id))
	}
	return rows
}

func indexPrefix(kind byte, value string) []byte {
	return append([]byte{kind}, value...)
}

func indexKey(kind byte, value string, doc id) []byte {
	row := make([]byte, 0, 1+len(value)+len(doc))
	row = append(row, kind)
	row = append(row, value...)
	return append(row, doc[:]...)
}

// text ends a value of varying length, so that no value is a prefix of
// another; no text the vault accepts holds a zero byte.
func text(s string) string { return s + endText }

const endText = "\x00"

func foldName(name string) string { return text(strings.ToLower(name)) }

// namePrefix is how a folded name begins, without its end; pastPrefix makes of it
// what stands behind all such names.
func namePrefix(prefix string) string { return strings.ToLower(check.NFC(prefix)) }

const pastPrefix = "\xff"

func millis(t time.Time) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(t.UnixMilli())))
}

type id = store.ID

// NewID returns a fresh ULID for things the vault does not store, such as the
// id of a request. What is stored gets its id in its transaction.
func NewID() string {
	var made ulid.ULID // not ulid.Make, in which all callers wait for one lock
	if err := made.SetTime(ulid.Now()); err != nil {
		panic(err) // in the year 10889
	}
	binary.BigEndian.PutUint16(made[6:], uint16(rand.Uint32()))
	binary.BigEndian.PutUint64(made[8:], rand.Uint64())
	return made.String()
}

// UUID returns an id, in either spelling, in the 36 lower-case characters of a
// UUID. ok is false for what is no id.
func UUID(s string) (uuid string, ok bool) {
	i, ok := store.ParseID(s)
	if !ok {
		return "", false
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", i[:4], i[4:6], i[6:8], i[8:10], i[10:]), true
}
