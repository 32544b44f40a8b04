// Strongroom is a document vault: one static binary, one data directory, no
// services beside it. It keeps documents with unbroken version chains and can
// prove what happened to them from an append-only, hash-chained audit log.
//
// Package main is the command line: one file per command, flags and
// environment variables, signals, logging, tickers, and the wiring of engine
// and httpapi. Every rule about documents is in engine.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // settings name time zones, and not every machine knows them
)

func main() {
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
	p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, env: os.Getenv}
	os.Exit(p.run(ctx, os.Args[1:]))
}

// program is the command line as a value, so that tests run it in process.
// It is run once.
type program struct {
	stdin  io.Reader
	stdout io.Writer // results, and nothing else
	stderr io.Writer // everything for people
	env    func(string) string
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
func (p *program) commands() []command {
	return []command{
		p.initCommand(),
		p.serveCommand(),
		p.userAddCommand(),
		p.userListCommand(),
		p.keyAddCommand(),
		p.keyListCommand(),
		p.keyRevokeCommand(),
		p.verifyCommand(),
		p.exportCommand(),
		p.backupCommand(),
		p.restoreCommand(),
		p.resumeCommand(),
		p.compactCommand(),
		p.doctorCommand(),
		p.importCommand(),
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

// run runs one command line, without the name of the program, and returns its
// exit status: 0 success, 1 failure, 2 wrong usage. When ctx is done, it ends
// in an orderly way.
func (p *program) run(ctx context.Context, args []string) int {
	err := p.dispatch(ctx, args)
	if err == nil {
		return 0
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	fmt.Fprintf(p.stderr, "strongroom: %v\n", err)
	if usage := (*usageError)(nil); errors.As(err, &usage) {
		return 2
	}
	return 1
}

func (p *program) dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 {
		p.writeOverview(p.stderr)
		return usagef("a command is missing")
	}
	switch args[0] {
	case "-h", "-help", "--help":
		args = append([]string{"help"}, args[1:]...)
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
		p.writeCommand(p.stdout, cmd)
		return nil
	case err != nil:
		return err
	case len(operands) > 0 && cmd.operands == "":
		return usagef("%s takes no %q; see `strongroom help %[1]s`", cmd.name, operands[0])
	}
	return run(ctx, operands)
}

// lookup finds the command that args begin with, and returns what follows it.
func (p *program) lookup(args []string) (command, []string, error) {
	var group []string
	for _, cmd := range p.commands() {
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
