package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/engine/internal/logtree"
)

// A vault signs its log: a checkpoint says how many lines there are and what the
// root of their tree is (see the package doc of audit). Nothing of it is there until
// somebody asks, and the write path knows nothing of it.
//
// Who signs is one at a time, and never signs what contradicts what was signed
// before. What stands in rows.db, bound by entries, is the verifier key of the
// signer and the last checkpoint; what was signed is there before anybody is given
// it. The private key is in sign.key, the tree in a file that may be deleted.
//
// One origin is one history. So a vault whose key is gone signs under another origin
// with another key, and one that was restored from a backup under another origin:
// what was signed after the backup is not in it.

// The files of signing.
const (
	fileTree       = "tree"         // derived: the hashes of the log's tree
	fileSignKey    = "sign.key"     // what checkpoints are signed with
	fileNextKey    = "sign.key.new" // one that no entry names yet, or whose entry is the last vault.signer
	fileCosigned   = "cosigned"     // the last checkpoint that witnesses have signed, and their keys
	fileContradict = "contradicted" // which signer may sign no more, and why
)

// signing is what proves and signs. Its turn comes before all other locks.
type signing struct {
	turn   chan struct{} // holds a token while somebody proves or signs; the rest is theirs
	origin string        // Options.Origin
	tree   *logtree.Tree // nil: not opened yet
	key    audit.Key     // the zero Key: not read yet
	mldsa  MLDSA         // Options.MLDSA
	second *secondKey    // nil: not read yet
	twice  secondLine    // the last
}

