package engine

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/store"
	"strongroom/engine/internal/store/wal"
)

// Digests calls fn with the digest of all bytes that the vault needs, each once, in
// their order, until it returns an error. No transaction is open meanwhile, so fn may
// take its time; what is added or removed while it does may be passed over.
func (v *Vault) Digests(ctx context.Context, fn func(Digest) error) error {
	var last []byte
	for more := true; more; {
		page, err := view(v, func(t *tx) (page []Digest, err error) {
			rows := t.Cursor(bucketRefs)
			k, _ := rows.Seek(last)
			for ; k != nil && len(page) < tidyBatch; k, _ = rows.Next() {
				if bytes.HasPrefix(k, last) && last != nil {
					continue
				}
				var d Digest
				if copy(d[:], k) < len(d) {
					return nil, errDamaged
				}
				last, page = d[:], append(page, d)
			}
			more = k != nil
			return page, nil
		})
		if err != nil {
			return err
		}
		for _, d := range page {
			if err := fn(d); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

// RecordRestore is for who has brought a vault to an instant of its past, which nobody
// else goes on from, and has opened it: the entry vault.restored says so, the vault
// is paused (Settings.Paused), and live locks are broken.
func (v *Vault) RecordRestore(ctx context.Context) error {
	if err := v.recordRestore(ctx, v.Head(), false, 0); err != nil {
		return err
	}
	_, err := v.breakLocks(ctx)
	return err
}

// RecordTime returns the time of the last entry in a group's record; zero if the group
// wrote none. ErrDamaged.
func RecordTime(record []byte) (at time.Time, err error) {
	r, err := wal.ParseRecord(record)
	for _, row := range r.Rows {
		if err != nil || !bytes.Equal(row.Bucket, store.Log) {
			continue
		}
		var e audit.Entry
		if e, err = audit.ParseEntry(row.Value); err == nil {
			at = e.Time
		}
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return at, nil
}
