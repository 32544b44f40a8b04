package cli

import (
	"context"
	"fmt"
	"strings"

	"strongroom/engine"
	"strongroom/httpapi/datadir"
)

func (p *Program) initCommand() command {
	return command{
		name:    "init",
		summary: "create a vault, its first administrator and an API key",
		about: `Creates a vault under the data directory, with a first user of admin access, and
prints that user's API key, alone on one line, to standard output. The key is
not kept anywhere: store it now. A vault that exists is refused.

A vault is an organization: it shares nothing with the other vaults under the
same data directory. A running server serves a new vault after its next start.

With --json the key is a member of a JSON object, beside the vault's name and directory.`,
		example: `strongroom init --vault legal --admin "Ada Lovelace <ada@example.com>"`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.place(&at)
			admin := f.set.String("admin", "Administrator", "`NAME` of the first administrator, with an e-mail\naddress if there is one: \"Ada Lovelace <ada@example.com>\"")
			asJSON := f.asJSON()
			return func(ctx context.Context, _ []string) error {
				return p.init(ctx, at, *admin, *asJSON)
			}
		},
	}
}

func (p *Program) init(ctx context.Context, at datadir.Place, admin string, asJSON bool) error {
	user, err := parseAdmin(admin)
	if err != nil {
		return err
	}
	secret, err := datadir.Create(ctx, at, user)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Stderr, "created vault %q in %s; this is the API key of its administrator, shown this once:\n", at.Vault, at.Dir())
	if asJSON {
		return p.writeJSON(struct {
			Vault     string `json:"vault"`
			Directory string `json:"directory"`
			Secret    string `json:"secret"`
		}{at.Vault, at.Dir(), secret.Reveal()})
	}
	_, err = fmt.Fprintln(p.Stdout, secret.Reveal())
	return err
}

// parseAdmin reads a name, or "name <e-mail>". What names and addresses may
// look like is the engine's to say.
func parseAdmin(s string) (engine.NewUser, error) {
	name, email := strings.TrimSpace(s), ""
	if before, rest, ok := strings.Cut(name, "<"); ok {
		address, after, closed := strings.Cut(rest, ">")
		if !closed || after != "" {
			return engine.NewUser{}, usagef("--admin %q: want a name, or \"Name <e-mail>\"", s)
		}
		name, email = strings.TrimSpace(before), strings.TrimSpace(address)
	}
	if name == "" {
		return engine.NewUser{}, usagef("--admin %q: the name is missing; want \"Name <e-mail>\"", s)
	}
	return engine.NewUser{Name: name, Email: email, Access: engine.AccessAdmin}, nil
}
