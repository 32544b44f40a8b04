package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// generatorsVariable names a directory with bin/oapi-codegen, bin/ogen and the
// node_modules of testdata/clients/typescript. .ci/run sets it, so that no test
// installs anything by itself.
const generatorsVariable = "STRONGROOM_TEST_GENERATORS"

// TestGeneratedClients makes clients from openapi.json with generators that
// others use, compiles them and lets each upload, patch, list, search and hold in
// a running server.
func TestGeneratedClients(t *testing.T) {
	generators := os.Getenv(generatorsVariable)
	if generators == "" {
		t.Skipf("%s names no directory with generators of clients: .ci/run installs them", generatorsVariable)
	}
	description, err := filepath.Abs(filepath.Join("httpapi", "openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	s := spawn(t, filepath.Join(t.TempDir(), "data"))
	env := append(os.Environ(), "STRONGROOM_URL="+s.url, "STRONGROOM_KEY="+s.firstKey(t), "GOFLAGS=-mod=mod", "GOWORK=off")
	bin, modules := filepath.Join(generators, "bin"), filepath.Join(generators, "node_modules")
	for _, c := range []struct {
		name  string
		needs string
		steps [][]string
	}{
		{"go", filepath.Join(bin, "oapi-codegen"), [][]string{
			{filepath.Join(bin, "oapi-codegen"), "-generate", "types,client", "-package", "api", "-o", "api/api.go", description},
			{"go", "run", "."},
		}},
		{"ogen", filepath.Join(bin, "ogen"), [][]string{
			{filepath.Join(bin, "ogen"), "--package", "api", "--target", "api", "--clean", description},
			{"go", "run", "."},
		}},
		{"typescript", filepath.Join(modules, "typescript"), [][]string{
			{"node", filepath.Join(modules, "openapi-typescript", "bin", "cli.js"), description, "-o", "api.d.ts"},
			{"node", filepath.Join(modules, "typescript", "bin", "tsc"), "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler", "client.ts"},
			{"node", "client.js"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := os.Stat(c.needs); err != nil {
				t.Skipf("%s has no generator for it", generators)
			}
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "clients", c.name))); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Join(dir, "api"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
				t.Fatal(err)
			}
			for _, step := range c.steps {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				cmd := exec.CommandContext(ctx, step[0], step[1:]...)
				cmd.Dir, cmd.Env, cmd.WaitDelay = dir, env, time.Second
				if said, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v: %v\n%s", step, err, said)
				}
			}
		})
	}
}
