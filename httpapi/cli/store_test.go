package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/blobstore/s3/s3test"
)

// TestStoreFlags holds that what is wrong about a store is said before anything is
// touched, with what to do.
func TestStoreFlags(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	key, short := filepath.Join(dir, "key"), filepath.Join(dir, "short")
	os.WriteFile(key, []byte(strings.Repeat("ab", 32)+"\n"), 0o600)
	os.WriteFile(short, []byte(strings.Repeat("ab", 31)+"\n"), 0o600)
	env := []string{"STRONGROOM_LISTEN=127.0.0.1:0"}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--store-key", key}, 2, "give --store s3://BUCKET/PREFIX too"},
		{[]string{"--peer-url", "http://127.0.0.1:1"}, 2, "give --store s3://BUCKET/PREFIX too"},
		{[]string{"--store", "/tmp/x"}, 2, "write s3://BUCKET/PREFIX"},
		{[]string{"--store", "s3://b"}, 2, "no name of a bucket"},
		{[]string{"--store", "s3://vaults"}, 2, "AWS_REGION"},
		{[]string{"--store", "s3://vaults", "--store-endpoint", "store.example"}, 2, "no URL of a store"},
		{[]string{"--store", "s3://vaults", "--store-endpoint", "http://127.0.0.1:1"}, 2, "AWS_ACCESS_KEY_ID"},
		{[]string{"--store", "s3://vaults", "--store-endpoint", "http://127.0.0.1:1", "--store-credentials", "missing"}, 2, "missing"},
		{[]string{"--store-lock", "locking"}, 2, "give --store s3://BUCKET/PREFIX too"},
	} {
		run(t, append(append(env, "serve"), c.args...)...).expect(t, c.code, c.says)
	}
	os.WriteFile("credentials", []byte("[default]\naws_access_key_id = a\naws_secret_access_key = b\n"), 0o600)
	reached := []string{"serve", "--store", "s3://vaults/x", "--store-endpoint", "http://127.0.0.1:1", "--store-credentials", "credentials"}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--store-key", "none"}, 1, "--store-key"},
		{[]string{"--store-key", short}, 1, "openssl rand -hex 32"},
		{[]string{"--peer-url", "http://127.0.0.1:1"}, 2, "needs --store-key"},
		{[]string{"--store-key", key, "--peer-url", "http://127.0.0.1:1/x"}, 2, "no path"},
		{[]string{"--store-key", key, "--peer-url", "http://10.0.0.1:1"}, 2, "in the clear"},
		{[]string{"--store-key", key, "--server-name", "a b"}, 2, "--server-name"},
		{[]string{"--store-lock", "vaults"}, 2, "beside that of --store"},
		{[]string{"--store-lock", "Locking"}, 2, "name of a bucket"},
	} {
		run(t, append(append(env, reached...), c.args...)...).expect(t, c.code, c.says)
	}
	for _, c := range [][]string{
		{"vault", "move"}, {"vault", "move", "main"}, {"vault", "move", "main", "--to", "elsewhere"}, {"vault", "move", "MAIN", "--to", "s3://vaults"},
		{"vault", "move", "main", "--store", "s3://vaults", "--to", "s3://others"},
		{"restore", "--store", "s3://vaults", "--from", "x"}, {"restore", "--from", "x", "--at", "2026-11-29T00:00:00Z"}, {"restore", "--store", "s3://vaults", "--at", "yesterday"},
	} {
		run(t, c...).expect(t, 2)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) != 3 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestStoreKey(t *testing.T) {
	raw := bytes.Repeat([]byte{0xfb, 0xff}, 16)
	for _, written := range []string{string(raw), hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)) + "\r\n",
		base64.StdEncoding.EncodeToString(raw) + "\n", base64.RawURLEncoding.EncodeToString(raw)} {
		if key, err := parseStoreKey([]byte(written)); err != nil || !bytes.Equal(key[:], raw) {
			t.Errorf("%q: %v", written, err)
		}
	}
	for _, wrong := range []string{"", "x", string(raw[:31]), hex.EncodeToString(raw[:31]), hex.EncodeToString(raw) + "00", base64.StdEncoding.EncodeToString(raw[:30])} {
		if _, err := parseStoreKey([]byte(wrong)); err == nil {
			t.Errorf("%q is a key", wrong)
		}
	}
}

