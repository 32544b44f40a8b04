// Package cli is the command line: what a person types, and what they read.
//
// There is a file for each command, with its flags, its help and what it does. A
// command is a client. It asks the vault through package control, which finds the
// server that has it or opens it at rest, and prints what comes back; serve hands its
// flags to package daemon, and import hands its rows to package importer. Only init,
// restore, compact and verify --log go to the files themselves, for there is no
// vault to ask yet, or it must not be open, or none is needed.
//
// Here, and nowhere else, are flags, environment variables, signals, the terminal,
// standard output and the exit status. Results go to standard output and everything
// for people to standard error. There is no rule about documents here: what the API
// refuses is told in its own words.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // settings name time zones, and not every machine knows them
)

// Main runs the command line of this process and ends it with the exit status.
// systemdUnit is the unit file that doctor --systemd prints; guides has the guides
// that the console shows, where the repository has them.
func Main(systemdUnit string, guides fs.FS) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		// The first signal asks for an orderly end. Before anybody hears of
		// it the default handling is back: a second one ends the process at
		// once, which loses nothing that was acknowledged.
		<-signals
		signal.Stop(signals)
		cancel()
	}()
	p := &Program{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Env: os.Getenv, SystemdUnit: systemdUnit, Guides: guides,
		Path: self(), Name: os.Args[0]}
	os.Exit(p.Run(ctx, os.Args[1:]))
}

// Program is the command line as a value, so that it can be run in process. It is
// run once.
type Program struct {
	Stdin  io.Reader
	Stdout io.Writer // results, and nothing else
	Stderr io.Writer // everything for people; a terminal is told more
	Env    func(name string) string
	// SystemdUnit is what doctor --systemd prints.
	SystemdUnit string
	// Guides has the guides the console shows; nil: it has none.
	Guides fs.FS
	// Path and Name are those of this program, by which a server starts it again to
	// read files. "": they are read in this process.
	Path, Name string
	// Lease is how long an owner of vaults in a store is silent before another server
	// takes over, of all its servers; 0: 15 seconds. Tests do not want to wait so long.
	Lease time.Duration
}

// self is the path of this program. On Linux that is the file that runs, also when
// another version has taken its place on disk.
func self() string {
	if runtime.GOOS == "linux" {
		if _, err := os.Stat("/proc/self/exe"); err == nil {
			return "/proc/self/exe"
		}
	}
	path, err := os.Executable()
	if err != nil {
		return "" // it does without
	}
	return path
}

// command is one row of the help table.
type command struct {
	name     string // "serve", "key add"
	operands string // what follows the flags, in the spelling of the usage line
	summary  string // one line, in the imperative
	about    string // paragraphs
	example  string // shell lines that work as they stand
	// setup declares the flags and returns what runs the command with the
	// operands once they are parsed.
	setup func(*flagSet) func(context.Context, []string) error
}

// commands returns the help table, in the order help shows it.
func (p *Program) commands() []command {
	return []command{
		p.initCommand(),
		p.serveCommand(),
		p.userAddCommand(),
		p.userListCommand(),
		p.userSetCommand(),
		p.userCloseCommand(),
		p.keyAddCommand(),
		p.keyListCommand(),
		p.keyRevokeCommand(),
		p.clientAddCommand(),
		p.clientListCommand(),
		p.clientSetCommand(),
		p.clientCloseCommand(),
		p.tlsInitCommand(),
		p.approvalListCommand(),
		p.approvalApproveCommand(),
		p.approvalRejectCommand(),
		p.vaultListCommand(),
		p.vaultMoveCommand(),
		p.verifyCommand(),
		p.exportCommand(),
		p.witnessRequestCommand(),
		p.witnessSignCommand(),
		p.witnessAddCommand(),
		p.backupCommand(),
		p.restoreCommand(),
		p.resumeCommand(),
		p.compactCommand(),
		p.doctorCommand(),
		p.importCommand(),
		p.completionCommand(),
		p.versionCommand(),
		p.helpCommand(),
	}
}

// usageError is wrong usage: exit status 2, and nothing was done.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// Run runs one command line, without the name of the program, and returns its
// exit status: 0 success, 1 failure, 2 wrong usage. When ctx is done, it ends
// in an orderly way.
func (p *Program) Run(ctx context.Context, args []string) int {
	err := p.dispatch(ctx, args)
	if err == nil {
		return 0
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	fmt.Fprintf(p.Stderr, "strongroom: %v\n", err)
	if usage := (*usageError)(nil); errors.As(err, &usage) {
		return 2
	}
	return 1
}

func (p *Program) dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 {
		p.writeOverview(p.Stderr)
		return usagef("a command is missing")
	}
	switch args[0] {
	case "-h", "-help", "--help":
		args = append([]string{"help"}, args[1:]...)
	case "-version", "--version":
		args = append([]string{"version"}, args[1:]...)
	}
	cmd, rest, err := p.lookup(args)
	if err != nil {
		return err
	}
	flags := p.newFlagSet(cmd)
	run := cmd.setup(flags)
	operands, err := flags.parse(rest)
	switch {
	case errors.Is(err, errHelp):
		p.writeCommand(p.Stdout, cmd)
		return nil
	case err != nil:
		return err
	case len(operands) > 0 && cmd.operands == "":
		return usagef("%s takes no %q; see `strongroom help %[1]s`", cmd.name, operands[0])
	}
	return run(ctx, operands)
}

// lookup finds the command that args begin with, and returns what follows it.
func (p *Program) lookup(args []string) (command, []string, error) {
	var group []string
	for _, cmd := range append(p.commands(), p.readWorkerCommand()) {
		words := strings.Fields(cmd.name)
		if len(words) <= len(args) && strings.Join(args[:len(words)], " ") == cmd.name {
			return cmd, args[len(words):], nil
		}
		if len(words) > 1 && words[0] == args[0] {
			group = append(group, words[1])
		}
	}
	if len(group) > 0 {
		return command{}, nil, usagef("%s is one of: %s %s; see `strongroom help %[1]s`",
			args[0], args[0], strings.Join(group, ", "+args[0]+" "))
	}
	return command{}, nil, usagef("there is no command %q; `strongroom help` lists them", args[0])
}
