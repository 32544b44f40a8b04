package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"strongroom/engine"
	"strongroom/httpapi/control"
	"strongroom/httpapi/datadir"
)

func (p *Program) userAddCommand() command {
	return command{
		name:    "user add",
		summary: "add a user to a vault",
		about: `Adds a user and prints their id to standard output or, with --json, the JSON
object of POST /v1/users. A user enters by an API key:
see ` + "`strongroom help key add`" + `. Access is cumulative: view reads the documents
of the vault, upload also creates documents, versions and metadata, admin also
archives, deletes and governs. auditor stands beside: it reads all that an
admin reads, and changes nothing.

Works on a vault at rest, or through the control socket of the server that
serves it, as the actor "operator".`,
		example: `strongroom user add --name "Grace Hopper" --email grace@example.com --access upload`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.place(&at)
			name := f.set.String("name", "", "`NAME` of the user (required)")
			email := f.set.String("email", "", "`ADDRESS` of the user, unique in the vault")
			access := accessValue(engine.AccessView)
			f.set.Var(&access, "access", "`LEVEL` of access: view, upload, auditor or admin")
			asJSON := f.asJSON()
			return func(ctx context.Context, _ []string) error {
				if *name == "" {
					return usagef("--name is missing: whose account is it?")
				}
				in := struct {
					Name   string        `json:"name"`
					Email  string        `json:"email"`
					Access engine.Access `json:"access"`
				}{*name, *email, engine.Access(access)}
				var added answer[userRow]
				err := withVault(ctx, at, func(o *control.Client) error {
					return o.Call(ctx, "POST", "/v1/users", in, &added)
				})
				if err != nil {
					return err
				}
				return p.writeAnswer(added.sent, *asJSON, added.row.ID)
			}
		},
	}
}

func (p *Program) userListCommand() command {
	return command{
		name:    "user list",
		summary: "list the users of a vault",
		about: `Lists the users of a vault, as columns for people or, with --json, as the JSON
objects of GET /v1/users, one to a line.`,
		example: `strongroom user list`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.place(&at)
			asJSON := f.asJSON()
			return func(ctx context.Context, _ []string) error {
				return withVault(ctx, at, func(o *control.Client) error {
					items, err := o.List(ctx, "/v1/users")
					if err != nil {
						return err
					}
					if *asJSON {
						return p.writeLines(items)
					}
					return writeTable(p.Stdout, items, []string{"ID", "NAME", "E-MAIL", "ACCESS", "STATUS"}, func(u userRow) []string {
						return []string{u.ID, u.Name, u.Email, u.Access, u.Status}
					})
				})
			}
		},
	}
}

// userRow is what the commands need of a user.
type userRow struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Email  string `json:"email"`
	Access string `json:"access"`
	Status string `json:"status"`
}

// findUser returns the id of a user who is named by id, in either spelling, or
// by e-mail address, whatever its case: only an address has an @.
func findUser(ctx context.Context, o *control.Client, who string) (string, error) {
	var u userRow
	if !strings.Contains(who, "@") {
		err := o.Call(ctx, "GET", "/v1/users/"+url.PathEscape(who), nil, &u)
		if refused, ok := errors.AsType[*control.Refusal](err); ok && refused.Status == http.StatusNotFound {
			return "", unknownUser(who)
		}
		return u.ID, err
	}
	items, err := o.List(ctx, "/v1/users")
	if err != nil {
		return "", err
	}
	for _, item := range items {
		if err := json.Unmarshal(item, &u); err != nil {
			return "", err
		}
		if strings.EqualFold(engine.NFC(u.Email), engine.NFC(who)) {
			return u.ID, nil
		}
	}
	return "", unknownUser(who)
}

func unknownUser(who string) error {
	return fmt.Errorf("no user has the id or e-mail address %q; `strongroom user list` shows them", who)
}

// withVault calls work with a line to the vault and closes it.
func withVault(ctx context.Context, at datadir.Place, work func(*control.Client) error) error {
	line, err := control.Open(ctx, at, buildInfo())
	if err != nil {
		return err
	}
	return errors.Join(work(line), line.Close())
}

// accessValue is the flag --access.
type accessValue engine.Access

func (a *accessValue) String() string {
	if engine.Access(*a) == engine.AccessNone {
		return ""
	}
	return engine.Access(*a).String()
}

func (a *accessValue) Set(s string) error { return (*engine.Access)(a).UnmarshalText([]byte(s)) }
