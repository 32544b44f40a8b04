package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"go.etcd.io/bbolt"

	"strongroom/engine"
)

// errDamaged says that the file is not what was written. The next Open makes it
// anew; until then what is new is in memory only.
var errDamaged = errors.New("webhooks.db is damaged and is made anew at the next start")

// errForeign says that the file is about another log.
var errForeign = errors.New("it is about another log")

// openDB opens the file. The caller closes it.
func openDB(path string) (*state, error) {
	s := &state{kick: make(chan struct{}, 1)}
	var opened *os.File
	err := s.guarded(func() (err error) {
		s.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout: lockPatience, FreelistType: bbolt.FreelistMapType,
			OpenFile: func(name string, flag int, perm os.FileMode) (f *os.File, err error) {
				opened, err = os.OpenFile(name, flag, perm)
				return opened, err
			},
		})
		return err
	})
	if s.damaged.Load() && opened != nil {
		opened.Close()
	}
	return s, err
}

// guarded calls bbolt, and makes an error of its panics: it trusts the pages it
// reads, and the file is worth less than the process. The first is the last: what
// is damaged is not written to, and locks may be held for ever.
func (s *state) guarded(call func() error) (err error) {
	if s.damaged.Load() {
		return errDamaged
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // a file that was cut short is mapped all the same
	defer func() {
		if p := recover(); p != nil {
			s.damaged.Store(true)
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	return call()
}

func (s *state) view(fn func(*bbolt.Tx) error) error { return s.within(false, fn) }

func (s *state) update(fn func(*bbolt.Tx) error) error { return s.within(true, fn) }

// within runs a transaction. What panics while bbolt begins or ends one leaves
// its locks held.
func (s *state) within(writable bool, fn func(*bbolt.Tx) error) error {
	return s.guarded(func() error {
		s.held.Add(1)
		b, err := s.db.Begin(writable)
		s.held.Add(-1)
		if err != nil {
			return err
		}
		defer func() {
			s.held.Add(1)
			b.Rollback() // nothing, once it is committed
			s.held.Add(-1)
		}()
		if err := fn(b); err != nil || !writable {
			return err
		}
		return b.Commit()
	})
}

// close lets go of the file, unless that would wait for ever: then the end of the
// process does.
func (s *state) close() error {
	if s.held.Load() > 0 {
		return errDamaged
	}
	return s.db.Close()
}

// loadState opens the file if it is whole, every row of it, and about this log.
func loadState(path string, v *engine.Vault) (*state, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	s, err := openDB(path)
	if err != nil {
		return nil, err
	}
	var mark logMark
	err = s.view(func(b *bbolt.Tx) error { return mark.load(b) })
	if err == nil {
		err = mark.check(v)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.start = mark.Start
	return s, nil
}

// load reads the mark, and every row of the file on the way.
func (m *logMark) load(b *bbolt.Tx) error {
	for _, name := range [][]byte{bucketMeta, bucketEndpoints, bucketDeliveries} {
		if b.Bucket(name) == nil {
			return fmt.Errorf("it has no %s", name)
		}
	}
	if err := json.Unmarshal(b.Bucket(bucketMeta).Get(keyLog), m); err != nil {
		return err
	}
	err := b.Bucket(bucketEndpoints).ForEach(func(_, value []byte) error { return json.Unmarshal(value, new(place)) })
	if err != nil {
		return err
	}
	return b.Bucket(bucketDeliveries).ForEach(func(_, value []byte) error { return json.Unmarshal(value, new(delivery)) })
}

// forgetDeleted has the rows removed of webhooks that were deleted while nobody
// could hear of it.
func (d *Deliverer) forgetDeleted() error {
	ids, err := d.state.webhooks()
	for _, id := range ids {
		if d.known(id) == nil {
			d.state.forget(id)
		}
	}
	return err
}
