// Package witness signs what the logs of others have come to, and has others sign
// what ours has.
//
// A Witness is the one half: it keeps, of each log that it was told of, the last
// checkpoint it signed, and signs a later one that grew out of it and no other (C2SP
// tlog-witness). Who has its signature on two histories of one log has caught
// somebody, so what it signed last is on disk before a signature leaves, and nothing
// of it is ever made anew silently. A Client is the other half, which asks the
// witnesses that a policy names.
//
// The rule itself, and what is signed, is package audit's. It knows no flag.
package witness

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/httpapi/datadir"
)

// KeyName is the file of the witness's key in the data directory, and StateName the
// directory of what it has signed last.
const (
	KeyName   = "witness.key"
	StateName = "witness"
)

// checkpointType ends the names of the files in that directory; their names are the
// SHA-256 of the log's origin.
const checkpointType = ".checkpoint"

// OldSizeError says which size of the log the witness signed last, where it is
// another than was asked about. It is audit.ErrOldSize.
type OldSizeError struct{ Size int64 }

func (e *OldSizeError) Error() string {
	return fmt.Sprintf("%v: %d", audit.ErrOldSize, e.Size)
}

// Is makes it audit.ErrOldSize.
func (e *OldSizeError) Is(target error) bool { return target == audit.ErrOldSize }

// Witness signs checkpoints of logs. It may be used by several goroutines, and by
// several processes on one data directory.
type Witness struct {
	key  audit.WitnessKey
	logs audit.Policy
	dir  string
	kept func(path string) error

	mu   sync.Mutex
	turn map[string]*sync.Mutex // of each log, by its file
}

// Open returns the witness of a data directory, for the logs of the policy. The
// first time it makes the key. A key that is gone although something was signed
// with it is not made again: whoever believes it would believe nobody. Nor does a
// key begin anew whose directory is gone: it could sign a second history.
func Open(data string, logs audit.Policy) (*Witness, error) {
	if len(logs.Logs) == 0 {
		return nil, errors.New("no log is named: a line \"log VERIFIER-KEY\" names one")
	}
	w := &Witness{
		logs: logs, dir: filepath.Join(data, StateName), turn: map[string]*sync.Mutex{},
		kept: func(path string) error { return datadir.GiveLike(data, path) },
	}
	// The key is made after the directory.
	key := filepath.Join(data, KeyName)
	if _, err := os.Lstat(w.dir); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(key); err == nil {
			return nil, fmt.Errorf("%s is missing, which has what was signed with %s: put it back, or move the key away too to begin as another witness", w.dir, key)
		}
	}
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return nil, err
	}
	if err := errors.Join(blobstore.SyncDir(data), w.kept(w.dir)); err != nil {
		return nil, err
	}
	// Two processes that begin at once must not make two keys.
	lock, err := datadir.LockFile(filepath.Join(w.dir, "key.lock"))
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if w.key, err = w.loadKey(key); err != nil {
		return nil, err
	}
	return w, w.kept(lock.Name())
}

func (w *Witness) loadKey(path string) (audit.WitnessKey, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		key, err := audit.ParseWitnessKey(text)
		if err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
		return key, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return audit.WitnessKey{}, err
	}
	signed, err := filepath.Glob(filepath.Join(w.dir, "*"+checkpointType))
	if err != nil {
		return audit.WitnessKey{}, err
	}
	if len(signed) > 0 {
		return audit.WitnessKey{}, fmt.Errorf("%s is missing, and checkpoints of %d logs were signed with it: put it back, or move %s away to begin as another witness", path, len(signed), w.dir)
	}
	id := make([]byte, 8)
	if _, err := rand.Read(id); err != nil {
		return audit.WitnessKey{}, err
	}
	key, err := audit.NewWitnessKey("strongroom/witness/"+hex.EncodeToString(id), rand.Reader)
	if err != nil {
		return key, err
	}
	return key, errors.Join(blobstore.WriteFile(path, key.Marshal()), w.kept(path))
}

