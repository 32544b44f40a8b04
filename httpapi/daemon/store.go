package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"strongroom/blobstore/object"
	"strongroom/engine"
	"strongroom/httpapi/datadir"
)

// Store says in which store of objects the vaults live, and what this server is among
// those that share it.
type Store struct {
	Objects object.Store // what is below the prefix that all vaults have in common
	Address string       // as a person writes it: s3://BUCKET/PREFIX
	// Check finds out whether vaults may live there: a bucket that keeps versions, or a
	// store that does not keep conditions, is refused. Nil: nobody looks.
	Check func(context.Context) error
	// Locks is what is below the same prefix in the bucket LockBucket, which locks the bytes
	// of documents that are held or protected by compliance: it has the bytes of all
	// vaults. Nil: they are in Objects, and nothing locks them.
	Locks      object.Locker
	LockBucket string
	Key        *[32]byte     // that the servers share; nil: this one is alone
	History    time.Duration // 0: 7 days
	Cache      int64         // bytes of copies on the local disk, of all vaults; 0: 10 GiB
	PeerURL    string        // what other servers pass requests on to; "": they cannot
	Server     string        // a name, for people
	Lease      time.Duration // after which another takes over from an owner that is gone, of all servers; 0: 15 s
}

const defaultCache = 10 << 30

// of is the store of one vault.
func (s *Store) of(vault string) object.Store { return object.Under(s.Objects, vault+"/") }

// try is Check, and says which store it is.
func (s *Store) try(ctx context.Context) error {
	if s.Check == nil {
		return nil
	}
	if err := s.Check(ctx); err != nil {
		return fmt.Errorf("--store %s: %w", s.Address, err)
	}
	return nil
}

// Vaults lists the vaults of the store, by name. What is listed is asked for by its
// name: a listing alone decides nothing.
func (s *Store) Vaults(ctx context.Context) ([]string, error) {
	var names []string
	enough := errors.New("one is enough")
	for after := ""; ; {
		found := ""
		err := s.Objects.List(ctx, "", after, func(info object.Info) error {
			found = info.Key
			return enough
		})
		if err != nil && !errors.Is(err, enough) {
			return nil, fmt.Errorf("list the vaults of %s: %w", s.Address, err)
		}
		if found == "" {
			return names, nil
		}
		name, _, below := strings.Cut(found, "/")
		after = found
		if !below {
			continue
		}
		after = name + "0" // the first key that is not below this one: a zero follows the slash
		there, err := s.holds(ctx, name)
		if err != nil {
			return nil, err
		}
		if there {
			names = append(names, name)
		}
	}
}

// holds reports whether a vault lives in the store.
func (s *Store) holds(ctx context.Context, name string) (bool, error) {
	if !engine.ValidName(name) {
		return false, nil
	}
	_, err := s.Objects.Stat(ctx, name+"/snapshot")
	if errors.Is(err, object.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for the vault %q in %s: %w", name, s.Address, err)
	}
	return true, nil
}

// claim is who makes the first vault of a store, in the object firstKey, which is no
// vault's. Two servers that are started with a new store make one vault.
type claim struct {
	Server string `json:"server"`
	Data   string `json:"data"`
}

const (
	firstKey = "first-vault"
	// claimAge is when who made a claim is gone: to make a vault takes some seconds.
	claimAge  = time.Minute
	claimWait = time.Second // between two looks
)

// vaultsToServe returns the vaults of the store; with none, it makes the first.
func (o Options) vaultsToServe(ctx context.Context, log zerolog.Logger) ([]string, error) {
	s := o.Store
	for {
		names, err := s.Vaults(ctx)
		if err != nil {
			return nil, err
		}
		if len(names) > 0 {
			return names, o.refuseStrays(names)
		}
		made, err := o.makeFirst(ctx, log)
		if err != nil || made {
			return []string{"main"}, err
		}
		log.Info().Str("store", s.Address).Msg("another server makes the first vault; waiting for it")
		if wait(ctx, claimWait); ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

// refuseStrays refuses a data directory with vaults that are not in the store: to serve
// them from the disk beside the others would be a surprise when the disk burns.
func (o Options) refuseStrays(names []string) error {
	local, err := datadir.Vaults(o.Place.Data)
	if err != nil {
		return err
	}
	for _, name := range local {
		if slices.Contains(names, name) {
			continue
		}
		at := o.Place
		at.Vault = name
		if datadir.IsCopy(at) {
			return fmt.Errorf("vault %q: %s is a working copy of a vault that is not in %s: give the --store it came from; if the vault was moved out of it, remove the copy",
				name, at.Dir(), o.Store.Address)
		}
		return fmt.Errorf("vault %q is in the data directory %s and not in %s: `strongroom vault move %[1]s --to %[3]s` brings it there; or give another --data",
			name, o.Place.Data, o.Store.Address)
	}
	return nil
}

// makeFirst makes the first vault of a store; false if another server is at it.
func (o Options) makeFirst(ctx context.Context, log zerolog.Logger) (made bool, err error) {
	own, err := json.Marshal(claim{o.Store.Server, o.dataName()})
	if err != nil {
		return false, err
	}
	_, err = o.Store.Objects.Put(ctx, firstKey, own, object.Condition{Absent: true})
	if errors.Is(err, object.ErrExists) {
		if mine, err := o.takeClaim(ctx, own); err != nil || !mine {
			return false, err
		}
	} else if err != nil {
		return false, fmt.Errorf("make the first vault of %s: %w", o.Store.Address, err)
	} else if err := o.refuseStrays(nil); err != nil {
		return false, errors.Join(err, o.Store.Objects.Delete(ctx, firstKey))
	}
	names, err := o.namesToServe(ctx) // those it has made before it was killed, or a new one
	if err != nil {
		return false, err
	}
	if !slices.Equal(names, []string{"main"}) {
		return false, o.refuseStrays(nil)
	}
	if err := o.MoveIn(ctx, "main", Moving{Log: log}); err != nil {
		return false, err
	}
	return true, o.Store.Objects.Delete(ctx, firstKey)
}

// dataName tells data directories of one machine apart.
func (o Options) dataName() string {
	path, err := filepath.Abs(o.Place.Data)
	if err != nil {
		return o.Place.Data
	}
	host, _ := os.Hostname()
	return host + ":" + path
}

// takeClaim reports whether the claim is this server's own, from before it was ended,
// or was somebody's who is gone.
func (o Options) takeClaim(ctx context.Context, own []byte) (mine bool, err error) {
	b, info, err := object.Read(ctx, o.Store.Objects, firstKey)
	if errors.Is(err, object.ErrNotFound) {
		return false, nil // it is done
	}
	if err != nil {
		return false, err
	}
	if string(b) == string(own) {
		return true, nil
	}
	if info.Now.IsZero() || info.Now.Sub(info.Modified) < claimAge {
		return false, nil
	}
	if err := o.refuseStrays(nil); err != nil {
		return false, err
	}
	_, err = o.Store.Objects.Put(ctx, firstKey, own, object.Condition{Match: info.ETag})
	if errors.Is(err, object.ErrChanged) {
		return false, nil
	}
	return err == nil, err
}