// takeTurn waits for the turn of signing, which the caller gives back by leave.
func (v *Vault) takeTurn(ctx context.Context) error {
	select {
	case v.signing.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := v.Ready(); err != nil {
		v.signing.leave()
		return err
	}
	return nil
}

func (s *signing) leave() { <-s.turn }

// close lets the tree go. The store has shut, so who has the turn ends soon, and
// nobody opens it again.
func (s *signing) close() error {
	s.turn <- struct{}{}
	defer s.leave()
	if s.tree == nil {
		return nil
	}
	err := s.tree.Close()
	s.tree = nil
	return err
}

// LogKey is what the vault's checkpoints are checked with.
type LogKey struct {
	Origin   string // names the log in its checkpoints
	Verifier string // the verifier key (vkey), whose name is the origin
	MLDSA    string // that of the second key, of ML-DSA-44, that signs or has signed too: see SignTwice; "" if there is none
}

// LogKey says with what key the vault signs. The first time it is asked, or a
// checkpoint is, the key is made, and the entry vault.signer names it. If the key is
// gone since, another is made under another origin. *SignKeyError if sign.key is not
// the key that the log names.
func (v *Vault) LogKey(ctx context.Context) (LogKey, error) {
	if err := v.takeTurn(ctx); err != nil {
		return LogKey{}, err
	}
	defer v.signing.leave()
	key, err := v.signKey(ctx)
	if err != nil {
		return LogKey{}, err
	}
	if err := v.nameSecond(ctx, key); err != nil {
		return LogKey{}, err
	}
	second, err := v.secondOf()
	return LogKey{key.Name(), key.Verifier(), second}, err
}

// SignKeyError says that the file sign.key, or mldsa.key, has another key than the log
// names as the vault's, or none that can be read.
type SignKeyError struct {
	Path, Verifier string // of the file, and the key that the log names; "" if it names none
	Err            error  // why it cannot be read; nil: it can
	Second         bool   // it is mldsa.key, and of Verifier there are name and ID
}

func (e *SignKeyError) Error() string {
	what := "is not the key " + e.Verifier + " that the log names"
	if e.Err != nil {
		what = "cannot be read: " + e.Err.Error()
	}
	then := "with a new key under another origin"
	if e.Second {
		then = "with a new key in its place"
	}
	return fmt.Sprintf("%s %s: bring the right one back, or move it away, and the vault signs %s", e.Path, what, then)
}

func (e *SignKeyError) Unwrap() error        { return e.Err }
func (e *SignKeyError) Is(target error) bool { return target == ErrSignKey }

// signerOf is the verifier key that signs, as the log has it; "": none does.
func (v *Vault) signerOf() (string, error) {
	return view(v, func(t *tx) (string, error) { return string(t.Get(bucketMeta, metaSigner)), nil })
}

// signKey returns the key that signs, and makes it if there is none. Called in turn.
func (v *Vault) signKey(ctx context.Context) (audit.Key, error) {
	s := &v.signing
	named, err := v.signerOf()
	if err != nil {
		return audit.Key{}, err
	}
	key, err := v.readSignKey(named)
	if err != nil {
		return audit.Key{}, err
	}
	found := key != nil
	switch {
	case named == "":
		origin, err := v.firstOrigin(ctx)
		if err != nil {
			return audit.Key{}, err
		}
		if found && key.Name() == origin { // it signed under that name what this log does not know
			origin = v.apart(v.wantedOrigin(""))
		}
		return v.newSigner(ctx, origin, key)
	case !found: // it was lost: what it has signed, and we do not know of, must not be contradicted
		return v.newSigner(ctx, v.apart(v.wantedOrigin(named)), nil)
	case s.origin != "" && !isOf(s.origin, key.Name()):
		origin, err := v.firstOrigin(ctx)
		if err != nil {
			return audit.Key{}, err
		}
		return v.newSigner(ctx, origin, key)
	}
	s.key = *key
	return s.key, nil
}

// suffixSize is how many digits of a hash tell an origin from the one before.
const suffixSize = 16

// apart is an origin that nothing was signed under yet: the head of the log tells it
// from those before.
func (v *Vault) apart(origin string) string {
	hash := v.Head().Hash
	return origin + "/" + hash.String()[:suffixSize]
}

// isOf says whether an origin is the one wanted, with or without a suffix.
func isOf(wanted, origin string) bool {
	rest, begins := strings.CutPrefix(origin, wanted)
	return begins && (rest == "" || isSuffix(rest))
}

func isSuffix(s string) bool {
	return len(s) == 1+suffixSize && s[0] == '/' && strings.Trim(s[1:], "0123456789abcdef") == ""
}

// wantedOrigin is the origin without a suffix: the one that is set, that which a
// key has by now, or one of the vault's own.
func (v *Vault) wantedOrigin(named string) string {
	if v.signing.origin != "" {
		return v.signing.origin
	}
	if origin, _, ok := strings.Cut(named, "+"); ok {
		if at := strings.LastIndexByte(origin, '/'); at > 0 && isSuffix(origin[at:]) {
			origin = origin[:at]
		}
		return origin
	}
	return "strongroom/" + v.ID()
}

// firstOrigin is the origin of a vault's first signer, and of that after a restore:
// the entry vault.restored tells the one history from the other.
func (v *Vault) firstOrigin(ctx context.Context) (string, error) {
	origin := v.wantedOrigin("")
	restored, err := v.restored.last(ctx, v)
	if err == nil && !restored.hash.IsZero() {
		origin += "/" + restored.hash.String()[:suffixSize]
	}
	return origin, err
}

// readSignKey returns the key in sign.key, which is the one that the log names, or,
// if it names none, any; nil if there is no file. One whose entry is written, and
// whose file has not got its name yet, gets it.
func (v *Vault) readSignKey(named string) (*audit.Key, error) {
	path := filepath.Join(v.dir, fileSignKey)
	if v.signing.key.Name() != "" && v.signing.key.Verifier() == named {
		if _, err := os.Lstat(path); err == nil {
			key := v.signing.key
			return &key, nil
		}
	}
	next := filepath.Join(v.dir, fileNextKey)
	if key, err := readKey(next); err == nil && key != nil && key.Verifier() == named {
		if err := blobstore.Rename(next, path); err != nil {
			return nil, err
		}
	}
	key, err := readKey(path)
	if err != nil || key != nil && named != "" && key.Verifier() != named {
		err = &SignKeyError{Path: path, Verifier: named, Err: err}
	}
	return key, err
}

// wrongSignKey is the *SignKeyError that readSignKey would return. It is for who only
// looks, and needs no turn.
func (v *Vault) wrongSignKey(named string) error {
	if key, err := readKey(filepath.Join(v.dir, fileNextKey)); err == nil && key != nil && key.Verifier() == named {
		return nil
	}
	path := filepath.Join(v.dir, fileSignKey)
	if key, err := readKey(path); err != nil || key != nil && key.Verifier() != named {
		return &SignKeyError{Path: path, Verifier: named, Err: err}
	}
	return nil
}

// readKey returns nil if there is no file.
func readKey(path string) (*audit.Key, error) {
	f, err := blobstore.OpenRegular(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const most = 1 << 10 // an origin has 255 bytes
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return nil, err
	}
	key, err := audit.ParseKey(text)
	return &key, err
}

// newSigner makes a key, or gives the one there is another name, and has the log name
// it. A crash before the entry leaves a file that the next one overwrites; after it,
// one that is found by what the log names.
func (v *Vault) newSigner(ctx context.Context, origin string, of *audit.Key) (key audit.Key, err error) {
	if of == nil {
		key, err = audit.NewKey(origin, rand.Reader)
	} else {
		key, err = of.Renamed(origin)
	}
	if err != nil {
		return audit.Key{}, invalid("origin", "%q cannot name a log: 1 to 255 letters, digits and signs, without blanks and +", origin)
	}
	next := filepath.Join(v.dir, fileNextKey)
	if err := blobstore.WriteFile(next, key.Marshal()); err != nil {
		return audit.Key{}, err
	}
	vkey := key.Verifier()
	_, _, err = update(v, ctx, System(), func(t *tx) (struct{}, audit.Event, error) {
		t.Put(bucketMeta, metaSigner, []byte(vkey))
		t.Delete(bucketMeta, metaSecond) // it is named anew, under this origin: see nameSecond
		return struct{}{}, audit.Event{Op: audit.OpVaultSigner, Facts: audit.Facts{"vkey": audit.Text(vkey)}}, nil
	})
	if err == nil {
		err = blobstore.Rename(next, filepath.Join(v.dir, fileSignKey))
	}
	if err != nil {
		return audit.Key{}, err
	}
	v.signing.key = key
	return key, nil
}

// setOrigin checks the name of the log that a host gives.
func (s *signing) setOrigin(origin string) error {
	if origin != "" && !ValidOrigin(origin) {
		return invalid("origin", "%q cannot name a log: 1 to %d letters, digits and . _ ~ / : - , such as vault.example.com/log, and no 16 hexadecimal digits at its end", origin, originRoom)
	}
	s.origin = origin
	return nil
}

// ValidOrigin says whether a log can have this name: see Options.Origin.
func ValidOrigin(origin string) bool {
	return origin != "" && len(origin) <= originRoom && strings.Trim(origin, originSigns) == "" &&
		!isSuffix(origin[max(0, strings.LastIndexByte(origin, '/')):])
}

// originRoom leaves room for a suffix in what the name of a key may have.
const originRoom = 255 - 1 - suffixSize

const originSigns = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~/:-"
