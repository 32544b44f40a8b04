package engine

import (
	"bytes"
	"iter"
	"runtime"
	"runtime/debug"
	"sync"

	"strongroom/audit"

	"strongroom/engine/internal/replay"
	"strongroom/engine/internal/store"
)

// span is a stretch of a bucket: the keys from one on and before another. Nil is
// the first key, or the end.
type span struct{ from, to []byte }

// following is what the log says, as far as it was followed. All who check at the
// same time share one, and compare the rows of a transaction with it only while it
// has followed exactly the entries that this transaction sees.
type following struct {
	moving   sync.RWMutex     // held for reading while rows are compared; before counting
	said     *replay.Accounts // what the log says of all but documents
	followed uint64           // the last entry that said has followed

	counting sync.Mutex     // leaf lock
	matters  replay.Matters // what the holds up to the head add up to
}

// fork returns a checker for a part of the work, which another goroutine may do.
// What it finds and counts is its own, until join takes it.
func (c *checker) fork() *checker {
	return &checker{v: c.v, ctx: c.ctx, o: c.o, e: c.e, following: c.following, tally: c.tally, suspects: c.suspects}
}

// join adds what a part has found and counted.
func (c *checker) join(part *checker) {
	for _, f := range part.report.Findings {
		c.note(f)
	}
	c.report.Documents += part.report.Documents
	c.report.Versions += part.report.Versions
	c.report.hidden.documents += part.report.hidden.documents
	c.report.hidden.versions += part.report.hidden.versions
	c.entries += part.entries
	c.chained += part.chained
	c.absent = append(c.absent, part.absent...)
}

// alone says that the work is too little to be divided. One transaction would do
// for all of a bucket.
func (c *checker) alone() bool { return c.e.Head.Seq <= checkRows }

// divided has the spans of a bucket checked by as many goroutines as there are
// cores, and joins what they find in the order of the spans. All of them have ended
// when it returns. After each span it calls after, if that is not nil.
func (c *checker) divided(spans iter.Seq2[span, error], check func(c *checker, of span) error, after func()) error {
	type part struct {
		*checker
		err error
		end chan struct{}
	}
	var working sync.WaitGroup
	defer working.Wait()
	cores := runtime.GOMAXPROCS(0)
	turns := make(chan struct{}, cores)
	var parts []*part // whose turn has come and that are not joined
	first := func() error {
		p := parts[0]
		parts = parts[1:]
		<-p.end
		if p.err == nil {
			c.join(p.checker)
			if after != nil {
				after()
			}
		}
		return p.err
	}
	for of, err := range spans {
		if err != nil {
			return err
		}
		p := &part{checker: c.fork(), end: make(chan struct{})}
		parts = append(parts, p)
		turns <- struct{}{}
		working.Go(func() {
			defer func() { <-turns; close(p.end) }()
			defer store.Damaged(&p.err, debug.SetPanicOnFault(true))
			p.err = check(p.checker, of)
		})
		if len(parts) > 2*cores {
			if err := first(); err != nil {
				return err
			}
		}
	}
	for len(parts) > 0 {
		if err := first(); err != nil {
			return err
		}
	}
	return nil
}

// beside does both at the same time, where that is worth it.
func (c *checker) beside(one, other func() error) error {
	var err error
	var working sync.WaitGroup
	otherwise := func() {
		defer store.Damaged(&err, debug.SetPanicOnFault(true))
		err = other()
	}
	if c.alone() {
		if err := one(); err != nil {
			return err
		}
		otherwise()
		return err
	}
	working.Go(otherwise)
	first := one()
	working.Wait()
	if first != nil {
		return first
	}
	return err
}

// pages divides a bucket into spans of as many rows as are gone through in one
// transaction. It meets every key in turn: one behind its span would end that span
// early, so it is found here.
func (c *checker) pages(bucket []byte) iter.Seq2[span, error] {
	return func(yield func(span, error) bool) {
		var of span
		if c.alone() {
			yield(of, nil)
			return
		}
		for more := true; more; {
			var err error
			of.to, err = view(c.v, func(t *tx) ([]byte, error) {
				rows := t.Cursor(bucket)
				last := of.from
				k, _ := rows.Seek(last)
				for n := 0; k != nil && n < checkRows; n++ {
					if bytes.Compare(k, last) < 0 || n > 0 && bytes.Equal(k, last) {
						c.find(0, CodeState, "the rows of %s are out of order after %x", bucket, last)
						return nil, nil // or a page that leads back would lead round for ever
					}
					last = k
					k, _ = rows.Next()
				}
				return bytes.Clone(k), nil
			})
			if err == nil {
				err = c.ctx.Err()
			}
			more = yield(of, err) && err == nil && of.to != nil
			of.from = of.to
		}
	}
}

