package cli

import (
	"context"
	"fmt"
	"net/url"

	"strongroom/engine"
	"strongroom/httpapi/control"
	"strongroom/httpapi/datadir"
)

func (p *Program) userSetCommand() command {
	return command{
		name:     "user set",
		operands: "USER",
		summary:  "change a user's name, e-mail address or access",
		about: `Changes what is given of a user, who is named by id or by e-mail address, and leaves
the rest alone. An empty --email takes the address away. Access that is lowered is
lower at once, for keys that are in use as well. The last administrator stays one.

Prints nothing to standard output or, with --json, the JSON object of
GET /v1/users/ID. Works on a vault at rest, or through the control socket of the
server that serves it, as the actor "operator".`,
		example: `strongroom user set grace@example.com --access admin --name "Grace B. M. Hopper"`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.place(&at)
			var name, email givenValue
			var access accessValue
			f.set.Var(&name, "name", "`NAME` of the user")
			f.set.Var(&email, "email", "`ADDRESS` of the user, unique in the vault; \"\" for none")
			f.set.Var(&access, "access", "`LEVEL` of access: view, upload, auditor or admin")
			asJSON := f.asJSON()
			return func(ctx context.Context, operands []string) error {
				patch := map[string]any{}
				if name.given {
					patch["name"] = name.text
				}
				if email.given {
					patch["email"] = email.text
				}
				if access != 0 {
					patch["access"] = engine.Access(access)
				}
				if len(patch) == 0 && len(operands) == 1 {
					return usagef("nothing is to be changed; give --name, --email or --access")
				}
				return p.patchUser(ctx, at, "user set", operands, patch, *asJSON)
			}
		},
	}
}

func (p *Program) userCloseCommand() command {
	return command{
		name:     "user close",
		operands: "USER",
		summary:  "close a user's account, whose keys stop at once",
		about: `Closes the account of a user, who is named by id or by e-mail address: their keys
are refused from now on. What they made stays, and stays theirs. Closing a closed
account changes nothing. The last administrator cannot be closed.

Prints nothing to standard output or, with --json, the JSON object of
GET /v1/users/ID. Works on a vault at rest, or through the control socket of the
server that serves it, as the actor "operator".`,
		example: `strongroom user add --name "Alan Turing" --email alan@example.com
strongroom user close alan@example.com`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.place(&at)
			asJSON := f.asJSON()
			return func(ctx context.Context, operands []string) error {
				return p.patchUser(ctx, at, "user close", operands, map[string]any{"status": "closed"}, *asJSON)
			}
		},
	}
}

// patchUser changes the user that the one operand of a command names.
func (p *Program) patchUser(ctx context.Context, at datadir.Place, command string, operands []string, patch map[string]any, asJSON bool) error {
	if len(operands) != 1 || operands[0] == "" {
		return usagef("%s takes one user, by id or e-mail address; `strongroom user list` shows them", command)
	}
	var changed answer[userRow]
	err := withVault(ctx, at, func(o *control.Client) error {
		id, err := findUser(ctx, o, operands[0])
		if err != nil {
			return err
		}
		return o.Call(ctx, "PATCH", "/v1/users/"+url.PathEscape(id), patch, &changed)
	})
	if err != nil {
		return err
	}
	if asJSON {
		return p.writeAnswer(changed.sent, true, "")
	}
	u := changed.row
	_, err = fmt.Fprintf(p.Stderr, "user %s (%s): access %s, %s\n", u.ID, plain(u.Name), u.Access, u.Status)
	return err
}
