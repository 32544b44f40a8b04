package cli

import (
	"context"
	"encoding/json"

	"strongroom/httpapi/datadir"
)

// vaultRow is a vault of a data directory.
type vaultRow struct {
	Name      string `json:"name"`
	Directory string `json:"directory"`
}

func (p *Program) vaultListCommand() command {
	return command{
		name:    "vault list",
		summary: "list the vaults of a data directory",
		about: `Lists the vaults of a data directory with their directories, as columns for people
or, with --json, as JSON objects, one to a line. It looks at names and opens no vault:
whether one is sound, ` + "`strongroom doctor`" + ` says.`,
		example: `strongroom vault list`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.data(&at)
			asJSON := f.asJSON()
			return func(context.Context, []string) error { return p.vaultList(at, *asJSON) }
		},
	}
}

func (p *Program) vaultList(at datadir.Place, asJSON bool) error {
	names, err := datadir.Vaults(at.Data)
	if err != nil {
		return err
	}
	var items []json.RawMessage
	for _, at.Vault = range names {
		item, err := json.Marshal(vaultRow{at.Vault, at.Dir()})
		if err != nil {
			return err
		}
		items = append(items, item)
	}
	if asJSON {
		return p.writeLines(items)
	}
	return writeTable(p.Stdout, items, []string{"NAME", "DIRECTORY"}, func(v vaultRow) []string { return []string{v.Name, v.Directory} })
}
