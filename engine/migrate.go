package engine

import (
	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// migrated brings the rows of an earlier format to this one, and returns the
// record of it. The store has made the buckets that format lacks.
func (v *Vault) migrated(t *store.Tx, from int) (store.Record, error) {
	return store.Record{Actor: systemActor, Event: audit.Event{
		Op:    audit.OpVaultMigrated,
		Facts: audit.Facts{"format": audit.Number(formatVersion), "from": audit.Number(uint64(from))},
	}}, nil
}