// TestMoveCommand takes a vault into a real store, restores it from there as it was,
// and brings it back.
func TestMoveCommand(t *testing.T) {
	s := s3test.Start(t)
	dir := t.TempDir()
	t.Chdir(dir)
	os.WriteFile("key", bytes.Repeat([]byte{7}, 32), 0o600)
	p := func(args ...string) result { t.Helper(); return runWith(t, s, args) }
	store := "s3://" + s3test.Bucket + "/x"
	os.Mkdir("files", 0o700)
	os.WriteFile("files/a.txt", []byte("hello"), 0o600)
	p("init", "--vault", "acme").expect(t, 0)
	p("import", "files", "--vault", "acme").expect(t, 0)
	p("doctor", "--store", store).expect(t, 0)
	p("vault", "move", "acme", "--to", store).expect(t, 0, "is in "+store+"/acme now", "may be removed")
	p("vault", "move", "acme", "--to", store, "--remove").expect(t, 0, "is removed")
	p("verify", "--vault", "acme").expect(t, 1, "working copy")
	p("restore", "--vault", "acme", "--store", store, "--data", "restored").expect(t, 0, "paused")
	p("verify", "--bytes", "--vault", "acme", "--data", "restored").expect(t, 0)
	p("restore", "--vault", "acme", "--store", store, "--data", "older", "--at", "2020-01-01T00:00:00Z").expect(t, 1, "reaches back to")
	p("vault", "move", "acme", "--store", store, "--to", "back", "--remove").expect(t, 0, "is in", "removed")
	p("verify", "--bytes", "--vault", "acme", "--data", "back").expect(t, 0)
	p("doctor", "--store", store, "--data", "none").expect(t, 0)
}

// runWith runs the program with what it needs to reach a store.
func runWith(t *testing.T, s *s3test.Server, args []string) result {
	t.Helper()
	env := map[string]string{"STRONGROOM_STORE_KEY": "key"}
	for _, e := range s.Environ() {
		name, value, _ := strings.Cut(e, "=")
		env[name] = value
	}
	var stdout, stderr bytes.Buffer
	p := &Program{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Env: func(name string) string { return env[name] }}
	code := p.Run(t.Context(), args)
	return result{code, stdout.String(), stderr.String()}
}

// TestLockCommand takes a vault into a real store with a bucket that locks, which is
// tried, and holds that nobody looks for its files elsewhere.
func TestLockCommand(t *testing.T) {
	s := s3test.Start(t)
	s.MakeLockingBucket("locking")
	s.MakeBucket("plain")
	dir := t.TempDir()
	t.Chdir(dir)
	os.WriteFile("key", bytes.Repeat([]byte{7}, 32), 0o600)
	p := func(args ...string) result { t.Helper(); return runWith(t, s, args) }
	store := "s3://" + s3test.Bucket + "/x"
	os.Mkdir("files", 0o700)
	os.WriteFile("files/a.txt", []byte("hello"), 0o600)
	p("init", "--vault", "acme").expect(t, 0)
	p("import", "files", "--vault", "acme").expect(t, 0)
	examined := func(code int, says string, args ...string) {
		t.Helper()
		r := p(append([]string{"doctor"}, args...)...)
		if r.expect(t, code); !strings.Contains(r.stdout, says) {
			t.Errorf("does not say %q:\n%s", says, r.stdout)
		}
	}
	for bucket, says := range map[string]string{"plain": "no Object Lock", "none": "no such bucket"} {
		examined(1, says, "--store", store, "--store-lock", bucket)
		p("vault", "move", "acme", "--to", store, "--store-lock", bucket).expect(t, 1, says)
	}
	p("doctor", "--store", store, "--store-lock", s3test.Bucket).expect(t, 2, "beside that of --store")
	p("doctor", "--store", store, "--store-lock", "locking/y").expect(t, 2, "name of a bucket alone")
	examined(1, "keeps versions", "--store", "s3://locking/x")
	examined(0, "retained for a minute", "--store", store, "--store-lock", "locking")
	p("vault", "move", "acme", "--to", store, "--store-lock", "locking", "--remove").expect(t, 0, "is in "+store+"/acme now")
	p("restore", "--vault", "acme", "--store", store, "--data", "restored").expect(t, 1, "give --store-lock locking")
	p("restore", "--vault", "acme", "--store", store, "--store-lock", "locking", "--data", "restored").expect(t, 0, "paused")
	p("verify", "--bytes", "--vault", "acme", "--data", "restored").expect(t, 0)
	p("vault", "move", "acme", "--store", store, "--to", "back").expect(t, 1, "give --store-lock locking")
	p("vault", "move", "acme", "--store", store, "--store-lock", "locking", "--to", "back", "--remove").expect(t, 0, "is in", "removed")
	p("verify", "--bytes", "--vault", "acme", "--data", "back").expect(t, 0)
}
