package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A log that an operator opens is signed without anybody asking, under the name that
// he gives; its lines stay closed.
func TestServeOpensALog(t *testing.T) {
	dir := t.TempDir()
	run(t, "serve", "--data", dir, "--public-entries").expect(t, 2, "--public-log")
	run(t, "serve", "--data", dir, "--origin", "two words").expect(t, 2, "--origin")
	run(t, "serve", "--data", dir, "--public-log", "A B").expect(t, 2, "--public-log")
	other := t.TempDir()
	run(t, "init", "--data", other)
	run(t, "serve", "--data", other, "--listen", "127.0.0.1:0", "--public-log", "sales").expect(t, 1, `no vault "sales"`)
	s := startServer(t, dir, "--public-log", "main", "--origin", "vault.example.com/log")
	key := s.firstKey(t)
	if _, body := s.do(t, key, "GET", "/v1/log/checkpoint", nil); !strings.HasPrefix(string(body), "vault.example.com/log/main\n") {
		t.Fatalf("%s", body)
	}
	for path, want := range map[string]int{"/log/main/checkpoint": http.StatusOK, "/log/main/tile/0/000.p/1": http.StatusOK, "/log/main/tile/entries/000.p/1": http.StatusNotFound, "/log/sales/checkpoint": http.StatusNotFound} {
		if a, body := s.do(t, "", "GET", path, nil); a.StatusCode != want {
			t.Errorf("%s: %d %s", path, a.StatusCode, body)
		}
	}
}

// With --mldsa a checkpoint has a second signature, and a proof has it if asked; what
// either key says is checked by who has it alone.
func TestServeSignsTwice(t *testing.T) {
	dir, at := t.TempDir(), t.TempDir()
	s := startServer(t, dir, "--public-log", "main", "--mldsa")
	key := s.firstKey(t)
	var vkey struct{ VKey, MLDSA string }
	_, body := s.do(t, key, "GET", "/v1/log/key", nil)
	if err := json.Unmarshal(body, &vkey); err != nil || vkey.MLDSA == "" {
		t.Fatalf("%s %v", body, err)
	}
	for _, path := range []string{"/v1/log/checkpoint", "/log/main/checkpoint"} {
		if _, body := s.do(t, key, "GET", path, nil); bytes.Count(body, []byte("— ")) != 2 {
			t.Errorf("%s: %s", path, body)
		}
	}
	for query, signatures := range map[string]int{"": 1, "?mldsa=true": 2} {
		_, proof := s.do(t, key, "GET", "/v1/audit/entries/1/proof"+query, nil)
		if bytes.Count(proof, []byte("— ")) != signatures {
			t.Errorf("proof%s: %s", query, proof)
		}
		name := filepath.Join(at, strconv.Itoa(signatures))
		if err := os.WriteFile(name, proof, 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, "verify", "--proof", name, "--key", vkey.VKey).expect(t, 0, "")
		run(t, "verify", "--proof", name, "--key", vkey.MLDSA).expect(t, 2-signatures, "")
		policy := filepath.Join(at, "policy")
		if err := os.WriteFile(policy, []byte("log "+vkey.MLDSA+"\nquorum none\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, "verify", "--proof", name, "--policy", policy).expect(t, 2-signatures, "")
	}
}
