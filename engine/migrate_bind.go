package engine

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"strongroom/audit"

	"github.com/oklog/ulid/v2"
)

// binder tells what stands in a vault of an earlier format and is bound by no entry
// of it, as the package doc of audit spells it. It goes through one bucket after
// the other and remembers where it stands, not what it has told: what fits into one
// entry is all it keeps in memory. A row that cannot be read is left out, for Verify
// to find.
type binder struct {
	buckets []bindable
	after   []byte // the last row of the first of them that was told
}

// bindable is a bucket, and what is to be told of one of its rows.
type bindable struct {
	name []byte
	size int // of a key; a row with another is damaged
	tell func(t *tx, k, value []byte) []string
}

func newBinder() *binder {
	const one = len(id{})
	return &binder{buckets: []bindable{
		{bucketKeys, one, bindKey}, {bucketWebhooks, one, bindWebhook}, {bucketRuns, one, bindRun}, {bucketErasures, one, bindErasure},
		{bucketErasing, 2 * one, bindErasing}, {bucketDocuments, one, bindDocument}, {bucketSnapshots, one, bindSnapshot},
		{bucketDrafts, one + ulid.EncodedSize, bindDraft},
	}}
}

// maxBound is how long the texts of one entry are together: with what stands
// around them, less than a line can be.
const maxBound = audit.MaxLine - 4096

// next returns what fits into an entry, nothing at the end. It looks at every row
// of some buckets, as any migration does.
func (b *binder) next(t *tx) (state []string) {
	size := 0
	for len(b.buckets) > 0 {
		rows := t.Cursor(b.buckets[0].name)
		for k, value := rows.Seek(b.after); k != nil; k, value = rows.Next() {
			if bytes.Equal(k, b.after) || len(k) != b.buckets[0].size {
				continue
			}
			texts := b.buckets[0].tell(t, k, value)
			long := 0
			for _, text := range texts {
				long += len(text) + len(`"",`)
			}
			if size += long; size > maxBound {
				return state
			}
			state, b.after = append(state, texts...), append(b.after[:0], k...)
		}
		b.buckets, b.after = b.buckets[1:], nil
	}
	return state
}

// bound spells one text: nothing is "-". A word that no line can have is of a
// damaged row.
func bound(words ...string) []string {
	for i, word := range words {
		if strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"\\<>&`, r) }) {
			return nil
		}
		if word == "" {
			words[i] = "-"
		}
	}
	return []string{strings.Join(words, " ")}
}

func digestText(record []byte) string {
	if len(record) == 0 {
		return ""
	}
	return audit.HashLine(record).String()
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

func bindKey(_ *tx, at, value []byte) []string {
	k, err := decodeKey(id(at), value)
	if err != nil {
		return nil
	}
	return bound("key", k.ID, digestText(k.secret[:]))
}

func bindWebhook(_ *tx, at, value []byte) []string {
	w, err := decodeWebhook(id(at), value)
	if err != nil {
		return nil
	}
	return bound("webhook", w.ID, digestText(w.secret), digestText(w.former))
}

func bindRun(_ *tx, at, value []byte) []string {
	r, err := decodeRun(id(at), value)
	if err != nil {
		return nil
	}
	return bound("run", r.ID, factTime(r.At))
}

func bindErasure(t *tx, at, _ []byte) []string {
	digest, _ := digestOfSubjects(t.allSubjects(id(at))).AsText()
	return bound("erasure", id(at).String(), digest)
}

func bindErasing(_ *tx, k, value []byte) []string {
	left, err := decodeErasing(value)
	if err != nil || *left == (erasing{}) {
		return nil
	}
	return bound("erasing", id(k).String(), id(k[len(id{}):]).String(), number(left.deferred), number(left.next))
}

func bindDocument(_ *tx, at, value []byte) (texts []string) {
	d, err := decodeDocument(id(at), value)
	if err != nil || d.deleted {
		return nil
	}
	if d.password != "" {
		texts = bound("password", d.ID, digestText([]byte(d.password)))
	}
	if l := d.lease; l != nil {
		texts = append(texts, bound("lock", d.ID, number(l.fence), l.userID, l.keyID, number(uint64(l.window/time.Second)), factTime(l.until),
			strconv.FormatBool(l.scratchPad), number(l.base), strconv.FormatBool(l.app != ""))...)
	}
	return texts
}

func bindSnapshot(_ *tx, at, value []byte) []string {
	return bound("snapshot", id(at).String(), digestText(value))
}

func bindDraft(_ *tx, k, value []byte) []string {
	pad, err := decodeScratchpad(value)
	if err != nil {
		return nil
	}
	return bound("drafts", id(k).String(), string(k[len(id{}):]), digestText(value), number(pad.Base))
}