// letters divides a bucket by the first byte of its keys. What is suspect is gone
// through in one go, because a row that stands among those of another letter is met
// in no other way.
func (c *checker) letters(yield func(span, error) bool) {
	var of span
	if c.alone() || c.suspects != nil {
		yield(of, nil)
		return
	}
	for first := 1; first <= 0xff; first++ {
		of.to = []byte{byte(first)}
		if !yield(of, nil) {
			return
		}
		of.from = of.to
	}
	of.to = nil
	yield(of, nil)
}

// viewing is how rows are read: view, or following.
type viewing func(c *checker, fn func(t *tx) (bool, error)) (bool, error)

func (c *checker) view(fn func(t *tx) (bool, error)) (bool, error) { return view(c.v, fn) }

// viewFollowed is view, with what the log says having followed exactly the entries
// that fn's transaction sees.
func (c *checker) viewFollowed(fn func(t *tx) (bool, error)) (more bool, err error) {
	for stale := true; stale && err == nil; {
		c.moving.RLock()
		before := c.followed // a transaction that begins from now on sees it
		c.moving.RUnlock()
		more, err = view(c.v, func(t *tx) (bool, error) {
			c.moving.RLock()
			if stale = c.followed != before || t.newer(before); !stale {
				defer c.moving.RUnlock()
				return fn(t)
			}
			c.moving.RUnlock()
			c.moving.Lock()
			defer c.moving.Unlock()
			if c.followed == before {
				c.catchUp(t)
			}
			return false, nil
		})
	}
	return more, err
}

// getter gets rows of a bucket with one cursor, within one transaction at a time: a
// cursor of its own for each row takes more time than the row.
type getter struct {
	in   *tx
	rows store.Cursor
}

func (g *getter) get(t *tx, bucket, key []byte) []byte {
	if g.in != t {
		g.in, g.rows = t, t.Cursor(bucket)
	}
	if k, value := g.rows.Seek(key); bytes.Equal(k, key) {
		return value
	}
	return nil
}

// newer says whether there is an entry behind this one.
func (t *tx) newer(than uint64) bool {
	k, _ := t.Cursor(bucketLog).Seek(store.SeqKey(than + 1))
	return len(k) == 8 && store.SeqOf(k) > than
}

// each calls fn for every row of a bucket, some hundred in a transaction, with
// views. A row written meanwhile may or may not be met. Keys that are not of
// the size given, if it is not 0, are findings with the code given.
func (c *checker) each(bucket []byte, code audit.Code, size int, fn func(t *tx, k, value []byte) error) error {
	return c.eachOf(span{}, (*checker).view, bucket, code, size, fn)
}

// eachOf is each of a span, in transactions of that kind.
func (c *checker) eachOf(of span, read viewing, bucket []byte, code audit.Code, size int, fn func(t *tx, k, value []byte) error) error {
	next := bytes.Clone(of.from)
	var last []byte
	for more := true; more; {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		var err error
		more, err = read(c, func(t *tx) (bool, error) {
			cursor := t.Cursor(bucket)
			k, value := cursor.Seek(next)
			for range checkRows {
				if k == nil || of.to != nil && bytes.Compare(k, of.to) >= 0 {
					return false, nil
				}
				if len(k) > store.MaxKey || bytes.Compare(k, next) < 0 || last != nil && bytes.Compare(k, last) <= 0 {
					c.find(0, code, "the rows of %s are out of order after %x", bucket, last)
					return false, nil // or a page that leads back would lead round for ever
				}
				last = append(last[:0], k...)
				if size == 0 || len(k) == size {
					if err := fn(t, k, value); err != nil {
						return false, err
					}
				} else if c.suspects == nil {
					c.find(0, code, "%s has a row with the key %x", bucket, k)
				}
				k, value = cursor.Next()
			}
			next = append(next[:0], k...)
			return k != nil, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
