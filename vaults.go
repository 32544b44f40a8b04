package main

import (
	"errors"
	"fmt"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/httpapi/datadir"
)

// openVaults opens all vaults under a data directory. One that is damaged is
// logged and left out, with the reason in unopened, so that it does not take the
// others along; one that another process holds is an error, for then something
// is going on that a person has to know of.
func openVaults(at datadir.Place, names []string, log zerolog.Logger) (vaults map[string]*engine.Vault, unopened map[string]string, err error) {
	vaults, unopened = make(map[string]*engine.Vault, len(names)), map[string]string{}
	for _, name := range names {
		at.Vault = name
		v, err := datadir.Open(at)
		if errors.Is(err, engine.ErrVaultInUse) {
			return nil, nil, errors.Join(err, closeVaults(vaults))
		}
		if err != nil {
			log.Error().Str("vault", name).Err(err).Msg("vault not opened; the others are served")
			unopened[name] = err.Error()
			continue
		}
		vaults[name] = v
	}
	if len(vaults) == 0 {
		return nil, nil, fmt.Errorf("none of the vaults under %s could be opened; the log says why", at.Data)
	}
	return vaults, unopened, nil
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
