package engine

import (
	"bytes"
	"context"

	"strongroom/audit"
)

// The versions of a document that has many are not removed in the transaction that
// deletes it: everybody would wait for a row of each, and for another among the
// references, which lie all over. That transaction leaves tombstone, certificate and
// entry, after which nobody is shown a version any more. The rows are cleared behind
// it, in steps, and the bytes are purged when no row needs them. A crash in between
// leaves rows that say nothing: Sweep clears them before it looks for bytes that
// nobody needs.

const (
	// clearAtOnce is how many versions go with the document itself.
	clearAtOnce = 32
	// clearStep is how many go in one transaction afterwards.
	clearStep = 256
)

// clear removes the versions that a deleted document has left.
func (v *Vault) clear(ctx context.Context, doc id) error {
	for more := true; more; {
		var err error
		more, _, err = update(v, ctx, System(), func(t *tx) (bool, audit.Event, error) {
			more, err := t.clearSome(doc)
			return more, audit.Event{}, err
		})
		if err != nil {
			v.litter.Store(true)
			return err
		}
	}
	return nil
}

func (t *tx) clearSome(doc id) (more bool, err error) {
	d, err := t.documentAt(doc)
	if err != nil || !d.deleted {
		return false, err
	}
	var versions []*Version
	var numbers [][]byte
	rows := t.Cursor(bucketVersions)
	k, value := rows.Seek(doc[:])
	for ; bytes.HasPrefix(k, doc[:]) && len(numbers) < clearStep; k, value = rows.Next() {
		numbers = append(numbers, bytes.Clone(k))
		if ver, err := decodeVersion(doc, value); err == nil { // one that is damaged goes too
			versions = append(versions, ver)
		}
	}
	if len(numbers) == 0 {
		return false, nil
	}
	t.Clear(func() {
		for _, ver := range versions {
			t.dropVersion(doc, ver)
		}
		for _, k := range numbers {
			t.Delete(bucketVersions, k)
		}
	})
	return bytes.HasPrefix(k, doc[:]), nil
}

// dropVersion removes a version and the rows that say that it needs its bytes, and
// those of its text.
func (t *tx) dropVersion(doc id, ver *Version) {
	t.Delete(bucketVersions, versionKey(doc, ver.Number))
	t.Delete(bucketRefs, refKey(ver.Digest, doc, ver.Number))
	if ver.TextSize > 0 {
		t.Delete(bucketRefs, refKey(ver.TextDigest, doc, textRef(ver.Number)))
	}
}

// clearLeft looks at whose versions there are, and clears those of documents that
// are deleted. It says whether there were any.
func (v *Vault) clearLeft(ctx context.Context) (some bool, err error) {
	for from, more := []byte{}, true; more; {
		var left []id
		from, err = view(v, func(t *tx) (next []byte, err error) {
			left, next, err = t.leftBehind(from)
			return next, err
		})
		for _, doc := range left {
			if err == nil {
				err = v.clear(ctx, doc)
			}
		}
		if err != nil {
			v.litter.Store(true)
			return some, err
		}
		some, more = some || len(left) > 0, from != nil
	}
	return some, nil
}

// leftBehind returns the deleted documents among some that have versions, and where
// the next ones begin, nil at the end. It meets a row of each document.
func (t *tx) leftBehind(from []byte) (left []id, next []byte, err error) {
	rows := t.Cursor(bucketVersions)
	k, _ := rows.Seek(from)
	for n := 0; k != nil; n++ {
		if len(k) < len(id{}) {
			return left, nil, errDamaged
		}
		if n == checkRows {
			return left, bytes.Clone(k), nil
		}
		doc := id(k[:len(id{})])
		if d, err := t.documentAt(doc); err == nil && d.deleted { // of no document at all: Verify finds it
			left = append(left, doc)
		}
		k, _ = rows.Seek(append(bytes.Clone(doc[:]), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))
	}
	return left, nil, nil
}
