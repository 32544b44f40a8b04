package webhook

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"strongroom/audit"
	"strongroom/engine"
)

// The buckets of webhooks.db. Values are JSON.
//
//	meta        "log"                     logMark
//	endpoints   webhook                   place
//	deliveries  webhook ‖ n, 8 bytes      engine.Delivery, the last keptDeliveries
var (
	bucketMeta       = []byte("meta")
	bucketEndpoints  = []byte("endpoints")
	bucketDeliveries = []byte("deliveries")
	keyLog           = []byte("log")
)

const (
	// keptDeliveries is how many attempts are kept of an endpoint.
	keptDeliveries = 1_000
	// lockPatience is how long to wait for another process to let go of the file.
	lockPatience = 5 * time.Second
)

// logMark says which log the file is about, and where in it the file was made.
type logMark struct {
	Start uint64     // the head when the file was made: endpoints older than it begin there
	Seq   uint64     // the head when the file was last written, and
	Hash  audit.Hash // its hash: it must be in the log still
}

// place is how far an endpoint has been told.
type place struct {
	Cursor   uint64 // up to here all is delivered, not wanted, or set aside
	Revision uint64 // of the webhook that was delivered to last
	// Failures counts those of the entry that is to be told next; it is not tried
	// before Next.
	Failures uint64    `json:",omitempty"`
	Next     time.Time `json:",omitzero"`
	// Failing is since when there was nothing but failure, Last the last attempt.
	Failing time.Time `json:",omitzero"`
	Last    time.Time `json:",omitzero"`
	Aside   []aside   `json:",omitempty"` // in order
	N       uint64    // of the last delivery
}

// aside is an entry that the endpoint refuses while it takes others.
type aside struct {
	Seq      uint64
	Attempts uint64 // since ever
	Failures uint64 // since it was set aside
	Next     time.Time
}

// state is the file.
type state struct {
	db   *bbolt.DB
	mu   sync.Mutex // leaf lock; one flush at a time
	gone []string   // webhooks whose rows are to be removed
	kick chan struct{}
	mark logMark
}

// openState opens the file, or makes it anew if there is none that is about this
// log.
func openState(path string, v *engine.Vault, report func(error)) (*state, error) {
	s, err := loadState(path, v)
	if err == nil || errors.Is(err, bbolt.ErrTimeout) {
		return s, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		report(fmt.Errorf("what was kept of deliveries is lost, they go on from the head of the log: %w", err))
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return makeState(path, v)
}

// openDB opens the file, and lets go of it if bbolt panics because it is damaged.
func openDB(path string) (*bbolt.DB, error) {
	var opened *os.File
	done := false
	defer func() {
		if !done && opened != nil {
			opened.Close()
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: lockPatience, FreelistType: bbolt.FreelistMapType,
		OpenFile: func(name string, flag int, perm os.FileMode) (f *os.File, err error) {
			opened, err = os.OpenFile(name, flag, perm)
			return opened, err
		},
	})
	done = true
	return db, err
}

var errForeign = errors.New("it is about another log")

// loadState takes whatever bbolt says of a damaged file, panics too, for a reason
// to do without it.
func loadState(path string, v *engine.Vault) (s *state, err error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	var db *bbolt.DB
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it cannot be read: %v", p)
		}
		if err != nil && db != nil {
			s, err = nil, errors.Join(err, db.Close())
		}
	}()
	if db, err = openDB(path); err != nil {
		return nil, err
	}
	s = newState(db)
	err = db.View(func(b *bbolt.Tx) error {
		for _, name := range [][]byte{bucketMeta, bucketEndpoints, bucketDeliveries} {
			if b.Bucket(name) == nil {
				return fmt.Errorf("it has no %s", name)
			}
		}
		if err := json.Unmarshal(b.Bucket(bucketMeta).Get(keyLog), &s.mark); err != nil {
			return err
		}
		return b.Bucket(bucketEndpoints).ForEach(func(_, value []byte) error { return json.Unmarshal(value, new(place)) })
	})
	if err != nil {
		return s, err
	}
	return s, s.mark.check(v)
}

// check holds that the entry which was the last is the one it was.
func (m logMark) check(v *engine.Vault) error {
	e, err := v.Entry(context.Background(), m.Seq)
	switch {
	case errors.Is(err, engine.ErrEntryNotFound), err == nil && e.Hash != m.Hash:
		return fmt.Errorf("%w: entry %d is not the one it knew", errForeign, m.Seq)
	}
	return err
}

