package daemon

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"strongroom/blobstore"
	"strongroom/engine"
	"strongroom/httpapi/datadir"
)

// namesToServe returns the vaults of a data directory; with none, it makes the
// first.
func (o Options) namesToServe(ctx context.Context) ([]string, error) {
	at := o.Place
	names, err := datadir.Vaults(at.Data)
	if err != nil || len(names) > 0 {
		return names, err
	}
	at.Vault = "main"
	secret, err := datadir.Create(ctx, at, engine.NewUser{Name: "Administrator", Access: engine.AccessAdmin})
	if err != nil {
		return nil, err
	}
	path := filepath.Join(at.Data, datadir.FirstKeyName)
	if err := blobstore.WriteFile(path, []byte(secret.Reveal()+"\n")); err != nil {
		return nil, fmt.Errorf("vault %q is made, but the key of its administrator could not be kept: %w; make another by `strongroom key add`", at.Vault, err)
	}
	fmt.Fprintf(o.Stderr, "made the vault %q; the API key of its administrator is in %s\n", at.Vault, path)
	if o.Terminal {
		fmt.Fprintf(o.Stderr, "the key: %s\n", secret.Reveal())
	}
	return []string{at.Vault}, datadir.GiveLike(at.Data, path)
}

// openVaults opens all vaults under a data directory. One that is damaged is
// logged and left out, with the reason in unopened, so that it does not take the
// others along; one that another process holds is an error, for then something
// is going on that a person has to know of.
func openVaults(at datadir.Place, names []string, log zerolog.Logger) (vaults map[string]*engine.Vault, loans loans, unopened map[string]string, err error) {
	vaults, unopened = make(map[string]*engine.Vault, len(names)), map[string]string{}
	for _, name := range names {
		at.Vault = name
		loan, err := datadir.Borrow(at)
		if err != nil {
			return nil, nil, nil, errors.Join(err, closeVaults(vaults), loans.giveBack())
		}
		v, err := datadir.Open(at)
		loans = append(loans, loan)
		if errors.Is(err, engine.ErrVaultInUse) {
			return nil, nil, nil, errors.Join(err, closeVaults(vaults), loans.giveBack())
		}
		if err != nil {
			log.Error().Str("vault", name).Err(err).Msg("vault not opened; the others are served")
			unopened[name] = err.Error()
			continue
		}
		vaults[name] = v
	}
	if len(vaults) == 0 {
		return nil, nil, nil, errors.Join(fmt.Errorf("none of the vaults under %s could be opened; the log says why", at.Data), loans.giveBack())
	}
	return vaults, loans, unopened, nil
}

// loans are the directories of vaults that root serves for their owners.
type loans []*datadir.Loan

// giveBack gives what was made to the owners. The vaults are closed.
func (l loans) giveBack() error {
	var errs []error
	for _, loan := range l {
		errs = append(errs, loan.Return())
	}
	return errors.Join(errs...)
}

func closeVaults(vaults map[string]*engine.Vault) error {
	var errs []error
	for name, v := range vaults {
		if err := v.Close(); err != nil {
			errs = append(errs, fmt.Errorf("vault %q: closing: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// canBePublic refuses names that are no vault's, of --public-log.
func (o Options) canBePublic(names []string) error {
	for _, name := range o.PublicLogs {
		if !slices.Contains(names, name) {
			return fmt.Errorf("--public-log: there is no vault %q; there are %s", name, strings.Join(names, ", "))
		}
	}
	return nil
}
