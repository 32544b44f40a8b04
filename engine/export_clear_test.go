package engine

import (
	"context"
	"encoding/binary"

	"strongroom/audit"
)

// FillVersions gives a document n versions, a thousand in a transaction. Their
// bytes are those of u, which must be kept already; with scatter, bytes that are
// nowhere, whose references lie all over.
func (v *Vault) FillVersions(ctx context.Context, actor Actor, documentID string, n int, digest Digest, size int64, scatter bool) error {
	for i := 0; i < n; {
		var fns []func(*tx) (string, audit.Event, error)
		for ; i < n && len(fns) < 1000; i++ {
			of := digest
			if scatter {
				of = Digest(audit.HashLine(binary.BigEndian.AppendUint64(nil, uint64(i))))
			}
			fns = append(fns, func(t *tx) (string, audit.Event, error) {
				d, _, err := t.writable(documentID, AccessUpload, Condition{})
				if err != nil {
					return "", audit.Event{}, err
				}
				is, event, err := t.appendVersion(d, NewVersion{MediaType: "text/plain", FileName: "a.txt"}, of, size, 0, grant{})
				return is.ID, event, err
			})
		}
		if _, _, err := updateAll(v, ctx, actor, fns...); err != nil {
			return err
		}
	}
	return nil
}

// Litter says whether something waits to be tidied.
func (v *Vault) Litter() bool { return v.litter.Load() }

// VersionRows counts all versions that are stored.
func (v *Vault) VersionRows() (n int, err error) {
	_, err = view(v, func(t *tx) (struct{}, error) {
		rows := t.Cursor(bucketVersions)
		for k, _ := rows.First(); k != nil; k, _ = rows.Next() {
			n++
		}
		return struct{}{}, nil
	})
	return n, err
}
