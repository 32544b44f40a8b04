package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"strongroom/audit"
	"strongroom/blobstore"
)

// The files of a backup, beside those of its archive.
const (
	fileManifest   = "manifest.json"
	fileHead       = "head.txt"
	databasePrefix = "vault-"
	fileCheckDB    = "vault.db.check" // a copy that is put together to be looked at
)

// backupFormat is the highest format of backups that this package reads. It writes 2
// where files are missing, else 1.
const backupFormat = 2

const (
	// maxManifest is more than a manifest ever has: some 150 bytes for 2 GiB of
	// the database, and 75 for each of maxDamaged files.
	maxManifest = 2 << 20
	// maxSize bounds what a manifest says of bytes, so that sums of it are right.
	maxSize = 1 << 60
)

// Backup is what the manifest of a backup says of it.
type Backup struct {
	VaultID, Vault string // id and name
	Head           audit.Head
	Made           time.Time
	Database       []blobstore.Part // its files, in order
	Blobs          uint64
	Bytes          int64 // of the blobs
	// Missing are blobs that the database names, and neither vault nor backup had
	// whole; the first 10,000.
	Missing []Digest
	Lost    uint64 // how many those are in all
}

// manifest is Backup as it is written.
type manifest struct {
	Format   int            `json:"strongroomBackup"`
	VaultID  string         `json:"vaultId"`
	Vault    string         `json:"vault"`
	Made     string         `json:"made"`
	Head     string         `json:"head"` // the printable head
	Database []manifestPart `json:"database"`
	Blobs    uint64         `json:"blobs"`
	Bytes    int64          `json:"bytes"`
	Missing  []string       `json:"missing,omitempty"`
	Lost     uint64         `json:"lost,omitzero"`
	Check    string         `json:"check"` // SHA-256 of the manifest as it is spelled with this empty
}

// manifestPart is a blobstore.Part as it is written.
type manifestPart struct {
	File   string `json:"file"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

func (m manifest) spell() ([]byte, error) {
	text, err := json.MarshalIndent(m, "", "  ")
	return append(text, '\n'), err
}

// check is what Check must be.
func (m manifest) check() (string, error) {
	m.Check = ""
	text, err := m.spell()
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}

// databaseName is never that of an earlier backup, whose files are left alone.
func databaseName() string { return databasePrefix + NewID() + ".db" }

// write replaces the manifest: from here on the backup in dir is this one.
func (b *Backup) write(dir string) error {
	m := manifest{
		Format: 1, VaultID: b.VaultID, Vault: b.Vault, Made: audit.FormatTime(b.Made), Head: b.Head.Text(),
		Blobs: b.Blobs, Bytes: b.Bytes, Lost: b.Lost,
	}
	if b.Lost > 0 {
		m.Format = 2
	}
	for _, d := range b.Missing {
		m.Missing = append(m.Missing, d.String())
	}
	for _, p := range b.Database {
		m.Database = append(m.Database, manifestPart(p))
	}
	var err error
	if m.Check, err = m.check(); err != nil {
		return err
	}
	text, err := m.spell()
	if err != nil {
		return err
	}
	return blobstore.WriteFile(filepath.Join(dir, fileManifest), text)
}

// ReadBackup says what the backup in dir is. ErrNoBackup if there is none,
// ErrFormat if a newer version made it or its manifest cannot be read.
func ReadBackup(dir string) (Backup, error) {
	path := filepath.Join(dir, fileManifest)
	f, err := blobstore.OpenRegular(path)
	if errors.Is(err, os.ErrNotExist) {
		return Backup{}, fmt.Errorf("%w: %s", ErrNoBackup, dir)
	}
	if err != nil {
		return Backup{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxManifest))
	if err != nil {
		return Backup{}, err
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return Backup{}, fmt.Errorf("%w: %s: %w", ErrFormat, path, err)
	}
	if m.Format > backupFormat {
		return Backup{}, fmt.Errorf("%w: %s has format %d, this version reads up to %d; use a newer strongroom", ErrFormat, path, m.Format, backupFormat)
	}
	b := Backup{VaultID: m.VaultID, Vault: m.Vault, Blobs: m.Blobs, Bytes: m.Bytes, Lost: m.Lost}
	for _, p := range m.Database {
		b.Database = append(b.Database, blobstore.Part(p))
	}
	var badHead, badTime error
	b.Head, badHead = audit.ParseHead(m.Head)
	b.Made, badTime = audit.ParseTime(m.Made)
	check, badCheck := m.check()
	spelled, badSpelling := m.spell()
	err = errors.Join(badHead, badTime, badCheck, badSpelling)
	switch {
	case err != nil:
	case check != m.Check || !bytes.Equal(spelled, text):
		err = errors.New("it was changed: its check is not that of what it says")
	case m.Format < 1 || len(m.Database) == 0 || !ValidName(m.Vault) || b.Head.Vault != m.VaultID:
		err = errors.New("what it says does not fit together")
	}
	left := int64(maxSize)
	for _, p := range append(b.Database, blobstore.Part{File: ".", Size: m.Bytes}) {
		if p.Size < 0 || p.Size > left {
			return Backup{}, fmt.Errorf("%w: %s: what it says of sizes cannot be", ErrFormat, path)
		}
		left -= p.Size
	}
	for _, p := range m.Database {
		if p.File != filepath.Base(p.File) || !filepath.IsLocal(p.File) {
			err = fmt.Errorf("%q is no name of a file", p.File)
		}
	}
	for _, text := range m.Missing {
		d, bad := blobstore.ParseDigest(text)
		if b.Missing = append(b.Missing, d); bad != nil {
			err = bad
		}
	}
	if err != nil {
		return Backup{}, fmt.Errorf("%w: %s: %w", ErrFormat, path, err)
	}
	return b, nil
}

// databaseSize is that of the parts together.
func databaseSize(parts []blobstore.Part) (size int64) {
	for _, p := range parts {
		size += p.Size
	}
	return size
}

// joinParts puts the parts of a database together in a new file at path,
// durably, and compares each with its digest. *DamagedError names those that
// are wrong, and leaves nothing.
func joinParts(ctx context.Context, dir string, parts []blobstore.Part, path string) (err error) {
	f, err := blobstore.CreateFresh(path)
	if err != nil {
		return err
	}
	var wrong []string
	for _, p := range parts {
		switch err := joinPart(ctx, filepath.Join(dir, p.File), p, f); {
		case ctx.Err() != nil:
			return errors.Join(ctx.Err(), f.Close(), os.Remove(path))
		case blobstore.IsNoSpace(err):
			return errors.Join(fmt.Errorf("%w: %w", ErrNoSpace, err), f.Close(), os.Remove(path))
		case err != nil:
			wrong = append(wrong, err.Error())
		}
	}
	if wrong != nil {
		return errors.Join(&DamagedError{Files: wrong}, f.Close(), os.Remove(path))
	}
	return errors.Join(f.Sync(), f.Close(), blobstore.SyncDir(filepath.Dir(path)))
}

func joinPart(ctx context.Context, path string, p blobstore.Part, to io.Writer) error {
	f, err := blobstore.OpenRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(to, sum), io.LimitReader(&until{ctx, f}, p.Size+1))
	if err != nil {
		return err
	}
	if found := hex.EncodeToString(sum.Sum(nil)); size != p.Size || found != p.SHA256 {
		return fmt.Errorf("%s: its %d bytes have the SHA-256 %s, the manifest says %d and %s", path, size, found, p.Size, p.SHA256)
	}
	return nil
}

// until is a reader that ends with a context.
type until struct {
	ctx context.Context
	r   io.Reader
}

func (u *until) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}
