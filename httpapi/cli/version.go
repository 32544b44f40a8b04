package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"strongroom/httpapi"
)

func (p *Program) versionCommand() command {
	return command{
		name:    "version",
		summary: "print version, commit, Go version and platform",
		about: `Prints what this program was built from, one fact to a line. A commit is known
only if it was built inside its repository. ` + "`strongroom --version`" + ` is the same.`,
		example: `strongroom version`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			asJSON := f.asJSON()
			return func(context.Context, []string) error {
				b := buildInfo()
				if *asJSON {
					return p.writeJSON(map[string]string{"version": b.Version, "commit": b.Commit, "go": b.Go, "platform": b.Platform})
				}
				_, err := fmt.Fprintf(p.Stdout, "version   %s\ncommit    %s\ngo        %s\nplatform  %s\n",
					b.Version, b.Commit, b.Go, b.Platform)
				return err
			}
		},
	}
}

// buildInfo reads what the Go tool wrote into the binary.
func buildInfo() httpapi.Build {
	b := httpapi.Build{
		Version:  "unknown",
		Commit:   "unknown",
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = info.Main.Version
	modified := ""
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			b.Commit = setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			modified = " with changes"
		}
	}
	b.Commit += modified
	return b
}
