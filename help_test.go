package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
)

// shell returns a command that runs a script with bash in a directory, where
// strongroom is this program.
func shell(t *testing.T, dir, script string) *exec.Cmd {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash to run the examples with")
	}
	cmd := exec.CommandContext(t.Context(), bash, "-euo", "pipefail", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(executable(t))+string(os.PathListSeparator)+os.Getenv("PATH"))
	return cmd
}

// TestExamples runs the example of every command, in the order of the
// overview, in one place: what one makes the next ones find.
func TestExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs the example of every command")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	mustRun(t, "init")
	p := &program{env: func(string) string { return "" }}
	for _, cmd := range p.commands() {
		t.Run(cmd.name, func(t *testing.T) {
			example := cmd.example
			switch cmd.name {
			case "serve":
				exampleServer(t, dir, example)
				return
			case "vault move":
				return // there is no store here: see TestMoveCommand
			case "approval approve", "approval reject":
				example = regexp.MustCompile(`\b01[0-9A-Z]{24}\b`).ReplaceAllString(example, waitingApproval(t, dir))
			case "witness sign":
				believe(t, dir, "logs.txt", func(v *engine.Vault) string {
					key, err := v.LogKey(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					return "log " + key.Verifier + "\nquorum none\n"
				})
			case "witness add":
				believe(t, dir, "witnesses.txt", func(*engine.Vault) string {
					text, err := os.ReadFile(filepath.Join(dir, "strongroom-data", "witness.key"))
					if err != nil {
						t.Fatal(err)
					}
					key, err := audit.ParseWitnessKey(text)
					if err != nil {
						t.Fatal(err)
					}
					return "witness notary " + key.Verifier() + "\nquorum notary\n"
				})
			case "key revoke", "client set", "client close":
				noun, name := "key", "scanner"
				if cmd.name != "key revoke" {
					noun, name = "client", "ERP"
				}
				id := regexp.MustCompile(`(?m)^(\S+)\s+` + name).FindStringSubmatch(mustRun(t, noun, "list"))[1]
				example = regexp.MustCompile(`\b01[0-9A-Z]{24}\b`).ReplaceAllString(example, id)
				if example == cmd.example {
					t.Error("there is no id in the example")
				}
			}
			if out, err := shell(t, dir, example).CombinedOutput(); err != nil {
				t.Errorf("%s\n%v\n%s", example, err, out)
			}
		})
	}
}

// believe writes a policy, which in life comes from somebody else.
func believe(t *testing.T, dir, file string, policy func(*engine.Vault) string) {
	t.Helper()
	v, err := engine.Open(filepath.Join(dir, "strongroom-data", "vaults", "main"), engine.Options{Name: "main"})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := os.WriteFile(filepath.Join(dir, file), []byte(policy(v)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// waitingApproval has an admin of the vault at rest ask for an admin.
func waitingApproval(t *testing.T, dir string) string {
	t.Helper()
	v, err := engine.Open(filepath.Join(dir, "strongroom-data", "vaults", "main"), engine.Options{Name: "main"})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	ctx := t.Context()
	if s, err := v.Settings(ctx); err != nil || len(s.TwoPersons) == 0 {
		_, _, err := v.CreateUser(ctx, engine.Operator(), engine.NewUser{Name: "Bert", Access: engine.AccessAdmin})
		if err == nil {
			_, _, err = v.UpdateSettings(ctx, engine.Operator(), engine.Condition{}, engine.SettingsPatch{TwoPersons: &[]engine.Covered{engine.CoveredExport}})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_, _, err = v.CreateUser(ctx, engine.Operator(), engine.NewUser{Name: "Eve", Access: engine.AccessAdmin})
	needs, is := errors.AsType[*engine.NeedsTwoError](err)
	if !is {
		t.Fatal(err)
	}
	a, _, err := v.RequestApproval(ctx, engine.Operator(), needs)
	if err != nil {
		t.Fatal(err)
	}
	return a.ID
}

// exampleServer runs the example of serve, on a free port, until it is ready.
func exampleServer(t *testing.T, dir, example string) {
	t.Helper()
	free := strings.Replace(example, ":8080", ":0", 1)
	if free == example {
		t.Error("the example does not say the port this test replaces")
	}
	cmd := shell(t, dir, "exec "+free)
	stderr, ended := newOutput(), make(chan struct{})
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { cmd.Wait(); close(ended) }()
	stderr.await(t, ended, listening)
	cmd.Process.Signal(os.Interrupt)
	<-ended
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		t.Error(fmt.Sprint("exit status ", code, "\n", stderr))
	}
}
