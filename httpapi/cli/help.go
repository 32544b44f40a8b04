package cli

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

func (p *Program) helpCommand() command {
	return command{
		name:     "help",
		operands: "[COMMAND]",
		summary:  "show what the commands are, or how one is used",
		about: `Without an operand, help lists the commands. With the name of one it says what
the command does, which flags it takes, with their environment variables and
defaults, and shows an example that works.`,
		example: `strongroom help key add`,
		setup: func(*flagSet) func(context.Context, []string) error {
			return func(_ context.Context, operands []string) error {
				if len(operands) == 0 {
					p.writeOverview(p.Stdout)
					return nil
				}
				return p.helpOn(strings.Join(operands, " "))
			}
		},
	}
}

// helpOn writes the help of a command, or of all commands of a group.
func (p *Program) helpOn(name string) error {
	found := false
	for _, cmd := range p.commands() {
		if cmd.name != name && !strings.HasPrefix(cmd.name, name+" ") {
			continue
		}
		if found {
			fmt.Fprintln(p.Stdout)
		}
		found = true
		p.writeCommand(p.Stdout, cmd)
	}
	if !found {
		return usagef("there is no command %q; `strongroom help` lists them", name)
	}
	return nil
}

func (p *Program) writeOverview(w io.Writer) {
	fmt.Fprint(w, "Strongroom is a document vault.\n\nusage: strongroom <command> [flags]\n\n")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, cmd := range p.commands() {
		fmt.Fprintf(table, "  %s\t%s\n", cmd.name, cmd.summary)
	}
	table.Flush()
	fmt.Fprint(w, "\n`strongroom help <command>` says more about each, with an example. Every flag has an\n"+
		"environment variable: --data is STRONGROOM_DATA. Results go to standard output,\n"+
		"everything for people to standard error. The exit status is 0 for success, 1 for\n"+
		"failure, 2 for wrong usage.\n")
}

func (p *Program) writeCommand(w io.Writer, cmd command) {
	flags := p.newFlagSet(cmd)
	cmd.setup(flags)
	usage := "usage: strongroom " + cmd.name
	if flags.any() {
		usage += " [flags]"
	}
	if cmd.operands != "" {
		usage += " " + cmd.operands
	}
	fmt.Fprintf(w, "%s\n\n%s\n", usage, cmd.about)
	if flags.any() {
		fmt.Fprint(w, "\nFlags, each with its environment variable:\n\n")
		flags.set.VisitAll(func(f *flag.Flag) { writeFlag(w, f) })
	}
	fmt.Fprintf(w, "\nExample:\n\n    %s\n", strings.ReplaceAll(cmd.example, "\n", "\n    "))
}

func writeFlag(w io.Writer, f *flag.Flag) {
	placeholder, usage := flag.UnquoteUsage(f)
	if placeholder != "" {
		placeholder = " " + placeholder
	}
	fmt.Fprintf(w, "  --%s%s\n        %s\n        %s", f.Name, placeholder,
		strings.ReplaceAll(usage, "\n", "\n        "), envName(f.Name))
	switch f.DefValue {
	case "", "false": // nothing is set unless asked for
	default:
		fmt.Fprintf(w, ", default %s", f.DefValue)
	}
	fmt.Fprintln(w)
}
