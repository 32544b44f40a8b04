package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"strongroom/audit"
	"strongroom/httpapi/daemon"
)

// instantValue is a flag's instant, as RFC 3339 has it.
type instantValue time.Time

func (v *instantValue) String() string {
	if time.Time(*v).IsZero() {
		return ""
	}
	return audit.FormatTime(time.Time(*v))
}

func (v *instantValue) Set(s string) error {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return errors.New("want an instant such as 2026-11-29T17:45:00Z or 2026-11-29T18:45:00+01:00")
	}
	*v = instantValue(t)
	return nil
}

// restoreFromStore makes a vault of this disk of one in a store, as it was.
func (p *Program) restoreFromStore(ctx context.Context, o restoreOptions) error {
	if o.from != "" || o.log != "" || o.details != "" || len(o.heads) > 0 || o.withoutLog || o.skip {
		return usagef("--store takes the place of --from, and the store has the log: leave out --from, --log, --details, --head, --without-log and --skip-damaged")
	}
	store, err := o.store.open(p.Env, true)
	if err != nil {
		return err
	}
	stop := p.showProgress(func() string { return "restoring " + o.Vault + " from " + store.Address })
	defer stop()
	said := func(text string) {
		stop()
		fmt.Fprintln(p.Stderr, text)
	}
	head, err := daemon.Options{Place: o.Place, Store: store}.RestoreFrom(ctx, o.Vault, time.Time(o.at), said)
	stop()
	if err != nil {
		return err
	}
	if o.json {
		return p.writeJSON(struct {
			Vault     string  `json:"vault"`
			Directory string  `json:"directory"`
			Head      headRow `json:"head"`
		}{o.Vault, o.Dir(), rowOfHead(head)})
	}
	fmt.Fprintf(p.Stderr, "restored vault %q into %s; it is paused: `strongroom resume --vault %[1]s` lets webhooks and retention go on\n", o.Vault, o.Dir())
	_, err = fmt.Fprint(p.Stdout, head.Text())
	return err
}
