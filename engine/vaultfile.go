package engine

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"strongroom/audit"
	"strongroom/blobstore"

	"github.com/oklog/ulid/v2"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

func newEntropy() *ulid.MonotonicEntropy { return ulid.Monotonic(rand.Reader, 0) }

// openDB opens vault.db with the freelist kept on disk (without it, opening a
// large file means reading all of it) and room in the address space for the
// file to grow: a reader that holds the old mapping would otherwise stall the
// writer that needs a larger one.
func openDB(path string, readOnly bool) (*bbolt.DB, error) {
	var file *os.File
	whole := false
	defer func() {
		if !whole && file != nil { // bbolt panicked: it trusts the pages it reads
			unlockFile(file)
			file.Close()
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:         500 * time.Millisecond,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: mmapSize(path),
		ReadOnly:        readOnly,
		OpenFile: func(name string, flag int, perm os.FileMode) (f *os.File, err error) {
			file, err = os.OpenFile(name, flag, perm)
			return file, err
		},
	})
	whole = true
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, &InUseError{Path: path}
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch), errors.Is(err, bolterrors.ErrChecksum):
		return nil, fmt.Errorf("%w: %s: %w", ErrFormat, path, err)
	}
	return nil, fmt.Errorf("open %s: %w", path, err)
}

// mmapSize leaves a file room to grow to twice its size before the mapping has
// to: a long reader, such as a backup, would hold that up, and every writer.
func mmapSize(path string) int {
	info, err := os.Stat(path)
	if err != nil || initialMmapSize == 0 {
		return initialMmapSize
	}
	return int(max(initialMmapSize, min(2*info.Size(), math.MaxInt/2)))
}

// found writes a new vault.db: its buckets, what it is, and its first field,
// each with its entry, in one transaction.
func found(path, name string) error {
	db, err := openDB(path, false)
	if err != nil {
		return err
	}
	err = db.Update(func(b *bbolt.Tx) error {
		for _, bucket := range buckets() {
			if _, err := b.CreateBucket(bucket); err != nil {
				return err
			}
		}
		v := &Vault{entropy: newEntropy()}
		v.clock.start(time.Time{})
		t := &tx{v: v, b: b, now: v.clock.now(), actor: Operator()}
		if _, _, err := t.step(func(t *tx) (audit.Event, error) { return t.found(name) }); err != nil {
			return err
		}
		_, _, err := t.step(func(t *tx) (audit.Event, error) {
			f := firstField().field()
			_, event, err := t.createField(f)
			return event, err
		})
		return err
	})
	return errors.Join(err, db.Close())
}

func (t *tx) found(name string) (audit.Event, error) {
	vault, err := t.newID()
	if err != nil {
		return audit.Event{}, err
	}
	t.put(bucketMeta, metaFormat, strconv.AppendInt(nil, formatVersion, 10))
	t.put(bucketMeta, metaVault, []byte(vault.String()))
	t.put(bucketMeta, metaName, []byte(name))
	t.put(bucketMeta, metaCreated, []byte(audit.FormatTime(t.now)))
	return audit.Event{
		Op:     audit.OpVaultCreated,
		Facts:  audit.Facts{"vault": audit.Text(vault.String()), "format": audit.Number(formatVersion)},
		Detail: encodeDetail(map[string]any{"name": name}),
	}, nil
}

// metaNames says whether either of the two meta pages at the head of a bbolt
// file names the transaction, that is, whether its commit may have happened.
// It reads the file, not the mapping. The layout is bbolt's, unchanged since
// its format version 2: a page header of 16 bytes, then magic, version, page
// size and flags of 4 bytes each, the root bucket of 16, freelist and high
// water mark of 8 each, and the transaction id.
func metaNames(path string, pageSize int, txid uint64) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	const at = 16 + 4*4 + 16 + 8 + 8
	var b [8]byte
	for page := range 2 {
		if _, err := f.ReadAt(b[:], int64(page*pageSize+at)); err != nil {
			return false, err
		}
		if binary.NativeEndian.Uint64(b[:]) == txid {
			return true, nil
		}
	}
	return false, nil
}

// lockVault takes the lock and writes our process id into the file. clean says
// that whoever held it before let go in order; after a crash its id is still
// there. The operating system drops the lock with the process, so a stale file
// locks nobody out.
func lockVault(path string) (f *os.File, clean bool, err error) {
	// A lock file that is gone from a vault tells nothing of its last end.
	_, noLock := os.Stat(path)
	_, noVault := os.Stat(filepath.Join(filepath.Dir(path), fileDB))
	known := noLock == nil || noVault != nil
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("lock the vault: %w", err)
	}
	held, err := lockFile(f)
	if err != nil {
		return nil, false, errors.Join(fmt.Errorf("lock the vault: %w", err), f.Close())
	}
	text, readErr := io.ReadAll(io.LimitReader(io.NewSectionReader(f, 0, 32), 32))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	if held {
		return nil, false, errors.Join(&InUseError{Path: strings.TrimSuffix(path, string(os.PathSeparator)+fileLock), PID: pid}, f.Close())
	}
	if readErr != nil {
		return nil, false, errors.Join(fmt.Errorf("lock the vault: %w", readErr), f.Close())
	}
	// Synced before anything else is written: after a power cut an empty file
	// would say that all was tidy.
	err = errors.Join(rewrite(f, strconv.Itoa(os.Getpid())+"\n"), f.Sync(), blobstore.SyncDir(filepath.Dir(path)))
	if err != nil {
		return nil, false, errors.Join(fmt.Errorf("lock the vault: %w", err), f.Close())
	}
	return f, len(text) == 0 && known, nil
}

// unlockVault lets the lock go; clean empties the file.
func unlockVault(f *os.File, clean bool) error {
	var err error
	if clean {
		err = rewrite(f, "")
	}
	return errors.Join(err, f.Close())
}

func rewrite(f *os.File, text string) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(text), 0)
	return err
}
