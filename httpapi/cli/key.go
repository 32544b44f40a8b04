package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/httpapi/control"
	"strongroom/httpapi/datadir"
)

func (p *Program) keyAddCommand() command {
	return command{
		name:    "key add",
		summary: "make an API key for a user",
		about: `Makes an API key and prints it, alone on one line, to standard output or, with
--json, the JSON object of POST /v1/api-keys, whose secret it is. The key is not kept
anywhere: store it now. A key may be narrower than its user, never wider: what it may
do is the lower of the two. A day that it expires on is one of the vault's time zone,
the setting timeZone, and standard error says when that is.

Works on a vault at rest, or through the control socket of the server that
serves it, as the actor "operator".`,
		example: `strongroom key add --user grace@example.com --name scanner --expires 2030-12-31`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.place(&at)
			user := f.set.String("user", "", "`USER` the key is for: id or e-mail address (required)")
			name := f.set.String("name", "", "`NAME` that tells this key from others (required)")
			var access accessValue
			f.set.Var(&access, "access", "`LEVEL` of access: view, upload, auditor or admin (the user's, if not given)")
			var expires expiryValue
			f.set.Var(&expires, "expires", "`TIME` the key stops: 2030-12-31 for the end of that day in the vault's\ntime zone, or 2030-12-31T18:00:00Z (never, if not given)")
			asJSON := f.asJSON()
			return func(ctx context.Context, _ []string) error {
				switch {
				case *user == "":
					return usagef("--user is missing: give the id or e-mail address of the user the key is for")
				case *name == "":
					return usagef("--name is missing: what is the key for?")
				}
				return p.keyAdd(ctx, at, *user, newKey{Name: *name, Access: engine.Access(access)}, expires, *asJSON)
			}
		},
	}
}

// newKey is the body of POST /v1/api-keys.
type newKey struct {
	Name      string        `json:"name"`
	UserID    string        `json:"userId"`
	Access    engine.Access `json:"access,omitzero"`
	ExpiresAt string        `json:"expiresAt,omitzero"`
}

func (p *Program) keyAdd(ctx context.Context, at datadir.Place, user string, in newKey, expires expiryValue, asJSON bool) error {
	var made answer[struct {
		Secret string `json:"secret"`
	}]
	var zone string
	err := withVault(ctx, at, func(o *control.Client) (err error) {
		if in.UserID, err = findUser(ctx, o, user); err != nil {
			return err
		}
		if in.ExpiresAt, zone, err = expires.in(ctx, o); err != nil {
			return err
		}
		return o.Call(ctx, "POST", "/v1/api-keys", in, &made)
	})
	if err != nil {
		return err
	}
	if zone != "" {
		fmt.Fprintf(p.Stderr, "the key stops at %s, the end of %s in %s\n", in.ExpiresAt, expires.day.Format(time.DateOnly), zone)
	}
	return p.writeAnswer(made.sent, asJSON, made.row.Secret)
}

func (p *Program) keyListCommand() command {
	return command{
		name:    "key list",
		summary: "list the API keys of a vault",
		about: `Lists the API keys of a vault, never their secrets, as columns for people or, with
--json, as the JSON objects of GET /v1/api-keys, one to a line.`,
		example: `strongroom key list`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.place(&at)
			asJSON := f.asJSON()
			return func(ctx context.Context, _ []string) error {
				return withVault(ctx, at, func(o *control.Client) error {
					items, err := o.List(ctx, "/v1/api-keys")
					if err != nil {
						return err
					}
					if *asJSON {
						return p.writeLines(items)
					}
					return writeTable(p.Stdout, items, []string{"ID", "NAME", "USER", "ACCESS", "EXPIRES", "REVOKED"}, func(k keyRow) []string {
						return []string{k.ID, k.Name, k.UserID, k.Access, k.ExpiresAt, k.RevokedAt}
					})
				})
			}
		},
	}
}

// keyRow is what the commands need of a key.
type keyRow struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	UserID    string `json:"userId"`
	Access    string `json:"access"`
	ExpiresAt string `json:"expiresAt"`
	RevokedAt string `json:"revokedAt"`
}

func (p *Program) keyRevokeCommand() command {
	return command{
		name:     "key revoke",
		operands: "ID",
		summary:  "revoke an API key at once",
		about: `Revokes an API key: from now on it is refused. With --json, its JSON object as in
GET /v1/api-keys/ID is printed. The operand is the key's id as
` + "`strongroom key list`" + ` shows it; it is also the part of the key between its second
and third underscore. Revoking a revoked key changes nothing.

Works on a vault at rest, or through the control socket of the server that
serves it, as the actor "operator".`,
		example: `strongroom key revoke 01JTZ0Q4W8M3V5N7R9X2B4C6D8`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.place(&at)
			asJSON := f.asJSON()
			return func(ctx context.Context, operands []string) error {
				if len(operands) != 1 || operands[0] == "" {
					return usagef("key revoke takes one id; `strongroom key list` shows them")
				}
				var revoked answer[keyRow]
				err := withVault(ctx, at, func(o *control.Client) error {
					return o.Call(ctx, "DELETE", "/v1/api-keys/"+url.PathEscape(operands[0]), nil, &revoked)
				})
				if refused, ok := errors.AsType[*control.Refusal](err); ok && refused.Status == http.StatusNotFound {
					return fmt.Errorf("no key has the id %q; `strongroom key list` shows them", operands[0])
				}
				if err != nil {
					return err
				}
				if *asJSON {
					return p.writeLines([]json.RawMessage{revoked.sent})
				}
				_, err = fmt.Fprintf(p.Stderr, "key %s (%s) is revoked since %s\n", revoked.row.ID, plain(revoked.row.Name), revoked.row.RevokedAt)
				return err
			}
		},
	}
}

// expiryValue is the flag --expires: a time, or a day that is valid to its end.
// Both are zero if it is not given.
type expiryValue struct{ time, day time.Time }

// in returns the time as the API spells it, "" if there is none. Where a day ends
// depends on the vault; its time zone is returned if that was asked for.
func (e *expiryValue) in(ctx context.Context, o *control.Client) (at, zone string, err error) {
	switch {
	case !e.time.IsZero():
		return audit.FormatTime(e.time), "", nil
	case e.day.IsZero():
		return "", "", nil
	}
	var settings struct {
		TimeZone string `json:"timeZone"`
	}
	if err := o.Call(ctx, "GET", "/v1/settings", nil, &settings); err != nil {
		return "", "", err
	}
	location, err := time.LoadLocation(settings.TimeZone)
	if err != nil {
		return "", "", err
	}
	return audit.FormatTime(e.endIn(location)), settings.TimeZone, nil
}

// endIn is the first instant after the day.
func (e *expiryValue) endIn(location *time.Location) time.Time {
	year, month, day := e.day.Date()
	return time.Date(year, month, day+1, 0, 0, 0, 0, location)
}

func (e *expiryValue) String() string { return "" }

func (e *expiryValue) Set(s string) (err error) {
	*e = expiryValue{}
	if e.day, err = time.Parse(time.DateOnly, s); err == nil {
		return nil
	}
	if e.time, err = time.Parse(time.RFC3339, s); err != nil {
		return errors.New("want a day such as 2030-12-31 or a time such as 2030-12-31T18:00:00Z")
	}
	return nil
}
