package cli

import (
	"context"
	"errors"
	"fmt"

	"strongroom/engine"
	"strongroom/httpapi/datadir"
)

func (p *Program) compactCommand() command {
	return command{
		name:    "compact",
		summary: "give the free pages of a vault's database back to the file system",
		about: `A database does not shrink by itself: pages that are freed are used again, and
until then kept. Compact writes the rows of the vault's database into a new file,
compares the two row by row, and puts the new one in the place of the old. It takes
room for both while it runs. ` + "`strongroom doctor`" + ` says when it is worth it.

The vault must be at rest: stop the server first.`,
		example: `strongroom compact`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.place(&at)
			asJSON := f.asJSON()
			return func(ctx context.Context, _ []string) error { return p.compact(ctx, at, *asJSON) }
		},
	}
}

func (p *Program) compact(ctx context.Context, at datadir.Place, asJSON bool) error {
	if err := datadir.RefuseCopy(at); err != nil {
		return err
	}
	stop := p.showProgress(func() string { return "compacting " + at.Vault })
	defer stop()
	loan, err := datadir.Borrow(at)
	if err != nil {
		return err
	}
	r, err := engine.Compact(ctx, at.Dir(), engine.Options{Name: at.Vault, AllowNetworkFS: at.NetworkFS})
	stop()
	err = errors.Join(err, loan.Return())
	if errors.Is(err, engine.ErrVaultNotFound) {
		return datadir.NotFound(at)
	}
	if err != nil {
		return fmt.Errorf("vault %q: %w", at.Vault, err)
	}
	if asJSON {
		return p.writeJSON(struct {
			Vault  string  `json:"vault"`
			Rows   uint64  `json:"rows"`
			Before int64   `json:"before"` // bytes
			After  int64   `json:"after"`
			Head   headRow `json:"head"`
		}{at.Vault, r.Rows, r.Before, r.After, rowOfHead(r.Head)})
	}
	_, err = fmt.Fprintf(p.Stdout, "%s: %d rows; %d bytes before, %d after\n", at.Vault, r.Rows, r.Before, r.After)
	return err
}
