package engine

import (
	"bytes"
	"fmt"

	"strongroom/audit"
	"strongroom/engine/internal/replay"
	"strongroom/engine/internal/store"
)

// comparison is how the rows of one bucket, which decode to T, are compared with
// what the log says.
type comparison[T any] struct {
	bucket []byte
	size   int // of a key; 0: any
	kind   replay.Kind
	decode func(k, value []byte) (T, error)
	// record spells a row as the log's things are spelled. What is bound by
	// an entry has its member here, and one of the same name in package replay.
	record func(T) replay.Thing
	// also looks at what else must hold of a row, if it is not nil.
	also func(c *checker, t *tx, row T)
}

// run compares every row, and finds what the log has and the bucket lacks. A
// transaction's rows are compared with exactly the entries it sees. Those of a
// bucket whose keys do not rise must be few enough for one transaction, or one
// made meanwhile would be missed.
func (of comparison[T]) run(c *checker) error {
	met := map[string]bool{}
	err := c.eachFrom(c.catchUp, of.bucket, CodeState, of.size, func(t *tx, k, value []byte) error {
		name := keyText(k, of.size)
		met[name] = true
		row, err := of.decode(k, value)
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return nil
		}
		if of.also != nil {
			of.also(c, t, row)
		}
		if said := c.said.Things(of.kind)[name]; said != nil {
			c.differ(0, fmt.Sprintf("%s %s", of.kind, name), of.record(row), *said)
		} else {
			c.find(0, CodeState, "%s %q is not in the log", of.kind, name)
		}
		return nil
	})
	for _, name := range sortedKeys(c.said.Things(of.kind)) {
		if !met[name] {
			c.find(0, CodeState, "%s %s of the log is missing", of.kind, name)
		}
	}
	return err
}

// keyText spells a key of a size: ids as they are spelled everywhere.
func keyText(k []byte, size int) string {
	if size == len(id{}) {
		return id(k).String()
	}
	return string(k)
}

// byID adapts a function that decodes a row by its id.
func byID[T any](decode func(at id, b []byte) (T, error)) func(k, value []byte) (T, error) {
	return func(k, value []byte) (T, error) { return decode(id(k), value) }
}

// differ is a finding for each member that is not what the log says.
func (c *checker) differ(seq uint64, what string, is, said replay.Thing) {
	for _, d := range said.Differences(is) {
		c.find(seq, CodeState, "%s: %s is %v, the log says %v", what, d.Name, d.Is, d.Was)
	}
}

// replay follows the log, and counts its entries about documents.
func (c *checker) replay() error {
	c.said = replay.NewAccounts()
	return c.each(bucketLog, CodeState, 8, func(t *tx, k, line []byte) error {
		c.read(t, k, line)
		return nil
	})
}

// catchUp follows what was written since.
func (c *checker) catchUp(t *tx) {
	rows := t.Cursor(bucketLog)
	for k, line := rows.Seek(store.SeqKey(c.followed + 1)); len(k) == 8 && store.SeqOf(k) > c.followed; k, line = rows.Next() {
		c.read(t, k, line)
	}
}

// read follows one more entry.
func (c *checker) read(t *tx, k, line []byte) {
	c.followed = store.SeqOf(k)
	e, err := audit.ParseEntry(line)
	var row store.DetailRow
	if err == nil && e.Document == "" {
		row, _ = store.DecodeDetail(t.Get(bucketDetail, k)) // a damaged one is a finding already, and like one that is gone
	}
	if err == nil {
		err = c.said.Follow(e, row.Detail)
	}
	switch {
	case err != nil:
		c.find(c.followed, CodeState, "entry %d: %v", c.followed, err)
	case row.Prev != 0:
		c.find(c.followed, CodeState, "entry %d is about no document, and linked to an earlier one", c.followed)
	case e.Document != "" && e.Seq <= c.e.Head.Seq:
		c.entries++
	}
}

// checkRows is how many rows are checked in one transaction.
const checkRows = 500

// each calls fn for every row of a bucket, some hundred in a transaction, with
// views. A row written meanwhile may or may not be met. Keys that are not of
// the size given, if it is not 0, are findings with the code given.
func (c *checker) each(bucket []byte, code audit.Code, size int, fn func(t *tx, k, value []byte) error) error {
	return c.eachFrom(nil, bucket, code, size, fn)
}

// eachFrom is each; begin, if it is not nil, is called first in every
// transaction.
func (c *checker) eachFrom(begin func(t *tx), bucket []byte, code audit.Code, size int, fn func(t *tx, k, value []byte) error) error {
	var next, last []byte
	for more := true; more; {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		var err error
		more, err = view(c.v, func(t *tx) (bool, error) {
			if begin != nil {
				begin(t)
			}
			cursor := t.Cursor(bucket)
			k, value := cursor.Seek(next)
			for range checkRows {
				if k == nil {
					return false, nil
				}
				if len(k) > store.MaxKey || last != nil && bytes.Compare(k, last) <= 0 {
					c.find(0, code, "the rows of %s are out of order after %x", bucket, last)
					return false, nil // or a page that leads back would lead round for ever
				}
				last = append(last[:0], k...)
				if size != 0 && len(k) != size {
					c.find(0, code, "%s has a row with the key %x", bucket, k)
				} else if err := fn(t, k, value); err != nil {
					return false, err
				}
				k, value = cursor.Next()
			}
			next = bytes.Clone(k)
			return k != nil, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
