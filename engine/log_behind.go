package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// LogBehindError says that entries were asked for after one that the log does not
// have: the vault was restored from a backup older than what the reader has seen, or
// the reader confuses two vaults.
type LogBehindError struct {
	After      uint64
	Head       audit.Head
	RestoredAt time.Time // the last time; zero: never
}

func (e *LogBehindError) Error() string {
	text := fmt.Sprintf("the log ends at entry %d, before entry %d", e.Head.Seq, e.After)
	if e.RestoredAt.IsZero() {
		return text + ", which is of another log than this"
	}
	return text + ": the vault was restored at " + audit.FormatTime(e.RestoredAt) + " from a backup that is older"
}

func (e *LogBehindError) Is(target error) bool { return target == ErrLogBehind }

// errBeyond says inside a transaction what behind makes a *LogBehindError of
// outside: when the vault was restored takes too long to look up within.
var errBeyond = errors.New("it is beyond the log")

// beyond is errBeyond if an entry is.
func (t *tx) beyond(after uint64) error {
	if after > t.Last() {
		return errBeyond
	}
	return nil
}

// behind tells a reader that asked for entries after one that the log does not have,
// if that is what err says.
func (v *Vault) behind(ctx context.Context, after uint64, err error) error {
	if !errors.Is(err, errBeyond) {
		return err
	}
	restored, err := v.restored.last(ctx, v)
	if err != nil {
		return err
	}
	return &LogBehindError{after, v.Head(), restored.at}
}

// restorations is when the vault was last restored. Restore writes the entry before
// anybody else opens the vault, so what was looked up once stays so while it is open.
type restorations struct {
	mu    sync.Mutex // held while the log is looked through, once
	known bool
	found restoration
}

// restoration is an entry vault.restored; the zero restoration is none.
type restoration struct {
	at   time.Time
	hash audit.Hash
}

func (r *restorations) last(ctx context.Context, v *Vault) (restoration, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known {
		return r.found, nil
	}
	wanted := []byte(`"op":"` + string(audit.OpVaultRestored) + `"`)
	for seq := v.Head().Seq; seq > 0 && !r.known; {
		if err := ctx.Err(); err != nil {
			return restoration{}, err
		}
		var err error
		seq, err = view(v, func(t *tx) (uint64, error) {
			for range maxLook {
				line := t.Get(bucketLog, store.SeqKey(seq))
				if bytes.Contains(line, wanted) {
					if e, err := audit.ParseEntry(line); err == nil && e.Op == audit.OpVaultRestored {
						r.known, r.found = true, restoration{e.Time, audit.HashLine(line)}
						break
					}
				}
				if seq--; seq == 0 {
					break
				}
			}
			return seq, nil
		})
		if err != nil {
			return restoration{}, err
		}
	}
	r.known = true
	return r.found, nil
}