// Verifier returns the verifier key by which others believe the witness.
func (w *Witness) Verifier() string { return w.key.Verifier() }

// file is where the last checkpoint of a log is kept.
func (w *Witness) file(origin string) string {
	sum := sha256.Sum256([]byte(origin))
	return filepath.Join(w.dir, hex.EncodeToString(sum[:])+checkpointType)
}

// Sign signs the checkpoint of a request, the body of add-checkpoint, and returns
// the signature line. The errors are those of audit.ParseAddRequest and
// audit.AddRequest.Check; audit.ErrOldSize is an *OldSizeError.
func (w *Witness) Sign(request []byte) ([]byte, error) {
	r, err := audit.ParseAddRequest(request)
	if err != nil {
		return nil, err
	}
	claimed, err := audit.ReadCheckpoint(r.Checkpoint)
	if err != nil {
		return nil, err
	}
	// Nothing is made for a log that is not known, or for what the log did not sign.
	if _, err := r.Check(w.logs, audit.WitnessState{}); errors.Is(err, audit.ErrUnknownLog) || errors.Is(err, audit.ErrSignature) || errors.Is(err, audit.ErrSyntax) {
		return nil, err
	}
	path := w.file(claimed.Origin)
	leave, err := w.enter(path)
	if err != nil {
		return nil, err
	}
	defer leave()
	last, err := w.last(path)
	if err != nil {
		return nil, err
	}
	c, err := r.Check(w.logs, audit.WitnessState{Size: last.Size, Root: last.Root})
	if errors.Is(err, audit.ErrOldSize) {
		return nil, &OldSizeError{last.Size}
	}
	if err != nil {
		return nil, err
	}
	line, err := w.key.Cosign(c, time.Now())
	if err != nil {
		return nil, err
	}
	if c.Origin == last.Origin && c.Size == last.Size {
		return line, nil // it is known already that this was signed
	}
	return line, w.keep(path, r.Checkpoint, line)
}

// keep has on disk what is signed now, before anybody is given the signature.
func (w *Witness) keep(path string, checkpoint, line []byte) error {
	signed, err := w.ofLogs(checkpoint)
	if err != nil {
		return err
	}
	if signed, err = audit.AddSignatures(signed, line); err != nil {
		return err
	}
	return errors.Join(blobstore.WriteFile(path, signed), w.kept(path))
}

// ofLogs returns the checkpoint with the signatures of the logs alone.
func (w *Witness) ofLogs(checkpoint []byte) ([]byte, error) {
	var keys []audit.Verifier
	for _, l := range w.logs.Logs {
		keys = append(keys, l.Key)
	}
	return audit.KeepSignatures(checkpoint, keys...)
}

// enter waits for the turn at a log, in this process and among all.
func (w *Witness) enter(path string) (leave func(), err error) {
	w.mu.Lock()
	turn := w.turn[path]
	if turn == nil {
		turn = &sync.Mutex{}
		w.turn[path] = turn
	}
	w.mu.Unlock()
	turn.Lock()
	lock, err := datadir.LockFile(path + ".lock")
	if err == nil {
		err = w.kept(lock.Name())
	}
	if err != nil {
		turn.Unlock()
		return nil, err
	}
	return func() {
		lock.Close()
		turn.Unlock()
	}, nil
}

// last returns the checkpoint that was signed last, the zero one if none was. It is
// read each time: another process may have signed since.
func (w *Witness) last(path string) (audit.Checkpoint, error) {
	signed, err := w.read(path)
	if signed == nil || err != nil {
		return audit.Checkpoint{}, err
	}
	c, _, err := audit.OpenCosigned(signed, w.Verifier())
	if err != nil || w.file(c.Origin) != path {
		return audit.Checkpoint{}, fmt.Errorf("%s is not what this witness signed last (%v): put the right file back; without it nothing more is signed of that log", path, err)
	}
	return c, nil
}

// read returns nil if there is no file.
func (w *Witness) read(path string) ([]byte, error) {
	f, err := blobstore.OpenRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, audit.MaxNote+1))
}
