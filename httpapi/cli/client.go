package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"strongroom/engine"
	"strongroom/httpapi/control"
	"strongroom/httpapi/datadir"
)

func (p *Program) clientAddCommand() command {
	return command{
		name:    "client add",
		summary: "register a program that signs in by OAuth",
		about: `Registers a program that gets access tokens at /oauth/token, and prints to standard
output, on one line, its client_id and its secret, with a blank between; only the id
if it signs assertions and has no secret. With --json it prints the JSON object of
POST /v1/clients. The secret is not kept anywhere: store it now.

Of the grants, client_credentials and jwt-bearer act as --user, jwt-bearer as anybody
with --impersonates; authorization_code acts as who signs in and consents. A token may
never do more than the client and its user both may.

Works on a vault at rest, or through the control socket of the server that
serves it, as the actor "operator".`,
		example: `strongroom client add --name ERP --grants client_credentials --user grace@example.com`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.place(&at)
			var in clientFlags
			in.define(f)
			asJSON := f.asJSON()
			return func(ctx context.Context, _ []string) error {
				body, err := in.body()
				switch {
				case err != nil:
					return err
				case !in.name.given:
					return usagef("--name is missing: which program is it?")
				case !in.grants.given:
					return usagef("--grants is missing: how does it get tokens?")
				}
				return p.clientAdd(ctx, at, in.user.text, body, *asJSON)
			}
		},
	}
}

// clientFlags are what add and set are given of a client.
type clientFlags struct {
	name, user, grants, redirects, key givenValue
	access                             accessValue
	impersonates                       givenFlag
}

func (in *clientFlags) define(f *flagSet) {
	f.set.Var(&in.name, "name", "`NAME` of the program, as people see it when they consent")
	f.set.Var(&in.grants, "grants", "`GRANT,...`: client_credentials, authorization_code, refresh_token, jwt-bearer")
	f.set.Var(&in.user, "user", "`USER` it acts as: id or e-mail address")
	f.set.Var(&in.access, "access", "`LEVEL` of access at most: view, upload, auditor or admin (the user's, or upload,\nif not given)")
	f.set.Var(&in.impersonates, "impersonates", "let its assertions name any user; `true` or false")
	f.set.Var(&in.redirects, "redirect-uris", "`URI,...` that codes may be sent to")
	f.set.Var(&in.key, "public-key", "`FILE` with the RSA public key, PEM, that its assertions are checked with")
}

// body is what of a request is given; the user is looked up later.
func (in *clientFlags) body() (map[string]any, error) {
	body := map[string]any{}
	if in.name.given {
		body["name"] = in.name.text
	}
	if in.grants.given {
		body["grants"] = split(in.grants.text)
	}
	if in.access != 0 {
		body["access"] = engine.Access(in.access)
	}
	if in.impersonates.given {
		body["impersonates"] = in.impersonates.on
	}
	if in.redirects.given {
		body["redirectUris"] = split(in.redirects.text)
	}
	if in.key.given {
		text, err := os.ReadFile(in.key.text)
		if err != nil {
			return nil, err
		}
		body["publicKey"] = string(text)
	}
	return body, nil
}

func split(list string) []string {
	items := []string{}
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// givenFlag is a flag that is true, false or not given.
type givenFlag struct{ given, on bool }

func (g *givenFlag) String() string   { return "" }
func (g *givenFlag) IsBoolFlag() bool { return true }

func (g *givenFlag) Set(s string) error {
	switch s {
	case "true":
		g.given, g.on = true, true
	case "false":
		g.given, g.on = true, false
	default:
		return errors.New("want true or false")
	}
	return nil
}

func (p *Program) clientAdd(ctx context.Context, at datadir.Place, user string, body map[string]any, asJSON bool) error {
	var made answer[struct {
		ID     string `json:"id"`
		Secret string `json:"secret"`
	}]
	err := withVault(ctx, at, func(o *control.Client) (err error) {
		if user != "" {
			if body["userId"], err = findUser(ctx, o, user); err != nil {
				return err
			}
		}
		return o.Call(ctx, "POST", "/v1/clients", body, &made)
	})
	if err != nil {
		return err
	}
	return p.writeAnswer(made.sent, asJSON, strings.TrimSpace(made.row.ID+" "+made.row.Secret))
}

// clientRow is what the commands need of a client.
type clientRow struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Grants []string `json:"grants"`
	UserID string   `json:"userId"`
	Access string   `json:"access"`
	Status string   `json:"status"`
}

