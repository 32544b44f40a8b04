package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sdkVariable names a directory in which the SDK is installed already, as
// testdata/docusign/package-lock.json has it. .ci/run sets it.
const sdkVariable = "STRONGROOM_TEST_DOCUSIGN_SDK"

// docusignSDK returns a directory with the scripts of testdata/docusign and the
// SDK they use, which it installs from the package registry if need be. Where
// that cannot be, the test is skipped.
func docusignSDK(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("there is no Node here to run DocuSign's SDK with")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "docusign"))); err != nil {
		t.Fatal(err)
	}
	if installed := os.Getenv(sdkVariable); installed != "" {
		if err := os.Symlink(filepath.Join(installed, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skipf("there is no npm here to install DocuSign's SDK with, and %s names no directory that has it", sdkVariable)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=0")
	npm.Dir, npm.WaitDelay = dir, time.Second
	if said, err := npm.CombinedOutput(); err != nil {
		t.Skipf("DocuSign's SDK cannot be had from the package registry: %v\n%s", err, said)
	}
	return dir
}

// TestDocuSignSDK lets DocuSign's published Node SDK lock, change and release a
// document of a running server. What it expects stands in drive.js.
func TestDocuSignSDK(t *testing.T) {
	dir := docusignSDK(t)
	s := spawn(t, filepath.Join(t.TempDir(), "data"))
	admin := s.firstKey(t)
	create := func(path, body, member string) string {
		resp, answer := s.do(t, admin, "POST", path, strings.NewReader(body), "Content-Type", "application/json")
		var made map[string]any
		if err := json.Unmarshal(answer, &made); err != nil || resp.StatusCode != http.StatusCreated {
			t.Fatalf("POST %s: %s\n%s", path, resp.Status, answer)
		}
		return made[member].(string)
	}
	key := func(name, email string) string {
		id := create("/v1/users", `{"name":"`+name+`","email":"`+email+`","access":"upload"}`, "id")
		return create("/v1/api-keys", `{"name":"SDK","userId":"`+id+`"}`, "secret")
	}
	hers, his := key("Grace", "grace@example.com"), key("Alan", "alan@example.com")
	id := s.upload(t, admin, "lease.txt", "The lease.")

	// Its own name for the document and for the organization.
	_, answer := s.do(t, hers, "GET", "/v2.1/accounts/main/envelopes/"+id, nil)
	var envelope struct{ EnvelopeID string }
	_, info := s.do(t, hers, "GET", "/oauth/userinfo", nil)
	var who struct {
		Accounts []struct {
			AccountID string `json:"account_id"`
			BaseURI   string `json:"base_uri"`
		}
	}
	if json.Unmarshal(answer, &envelope) != nil || json.Unmarshal(info, &who) != nil || len(who.Accounts) != 1 || who.Accounts[0].BaseURI != s.url {
		t.Fatalf("%s\n%s", answer, info)
	}

	node := exec.CommandContext(t.Context(), "node", "drive.js")
	node.Dir = dir
	node.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1",
		"SERVER="+s.url, "ACCOUNT="+who.Accounts[0].AccountID, "ENVELOPE="+envelope.EnvelopeID, "HER_KEY="+hers, "HIS_KEY="+his)
	if said, err := node.CombinedOutput(); err != nil {
		t.Fatalf("node drive.js: %v\n%s", err, said)
	}
	_, answer = s.do(t, admin, "GET", "/v1/documents/"+id, nil)
	var document struct{ Name, Description string }
	if err := json.Unmarshal(answer, &document); err != nil || document.Name != "Renamed by the SDK" || document.Description != "with love" {
		t.Errorf("%v: %s", err, answer)
	}
}
