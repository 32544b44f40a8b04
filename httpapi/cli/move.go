package cli

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/httpapi/daemon"
	"strongroom/httpapi/datadir"
)

func (p *Program) vaultMoveCommand() command {
	return command{
		name:     "vault move",
		operands: "NAME",
		summary:  "move a vault into a store of objects, or out of one",
		about: `With --to s3://BUCKET/PREFIX, makes a vault of the data directory one that lives in
that store, for servers that are started with --store. With --store s3://BUCKET/PREFIX
and --to DIRECTORY, makes a vault of the store one of that data directory. The vault
must be at rest: no server has it open. Its log goes on unbroken.

The files are copied first, each compared with its digest on the way and read once
more where it has arrived; the database is last, and with it the vault. Until then
nothing has changed, and what was interrupted goes on when the command is repeated.

The source stays: the files of a vault that was moved into a store, all objects of one
that was moved out. With --remove it is removed, once all is verified.`,
		example: `strongroom vault move main --to s3://documents/vaults --store-key store.key`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			var o storeFlags
			f.data(&at)
			f.store(&o)
			to := f.set.String("to", "", "`PLACE` to move it to: s3://BUCKET/PREFIX, or a data directory")
			remove := f.set.Bool("remove", false, "remove the source once all is verified")
			return func(ctx context.Context, operands []string) error {
				if len(operands) != 1 || !engine.ValidName(operands[0]) {
					return usagef("vault move takes the name of a vault; `strongroom vault list` shows those of the data directory")
				}
				at.Vault = operands[0]
				return p.vaultMove(ctx, at, o, *to, *remove)
			}
		},
	}
}

func (p *Program) vaultMove(ctx context.Context, at datadir.Place, o storeFlags, to string, remove bool) error {
	in := strings.HasPrefix(to, "s3://")
	switch {
	case to == "":
		return usagef("vault move: --to is missing; want s3://BUCKET/PREFIX or a data directory")
	case in && o.address != "" && o.address != to:
		return usagef("vault move: --store and --to are two stores; move the vault to a data directory first, and from there to the other store")
	case in:
		o.address = to
	case o.address == "":
		return usagef("vault move: --store is missing; want the s3://BUCKET/PREFIX that the vault lives in")
	default:
		at.Data = to
	}
	store, err := o.open(p.Env, true)
	if err != nil {
		return err
	}
	if err := store.Check(ctx); err != nil {
		return fmt.Errorf("%s: %w", store.Address, err)
	}
	var done, all atomic.Int64
	stop := p.showProgress(func() string { return fmt.Sprintf("%d of %d files", done.Load(), all.Load()) })
	defer stop()
	moving := daemon.Moving{Remove: remove, Log: zerolog.Nop(), Progress: func(d, a int) { done.Store(int64(d)); all.Store(int64(a)) }}
	options := daemon.Options{Place: at, Store: store}
	if in {
		err = options.MoveIn(ctx, at.Vault, moving)
	} else {
		err = options.MoveOut(ctx, at.Vault, moving)
	}
	stop()
	if err != nil {
		return err
	}
	where, left := fmt.Sprintf("%s/%s", store.Address, at.Vault), fmt.Sprintf("%s/blobs may be removed: the files are in the store", at.Dir())
	if !in {
		where, left = at.Dir(), fmt.Sprintf("what is left below %s/%s/ may be removed", store.Address, at.Vault)
	}
	if remove {
		left = "what was there before is removed"
	}
	fmt.Fprintf(p.Stderr, "vault %q is in %s now; %s\n", at.Vault, where, left)
	if in {
		fmt.Fprintf(p.Stderr, "serve it by `strongroom serve --store %s …`\n", store.Address)
	}
	return nil
}
