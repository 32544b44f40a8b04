package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"strongroom/httpapi/control"
	"strongroom/httpapi/datadir"
)

func (p *Program) approvalListCommand() command {
	return command{
		name:    "approval list",
		summary: "list what waits for a second person",
		about: `Lists the requests for what needs two persons (the setting twoPersons) that wait, as
columns for people or, with --json, as the JSON objects of GET /v1/approvals, one to a
line. With --all it lists those too that were decided on or have expired.`,
		example: `strongroom approval list`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.place(&at)
			all := f.set.Bool("all", false, "also those that were decided on or have expired")
			asJSON := f.asJSON()
			return func(ctx context.Context, _ []string) error {
				return withVault(ctx, at, func(o *control.Client) error {
					items, err := o.List(ctx, "/v1/approvals")
					if err != nil {
						return err
					}
					if !*all {
						if items, err = waiting(items); err != nil {
							return err
						}
					}
					if *asJSON {
						return p.writeLines(items)
					}
					return writeTable(p.Stdout, items, []string{"ID", "STATUS", "WHAT", "CALL", "REQUESTED BY", "EXPIRES", "ARGUMENTS"}, func(a approvalRow) []string {
						return []string{a.ID, a.Status, a.What, a.Call, a.RequestedBy, a.ExpiresAt, string(a.Arguments)}
					})
				})
			}
		},
	}
}

// approvalRow is what the commands need of a request for approval.
type approvalRow struct {
	ID          string          `json:"id"`
	What        string          `json:"what"`
	Status      string          `json:"status"`
	PlanDigest  string          `json:"planDigest"`
	RequestedBy string          `json:"requestedBy"`
	ExpiresAt   string          `json:"expiresAt"`
	Call        string          `json:"call"`
	Arguments   json.RawMessage `json:"arguments"`
}

func waiting(items []json.RawMessage) (kept []json.RawMessage, err error) {
	for _, item := range items {
		var a approvalRow
		if err := json.Unmarshal(item, &a); err != nil {
			return nil, err
		}
		if a.Status == "waiting" {
			kept = append(kept, item)
		}
	}
	return kept, nil
}

func (p *Program) approvalApproveCommand() command {
	return command{
		name:     "approval approve",
		operands: "ID",
		summary:  "carry out what an admin asked for, as the second person",
		about: `Carries out, exactly, what was asked for, and prints the JSON object that the request
would have been answered with. It is refused if what it was judged on has changed
since: then it must be asked for again. With --plan it is also refused if its
planDigest is another than this, which ` + "`strongroom approval list --json`" + ` shows.

It is the way out where no second admin is left. The log names the actor "operator",
and /readyz tells of it for seven days.

Works on a vault at rest, or through the control socket of the server that
serves it, as the actor "operator".`,
		example: `strongroom approval approve 01JTZ0Q4W8M3V5N7R9X2B4C6D8`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.place(&at)
			plan := f.set.String("plan", "", "`DIGEST` that the request must have")
			return func(ctx context.Context, operands []string) error {
				if len(operands) != 1 || operands[0] == "" {
					return usagef("approval approve takes one id; `strongroom approval list` shows them")
				}
				var did json.RawMessage
				err := withVault(ctx, at, func(o *control.Client) error {
					var a approvalRow
					path := "/v1/approvals/" + url.PathEscape(operands[0])
					if err := o.Call(ctx, "GET", path, nil, &a); err != nil {
						return err
					}
					if a.Call == "export.make" { // whose answer is a ZIP file
						return usagef("an export is approved by an admin, in the console or with POST /v1/approvals/%s/approve, who gets the file", operands[0])
					}
					seen := *plan
					if seen == "" {
						fmt.Fprintf(p.Stderr, "%s, asked for by %s: %s %s\n", a.What, a.RequestedBy, a.Call, plain(string(a.Arguments)))
						seen = a.PlanDigest
					}
					return o.Call(ctx, "POST", path+"/approve", map[string]string{"planDigest": seen}, &did)
				})
				if err != nil {
					return noApproval(err, operands[0])
				}
				return p.writeLines([]json.RawMessage{did})
			}
		},
	}
}

func (p *Program) approvalRejectCommand() command {
	return command{
		name:     "approval reject",
		operands: "ID",
		summary:  "end a request for approval without doing it",
		about: `Ends a request for what needs two persons. Rejecting what is rejected changes nothing.
With --json, the JSON object of GET /v1/approvals/ID is printed.

Works on a vault at rest, or through the control socket of the server that
serves it, as the actor "operator".`,
		example: `strongroom approval reject 01JTZ0Q4W8M3V5N7R9X2B4C6D8`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.place(&at)
			asJSON := f.asJSON()
			return func(ctx context.Context, operands []string) error {
				if len(operands) != 1 || operands[0] == "" {
					return usagef("approval reject takes one id; `strongroom approval list` shows them")
				}
				var ended answer[approvalRow]
				err := withVault(ctx, at, func(o *control.Client) error {
					return o.Call(ctx, "POST", "/v1/approvals/"+url.PathEscape(operands[0])+"/reject", nil, &ended)
				})
				if err != nil {
					return noApproval(err, operands[0])
				}
				if *asJSON {
					return p.writeLines([]json.RawMessage{ended.sent})
				}
				_, err = fmt.Fprintf(p.Stderr, "approval %s (%s) is %s\n", ended.row.ID, ended.row.What, ended.row.Status)
				return err
			}
		},
	}
}

// noApproval says how to find an id that there is.
func noApproval(err error, id string) error {
	if refused, ok := errors.AsType[*control.Refusal](err); ok && refused.Status == http.StatusNotFound && strings.HasPrefix(refused.Code, "APPROVAL") {
		return fmt.Errorf("no request for approval has the id %q; `strongroom approval list` shows them", id)
	}
	return err
}