func makeState(path string, v *engine.Vault) (*state, error) {
	db, err := openDB(path)
	if err != nil {
		return nil, err
	}
	s := newState(db)
	head := v.Head()
	s.mark = logMark{Start: head.Seq, Seq: head.Seq, Hash: head.Hash}
	err = db.Update(func(b *bbolt.Tx) error {
		for _, name := range [][]byte{bucketMeta, bucketEndpoints, bucketDeliveries} {
			if _, err := b.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return putJSON(b.Bucket(bucketMeta), keyLog, s.mark)
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func newState(db *bbolt.DB) *state { return &state{db: db, kick: make(chan struct{}, 1)} }

func (s *state) close() error { return s.db.Close() }

// place returns what is kept of an endpoint; false if nothing is.
func (s *state) place(webhookID string) (p place, ok bool, err error) {
	err = s.db.View(func(b *bbolt.Tx) error {
		value := b.Bucket(bucketEndpoints).Get([]byte(webhookID))
		if ok = value != nil; !ok {
			return nil
		}
		return json.Unmarshal(value, &p)
	})
	return p, ok, err
}

// forget has the rows of a webhook removed with the next flush.
func (s *state) forget(webhookID string) {
	s.mu.Lock()
	s.gone = append(s.gone, webhookID)
	s.mu.Unlock()
	s.soon()
}

// soon has what is new written down soon.
func (s *state) soon() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// news is what is new of an endpoint.
type news struct {
	webhookID  string
	place      place
	deliveries []engine.Delivery // in order
}

// write makes all of it durable in one transaction: places first, since a place
// without its deliveries loses a line of a list, and nothing else.
func (s *state) write(all []news, head audit.Head) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(all) == 0 && len(s.gone) == 0 {
		return nil
	}
	mark := logMark{Start: s.mark.Start, Seq: head.Seq, Hash: head.Hash}
	err := s.db.Update(func(b *bbolt.Tx) error {
		for _, n := range all {
			if err := n.put(b); err != nil {
				return err
			}
		}
		for _, id := range s.gone {
			if err := b.Bucket(bucketEndpoints).Delete([]byte(id)); err != nil {
				return err
			}
			if err := removeUpTo(b, id, 1<<63); err != nil {
				return err
			}
		}
		return putJSON(b.Bucket(bucketMeta), keyLog, mark)
	})
	if err == nil {
		s.mark, s.gone = mark, nil
	}
	return err
}

func (n news) put(b *bbolt.Tx) error {
	if err := putJSON(b.Bucket(bucketEndpoints), []byte(n.webhookID), n.place); err != nil {
		return err
	}
	if len(n.deliveries) == 0 {
		return nil
	}
	for _, d := range n.deliveries {
		if err := putJSON(b.Bucket(bucketDeliveries), deliveryKey(n.webhookID, d.N), d); err != nil {
			return err
		}
	}
	if last := n.deliveries[len(n.deliveries)-1].N; last > keptDeliveries {
		return removeUpTo(b, n.webhookID, last-keptDeliveries)
	}
	return nil
}

// removeUpTo removes a webhook's deliveries up to one.
func removeUpTo(b *bbolt.Tx, webhookID string, n uint64) error {
	rows := b.Bucket(bucketDeliveries).Cursor()
	for k, _ := rows.Seek([]byte(webhookID)); isDelivery(k, webhookID) && numberOf(k) <= n; k, _ = rows.Seek([]byte(webhookID)) {
		if err := rows.Delete(); err != nil {
			return err
		}
	}
	return nil
}

func deliveryKey(webhookID string, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(webhookID), n)
}

func isDelivery(k []byte, webhookID string) bool {
	return len(k) == len(webhookID)+8 && string(k[:len(webhookID)]) == webhookID
}

func numberOf(k []byte) uint64 { return binary.BigEndian.Uint64(k[len(k)-8:]) }

func putJSON(b *bbolt.Bucket, key []byte, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return b.Put(key, text)
}

// delivery returns one that is kept. engine.ErrDeliveryNotFound.
func (s *state) delivery(webhookID string, n uint64) (d engine.Delivery, err error) {
	err = s.db.View(func(b *bbolt.Tx) error {
		value := b.Bucket(bucketDeliveries).Get(deliveryKey(webhookID, n))
		if value == nil {
			return engine.ErrDeliveryNotFound
		}
		return json.Unmarshal(value, &d)
	})
	return d, err
}

// deliveries returns some before the nth, the last first, and whether there are
// more.
func (s *state) deliveries(webhookID string, before uint64, limit int, status engine.DeliveryStatus) (list []engine.Delivery, more bool, err error) {
	err = s.db.View(func(b *bbolt.Tx) error {
		rows := b.Bucket(bucketDeliveries).Cursor()
		k, value := rows.Seek(deliveryKey(webhookID, before))
		if k == nil {
			k, value = rows.Last()
		} else {
			k, value = rows.Prev()
		}
		for ; isDelivery(k, webhookID); k, value = rows.Prev() {
			var d engine.Delivery
			if err := json.Unmarshal(value, &d); err != nil {
				return err
			}
			if status != "" && d.Status != status {
				continue
			}
			if more = len(list) == limit; more {
				return nil
			}
			list = append(list, d)
		}
		return nil
	})
	return list, more, err
}
