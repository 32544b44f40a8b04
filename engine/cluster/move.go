package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"strongroom/blobstore/object"
	"strongroom/engine"
)

// Init makes the vault in c.Dir, which nobody may have open, one that lives in the
// store: a snapshot, the pointer to it, and the keys. It goes on where it was interrupted. The
// bytes are the caller's, and must be in the store before. From the pointer on the vault is the
// store's, and c.Dir a working copy, which Join takes up.
//
// object.ErrExists: another vault is there, or this one, and it is ahead. Of two who begin
// at once with one store, one gets it.
func Init(ctx context.Context, cfg Config) error {
	c := &cfg
	if err := c.init(ctx); err != nil {
		return fmt.Errorf("bring the vault into the store: %w", err)
	}
	return nil
}

func (c *Config) init(ctx context.Context) error {
	o := c.Options
	o.Home, o.Follow, o.Create = nil, false, false
	if _, err := os.Stat(filepath.Join(c.Dir, dirBlobs)); err == nil {
		o.Blobs = nil // they are here as well
	} else if c.Blobs != nil {
		o.Blobs = struct{ engine.BlobStore }{c.Blobs}
	}
	v, err := engine.Open(c.Dir, o)
	if err != nil {
		return err
	}
	p, err := c.initOf(ctx, v)
	if err := errors.Join(err, v.Close()); err != nil {
		return err
	}
	if err := c.sealKeys(ctx); err != nil {
		return err
	}
	return c.saveCopyState(copyState{place: p.place, ID: newNonce(), Boot: bootID(), Clean: true})
}

func (c *Config) initOf(ctx context.Context, v *engine.Vault) (pointer, error) {
	group, err := v.Group()
	if err != nil {
		return pointer{}, err
	}
	was, info, err := c.readPointer(ctx)
	condition := object.Condition{Match: info.ETag}
	switch {
	case errors.Is(err, object.ErrNotFound):
		condition = object.Condition{Absent: true}
	case err != nil:
		return pointer{}, err
	case was.Vault != v.ID():
		return pointer{}, fmt.Errorf("%w: the vault %s is there", object.ErrExists, was.Vault)
	case was.Left.IsZero() && was.Commit == group && was.Hash == v.Head().Hash.String():
		return was, nil // this is done
	case was.Left.IsZero() || was.Commit > group:
		return pointer{}, fmt.Errorf("%w: this vault is there, at entry %d, and was not moved out", object.ErrExists, was.Seq)
	}
	s, err := c.putSnapshot(ctx, v, was.Fence, func(commit uint64) (place, error) {
		if commit != group {
			return place{}, fmt.Errorf("the copy of the database is of group %d, and the vault's last is %d", commit, group)
		}
		return place{Commit: commit, Mark: newMark(), Epoch: was.Epoch}, nil
	})
	if err != nil {
		return pointer{}, err
	}
	// What was there before the vault was moved out is no part of this history.
	p := pointer{Vault: v.ID(), snapshot: s, Fence: was.Fence, Clean: was.Clean, CleanAt: was.CleanAt}
	if err := c.saveCollected(ctx, collected{Next: group + 1}); err != nil {
		return pointer{}, err
	}
	return p, c.savePointer(ctx, p, condition)
}

// Leave makes the vault of the store one of the local disk, in c.Dir: it owns the vault, which
// nobody else may do meanwhile, brings the copy up to date, notes in the store that the
// vault has left, and is no member any more. Its log goes on unbroken. The bytes are the
// caller's, and must be below c.Dir before the vault is opened. It may be called again after
// a crash. Whoever joins from then on gets ErrLeft.
//
// engine.ErrFollower: another server owns the vault; stop it first.
func Leave(ctx context.Context, cfg Config) error {
	c := &cfg
	if err := c.leave(ctx); err != nil {
		return fmt.Errorf("move the vault out of the store: %w", err)
	}
	return nil
}

func (c *Config) leave(ctx context.Context) error {
	p, _, err := c.readPointer(ctx)
	if err != nil {
		return noVault(err)
	}
	s, there, err := c.loadCopyState()
	if err != nil {
		return err
	}
	if !p.Left.IsZero() {
		if there && s.Clean && s.Left {
			return c.forgetStore() // the rest of one that was interrupted
		}
		if _, err := os.Stat(engine.Database(c.Dir)); err == nil && !there {
			return nil // all of it was done
		}
		return fmt.Errorf("%w, on %s", ErrLeft, p.Left.Format(time.RFC3339))
	}
	m, err := Join(ctx, *c)
	if err != nil {
		return err
	}
	if m.Role() != Owner {
		return errors.Join(fmt.Errorf("%w: %q does; stop it first", engine.ErrFollower, m.Status().Server), m.Close(ctx))
	}
	if err := m.Close(ctx); err != nil {
		return err
	}
	if s, there, err = c.loadCopyState(); err != nil || !there || !s.Clean {
		return errors.Join(err, errors.New("the working copy was not closed in order"))
	}
	s.Left = true
	if err := c.saveCopyState(s); err != nil {
		return err
	}
	if err := c.noteLeft(ctx, s.place); err != nil {
		s.Left = false
		return errors.Join(err, c.saveCopyState(s))
	}
	return c.forgetStore()
}

// noteLeft writes that the vault has left, after its last commit. Another server may take
// it over at the same time. It puts its takeover and then reads whether the vault has
// left; here that is written and then the takeover is looked for: so one of the two
// finds out, or both, and then the vault stays.
func (c *Config) noteLeft(ctx context.Context, last place) error {
	p, info, err := c.readPointer(ctx)
	if err != nil {
		return err
	}
	if p.Left = storeTime(info); p.Left.IsZero() {
		p.Left = time.Now().UTC().Truncate(time.Second)
	}
	if err := c.savePointer(ctx, p, object.Condition{Match: info.ETag}); err != nil {
		return err
	}
	_, err = c.findCommit(ctx, last.Commit+1)
	if errors.Is(err, object.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if p, info, err = c.readPointer(ctx); err == nil {
		p.Left = time.Time{}
		err = c.savePointer(ctx, p, object.Condition{Match: info.ETag})
	}
	return errors.Join(fmt.Errorf("%w: it took the vault over meanwhile", engine.ErrReplaced), err)
}

// forgetStore makes the working copy an ordinary vault.
func (c *Config) forgetStore() error {
	err := os.Remove(filepath.Join(c.Dir, fileState))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return err
}