func (p *Program) clientListCommand() command {
	return command{
		name:    "client list",
		summary: "list the programs that sign in by OAuth",
		about: `Lists the clients of a vault, closed ones too, never their secrets, as columns for
people or, with --json, as the JSON objects of GET /v1/clients, one to a line.`,
		example: `strongroom client list`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.place(&at)
			asJSON := f.asJSON()
			return func(ctx context.Context, _ []string) error {
				return withVault(ctx, at, func(o *control.Client) error {
					items, err := o.List(ctx, "/v1/clients")
					if err != nil {
						return err
					}
					if *asJSON {
						return p.writeLines(items)
					}
					return writeTable(p.Stdout, items, []string{"ID", "NAME", "GRANTS", "USER", "ACCESS", "STATUS"}, func(c clientRow) []string {
						return []string{c.ID, c.Name, strings.Join(c.Grants, ","), c.UserID, c.Access, c.Status}
					})
				})
			}
		},
	}
}

func (p *Program) clientSetCommand() command {
	return command{
		name:     "client set",
		operands: "ID",
		summary:  "change a program that signs in by OAuth",
		about: `Changes what is given of a client and leaves the rest alone. What is narrowed is
narrower at once, for tokens that are in use as well. With --rotate it gets another
secret, which is printed alone on one line; the old one is refused from then on.

Otherwise prints nothing to standard output or, with --json, the JSON object of
GET /v1/clients/ID. Works on a vault at rest, or through the control socket of the
server that serves it, as the actor "operator".`,
		example: `strongroom client set 01JTZ0Q4W8M3V5N7R9X2B4C6D8 --access view`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.place(&at)
			var in clientFlags
			in.define(f)
			rotate := f.set.Bool("rotate", false, "give it another secret")
			asJSON := f.asJSON()
			return func(ctx context.Context, operands []string) error {
				body, err := in.body()
				if err != nil {
					return err
				}
				if len(operands) == 1 && len(body) == 0 && !in.user.given && !*rotate {
					return usagef("nothing is to be changed; give --name, --grants, --user, --access, --impersonates, --redirect-uris, --public-key or --rotate")
				}
				return p.clientSet(ctx, at, operands, in.user, body, *rotate, *asJSON)
			}
		},
	}
}

func (p *Program) clientSet(ctx context.Context, at datadir.Place, operands []string, user givenValue, body map[string]any, rotate, asJSON bool) error {
	var rotated answer[struct {
		Secret string `json:"secret"`
	}]
	changed, err := p.changeClient(ctx, at, "client set", operands, func(o *control.Client, path string, changed *answer[clientRow]) (err error) {
		if user.given && user.text == "" {
			body["userId"] = ""
		} else if user.given {
			if body["userId"], err = findUser(ctx, o, user.text); err != nil {
				return err
			}
		}
		if len(body) > 0 {
			err = o.Call(ctx, "PATCH", path, body, changed)
		}
		if err == nil && rotate {
			err = o.Call(ctx, "POST", path+"/rotate", nil, &rotated)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case rotate:
		return p.writeAnswer(rotated.sent, asJSON, rotated.row.Secret)
	}
	return p.sayClient(changed, asJSON)
}

func (p *Program) clientCloseCommand() command {
	return command{
		name:     "client close",
		operands: "ID",
		summary:  "close a program that signs in by OAuth, and end its tokens",
		about: `Closes a client for good: its secret, its assertions and all its tokens are refused
from now on. Closing a closed client changes nothing.

Prints nothing to standard output or, with --json, the JSON object of
GET /v1/clients/ID. Works on a vault at rest, or through the control socket of the
server that serves it, as the actor "operator".`,
		example: `strongroom client close 01JTZ0Q4W8M3V5N7R9X2B4C6D8`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.place(&at)
			asJSON := f.asJSON()
			return func(ctx context.Context, operands []string) error {
				closed, err := p.changeClient(ctx, at, "client close", operands, func(o *control.Client, path string, changed *answer[clientRow]) error {
					return o.Call(ctx, "DELETE", path, nil, changed)
				})
				if err != nil {
					return err
				}
				return p.sayClient(closed, *asJSON)
			}
		},
	}
}

// changeClient changes the client that the one operand of a command names.
func (p *Program) changeClient(ctx context.Context, at datadir.Place, command string, operands []string,
	fn func(*control.Client, string, *answer[clientRow]) error) (changed answer[clientRow], err error) {
	if len(operands) != 1 || operands[0] == "" {
		return changed, usagef("%s takes one id; `strongroom client list` shows them", command)
	}
	err = withVault(ctx, at, func(o *control.Client) error {
		return fn(o, "/v1/clients/"+url.PathEscape(operands[0]), &changed)
	})
	if refused, ok := errors.AsType[*control.Refusal](err); ok && refused.Status == http.StatusNotFound {
		err = fmt.Errorf("no client has the id %q; `strongroom client list` shows them", operands[0])
	}
	return changed, err
}

func (p *Program) sayClient(c answer[clientRow], asJSON bool) error {
	if asJSON {
		return p.writeLines([]json.RawMessage{c.sent})
	}
	_, err := fmt.Fprintf(p.Stderr, "client %s (%s): access %s, %s\n", c.row.ID, plain(c.row.Name), c.row.Access, c.row.Status)
	return err
}
