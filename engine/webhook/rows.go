package webhook

import (
	"encoding/binary"
	"encoding/json"
	"time"

	"go.etcd.io/bbolt"

	"strongroom/audit"
	"strongroom/engine"
)

// place returns what is kept of an endpoint; false if nothing is.
func (s *state) place(webhookID string) (p place, ok bool, err error) {
	err = s.view(func(b *bbolt.Tx) error {
		value := b.Bucket(bucketEndpoints).Get([]byte(webhookID))
		if ok = value != nil; !ok {
			return nil
		}
		return json.Unmarshal(value, &p)
	})
	return p, ok, err
}

// webhooks are those of which something is kept.
func (s *state) webhooks() (ids []string, err error) {
	err = s.view(func(b *bbolt.Tx) error {
		return b.Bucket(bucketEndpoints).ForEach(func(id, _ []byte) error {
			ids = append(ids, string(id))
			return nil
		})
	})
	return ids, err
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
	mark := logMark{Start: s.start, Seq: head.Seq, Hash: head.Hash}
	err := s.update(func(b *bbolt.Tx) error {
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
		s.gone = nil
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
		if err := putJSON(b.Bucket(bucketDeliveries), deliveryKey(n.webhookID, d.N), delivery(d)); err != nil {
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

// delivery is an engine.Delivery as it is stored.
type delivery struct {
	N             uint64
	Seq           uint64
	Type          string
	Attempt       uint64
	At            time.Time
	Status        engine.DeliveryStatus
	HTTPStatus    int
	Error         string
	NextAttemptAt time.Time
}

func readDelivery(value []byte) (engine.Delivery, error) {
	var d delivery
	err := json.Unmarshal(value, &d)
	return engine.Delivery(d), err
}

func putJSON(b *bbolt.Bucket, key []byte, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return b.Put(key, text)
}

// delivery returns one that is kept. engine.ErrDeliveryNotFound.
func (s *state) delivery(webhookID string, n uint64) (d engine.Delivery, err error) {
	err = s.view(func(b *bbolt.Tx) error {
		value := b.Bucket(bucketDeliveries).Get(deliveryKey(webhookID, n))
		if value == nil {
			return engine.ErrDeliveryNotFound
		}
		d, err = readDelivery(value)
		return err
	})
	return d, err
}

// deliveries returns some before the nth, the last first, and whether there are
// more.
func (s *state) deliveries(webhookID string, before uint64, limit int, status engine.DeliveryStatus) (list []engine.Delivery, more bool, err error) {
	err = s.view(func(b *bbolt.Tx) error {
		rows := b.Bucket(bucketDeliveries).Cursor()
		back := rows.Prev
		if k, _ := rows.Seek(deliveryKey(webhookID, before)); k == nil {
			back = rows.Last
		}
		for k, value := back(); isDelivery(k, webhookID); k, value = rows.Prev() {
			d, err := readDelivery(value)
			if err != nil {
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
