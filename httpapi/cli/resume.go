package cli

import (
	"context"
	"fmt"

	"strongroom/httpapi/control"
	"strongroom/httpapi/datadir"
)

func (p *Program) resumeCommand() command {
	return command{
		name:    "resume",
		summary: "let a paused vault send webhooks and run retention again",
		about: `A vault restored from a backup is paused, so that it neither tells the world what
it told already nor disposes of anything before somebody has looked at it. Resume
ends that; so does the setting "paused" in the API. On a vault that is not paused it
does nothing.

Works on a vault at rest, or through the control socket of the server that
serves it.`,
		example: `strongroom resume --data ./restored`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.place(&at)
			asJSON := f.asJSON()
			return func(ctx context.Context, _ []string) error {
				return withVault(ctx, at, func(o *control.Client) error { return p.resume(ctx, o, at.Vault, *asJSON) })
			}
		},
	}
}

func (p *Program) resume(ctx context.Context, o *control.Client, vault string, asJSON bool) error {
	var settings struct {
		Paused bool `json:"paused"`
	}
	if err := o.Call(ctx, "GET", "/v1/settings", nil, &settings); err != nil {
		return err
	}
	says := "is not paused"
	if settings.Paused {
		says = "goes on"
		if err := o.Call(ctx, "PATCH", "/v1/settings", map[string]bool{"paused": false}, &settings); err != nil {
			return err
		}
	}
	if asJSON {
		return p.writeJSON(map[string]any{"vault": vault, "paused": settings.Paused})
	}
	fmt.Fprintf(p.Stderr, "vault %q %s\n", vault, says)
	return nil
}
