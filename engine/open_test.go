package engine_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"

	"go.etcd.io/bbolt"
)

// holderEnv makes the test binary a second process that opens the vault named
// in it, says how that went, and keeps it until its standard input ends.
const holderEnv = "STRONGROOM_TEST_HOLD"

func TestHolder(t *testing.T) {
	dir := os.Getenv(holderEnv)
	if dir == "" {
		t.Skip("this is the second process of other tests")
	}
	v, err := engine.Open(dir, engine.Options{Name: "main", ReserveBytes: -1})
	if inUse, ok := errors.AsType[*engine.InUseError](err); ok {
		fmt.Println("holder: in use by", inUse.PID)
		return
	}
	if err != nil {
		fmt.Println("holder:", err)
		return
	}
	fmt.Println("holder: open")
	io.Copy(io.Discard, os.Stdin)
	v.Close()
}

// holder starts the second process and returns what it said first.
func holder(t *testing.T, dir string) (*exec.Cmd, io.WriteCloser, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHolder$", "-test.v")
	cmd.Env = append(os.Environ(), holderEnv+"="+dir)
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if said, ok := strings.CutPrefix(lines.Text(), "holder: "); ok {
			return cmd, stdin, said
		}
	}
	t.Fatalf("the second process said nothing: %v", cmd.Wait())
	return nil, nil, ""
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantIs fails unless err is the class wanted.
func wantIs(t testing.TB, err, class error) {
	t.Helper()
	if !errors.Is(err, class) {
		t.Errorf("got %v, want %v", err, class)
	}
}

// newVault makes a closed vault with one document.
func newVault(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "main")
	v, err := engine.Create(dir, engine.Options{ReserveBytes: -1})
	must(t, err)
	must(t, v.Close())
	return dir
}

func open(t *testing.T, dir string) *engine.Vault {
	t.Helper()
	v, err := engine.Open(dir, engine.Options{ReserveBytes: -1})
	must(t, err)
	t.Cleanup(func() { v.Close() })
	return v
}

// files are the paths below dir with the hash of what is in them.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		found[filepath.ToSlash(rel)] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	}))
	return found
}

// spoil changes rows.db of a closed vault behind the engine's back.
func spoil(t testing.TB, dir string, fn func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, "rows.db"), 0o600, &bbolt.Options{NoSync: true})
	must(t, err)
	must(t, errors.Join(db.Update(fn), db.Close()))
}

func TestASecondOpenIsRefusedInTheSameProcess(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	for name, begin := range map[string]func(string, engine.Options) (*engine.Vault, error){"Open": engine.Open, "Create": engine.Create} {
		_, err := begin(k.Dir, engine.Options{Name: "main"})
		wantIs(t, err, engine.ErrVaultInUse)
		inUse, ok := errors.AsType[*engine.InUseError](err)
		if !ok || inUse.PID != os.Getpid() || inUse.Path != k.Dir || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
			t.Errorf("%s: %v", name, err)
		}
	}
	k.Create("still.txt", "works")
}

func TestASecondProcessIsToldWhoHoldsTheVault(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	cmd, stdin, said := holder(t, k.Dir)
	if want := fmt.Sprint("in use by ", os.Getpid()); said != want {
		t.Errorf("the second process said %q, want %q", said, want)
	}
	stdin.Close()
	must(t, cmd.Wait())
}

func TestAVaultIsFreeAgainWhenItsProcessIsKilled(t *testing.T) {
	t.Parallel()
	dir := newVault(t)
	cmd, stdin, said := holder(t, dir)
	defer stdin.Close()
	if said != "open" {
		t.Fatalf("the second process said %q", said)
	}
	_, err := engine.Open(dir, engine.Options{})
	if inUse, ok := errors.AsType[*engine.InUseError](err); !ok || inUse.PID != cmd.Process.Pid {
		t.Errorf("got %v, want the vault in use by %d", err, cmd.Process.Pid)
	}
	must(t, cmd.Process.Kill())
	cmd.Wait()
	if text, _ := os.ReadFile(filepath.Join(dir, "vault.lock")); strings.TrimSpace(string(text)) != strconv.Itoa(cmd.Process.Pid) {
		t.Errorf("the lock file says %q, want what the killed process left", text)
	}
	v := open(t, dir)
	_, err = v.Sweep(t.Context())
	must(t, err)
	must(t, v.Close())
	if text, _ := os.ReadFile(filepath.Join(dir, "vault.lock")); len(text) != 0 {
		t.Errorf("closed in order, the lock file says %q", text)
	}
}

func TestCreateLeavesAnExistingVaultAlone(t *testing.T) {
	t.Parallel()
	dir := newVault(t)
	before := files(t, dir)
	_, err := engine.Create(dir, engine.Options{})
	wantIs(t, err, engine.ErrVaultExists)
	if after := files(t, dir); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("before %v, after %v", before, after)
	}
	open(t, dir)
}

func TestCreateBeginsAnewAfterOneThatWasCutOff(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "main")
	must(t, os.MkdirAll(filepath.Join(dir, "blobs"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "rows.db.new"), []byte("half a vault"), 0o600))
	_, err := engine.Open(dir, engine.Options{})
	wantIs(t, err, engine.ErrVaultNotFound)
	v, err := engine.Open(dir, engine.Options{Create: true, ReserveBytes: -1})
	must(t, err)
	defer v.Close()
	if v.Head().Seq != 2 || v.Name() != "main" || v.Head().Vault != v.ID() {
		t.Errorf("head %+v, name %s, id %s", v.Head(), v.Name(), v.ID())
	}
	if _, err := os.Stat(filepath.Join(dir, "rows.db.new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("rows.db.new: %v", err)
	}
}

func TestNamesOfVaults(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"a": true, "0-9": true, strings.Repeat("a", 40): true, strings.Repeat("a", 41): false,
		"-a": false, "Main": false, "a_b": false, "a.b": false, "ä": false, "a b": false, "a\n": false,
	} {
		v, err := engine.Create(filepath.Join(t.TempDir(), "x"), engine.Options{Name: name, ReserveBytes: -1})
		if (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
		if err == nil {
			must(t, v.Close())
		} else if !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestOpenRefusesByNameWhatIsNoVaultOfItsFormat(t *testing.T) {
	t.Parallel()
	write := func(name string, b []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
		}
	}
	change := func(fn func(*bbolt.Tx) error) func(*testing.T, string) {
		return func(t *testing.T, dir string) { spoil(t, dir, fn) }
	}
	format := func(text string) func(*testing.T, string) {
		return change(func(b *bbolt.Tx) error { return b.Bucket([]byte("meta")).Put([]byte("format"), []byte(text)) })
	}
	dir := newVault(t)
	good, place := readFile(t, filepath.Join(dir, "rows.db")), readFile(t, filepath.Join(dir, "vault.db"))
	for name, c := range map[string]struct {
		spoil func(*testing.T, string)
		class error
		says  string
	}{
		"missing":        {func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "vault.db"))) }, engine.ErrVaultNotFound, "main"},
		"empty file":     {write("vault.db", nil), engine.ErrFormat, "vault.db"},
		"text":           {write("vault.db", []byte("this is no database")), engine.ErrFormat, "vault.db"},
		"garbage":        {write("vault.db", bytes.Repeat([]byte{0x5a, 0x00, 0xff}, 30_000)), engine.ErrFormat, "vault.db"},
		"no rows":        {func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "rows.db"))) }, nil, "rows.db is missing"},
		"empty rows":     {write("rows.db", nil), engine.ErrFormat, "rows.db"},
		"rows of text":   {write("rows.db", []byte("this is no database")), engine.ErrFormat, "rows.db"},
		"rows, garbage":  {write("rows.db", bytes.Repeat([]byte{0x5a, 0x00, 0xff}, 30_000)), engine.ErrFormat, "rows.db"},
		"newer format":   {format("5"), engine.ErrFormat, "it has format 5, this version reads up to 4"},
		"odd format":     {format("one"), engine.ErrFormat, `"one"`},
		"no format":      {change(func(b *bbolt.Tx) error { return b.Bucket([]byte("meta")).Delete([]byte("format")) }), engine.ErrFormat, ""},
		"missing bucket": {change(func(b *bbolt.Tx) error { return b.DeleteBucket([]byte("refs")) }), engine.ErrFormat, "refs"},
	} {
		t.Run(name, func(t *testing.T) {
			c.spoil(t, dir)
			before := files(t, dir)
			_, err := engine.Open(dir, engine.Options{})
			if c.class != nil {
				wantIs(t, err, c.class)
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v does not say %q", err, c.says)
			}
			delete(before, "vault.lock")
			after := files(t, dir)
			delete(after, "vault.lock")
			if fmt.Sprint(before) != fmt.Sprint(after) {
				t.Errorf("a refused Open changed files: before %v, after %v", before, after)
			}
			// The lock was let go: once mended, the vault opens.
			must(t, os.WriteFile(filepath.Join(dir, "rows.db"), good, 0o600))
			must(t, os.WriteFile(filepath.Join(dir, "vault.db"), place, 0o600))
			must(t, open(t, dir).Close())
		})
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return b
}

func TestOpeningWritesNothing(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	k.Create("a.txt", "some text")
	k.Reopen()
	must(t, k.Close())
	before := files(t, k.Dir)
	v := open(t, k.Dir)
	_, err := v.Documents(t.Context(), engine.DocumentQuery{})
	must(t, err)
	_, err = v.Sweep(t.Context())
	must(t, err)
	must(t, v.Close())
	if after := files(t, k.Dir); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("before %v, after %v", before, after)
	}
}

// litter leaves what a crash would: a staged file, a blob that no version
// needs, and a lock file with a process id.
func litter(t *testing.T, dir string) (staged, blob string) {
	t.Helper()
	staged = filepath.Join(dir, "blobs", "staging", "left-over")
	must(t, os.WriteFile(staged, []byte("half an upl"), 0o600))
	text := []byte("placed, but never recorded")
	sum := sha256.Sum256(text)
	name := hex.EncodeToString(sum[:])
	blob = filepath.Join(dir, "blobs", "sha256", name[:2], name)
	must(t, os.WriteFile(blob, text, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "vault.lock"), []byte("1\n"), 0o600))
	return staged, blob
}

func TestSweepRemovesWhatACrashLeftAndNothingElse(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	d := k.Create("kept.txt", "kept")
	k.AddText(d.ID, strings.Repeat("a longer text. ", 20_000))
	must(t, k.Close())
	before := files(t, k.Dir)
	staged, blob := litter(t, k.Dir)
	v := open(t, k.Dir)
	if _, err := os.Stat(staged); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the staged file is still there: %v", err)
	}
	if _, err := os.Stat(blob); err != nil {
		t.Errorf("opening removed a blob, which is the business of Sweep: %v", err)
	}
	next, err := v.Sweep(t.Context())
	must(t, err)
	if next.IsZero() {
		t.Error("Sweep does not say when to call it again")
	}
	must(t, v.Close())
	after := files(t, k.Dir)
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("before %v, after %v", before, after)
	}
}

func TestSweepThatWasCutOffIsDoneByTheNext(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	must(t, k.Close())
	_, blob := litter(t, k.Dir)
	v := open(t, k.Dir)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := v.Sweep(ctx)
	wantIs(t, err, context.Canceled)
	must(t, v.Close())
	v = open(t, k.Dir)
	_, err = v.Sweep(t.Context())
	must(t, err)
	if _, err := os.Stat(blob); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the blob is still there: %v", err)
	}
	must(t, v.Close())
}

func TestClosedVaultRefusesEverything(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	d := k.Create("a.txt", "text")
	k.Create("b.txt", "more text")
	export, err := k.Export(t.Context(), k.Admin, 0)
	must(t, err)
	u := k.Upload("an upload from before")
	w := k.Upload("another")
	big := k.Upload(strings.Repeat("0123456789abcdef", 20_000))
	must(t, k.Close())
	must(t, k.Close())
	before := files(t, k.Dir)

	ctx, cond, name := t.Context(), engine.Condition{}, "x"
	for call, fn := range map[string]func() error{
		"Ready":        func() error { return k.Ready() },
		"Wait":         func() error { return k.Wait(ctx, 0) },
		"Document":     func() error { _, err := k.Document(ctx, d.ID); return err },
		"Documents":    func() error { _, err := k.Documents(ctx, engine.DocumentQuery{}); return err },
		"Version":      func() error { _, err := k.Version(ctx, d.ID, 1); return err },
		"Versions":     func() error { _, err := k.Versions(ctx, d.ID, engine.Paging{}); return err },
		"Certificate":  func() error { _, err := k.Certificate(ctx, d.ID); return err },
		"OpenContent":  func() error { _, _, _, err := k.OpenContent(ctx, k.Admin, d.ID, 0); return err },
		"User":         func() error { _, err := k.User(ctx, k.Admin.UserID); return err },
		"Users":        func() error { _, err := k.Users(ctx, engine.Paging{}); return err },
		"Key":          func() error { _, err := k.Key(ctx, k.Admin.KeyID); return err },
		"Keys":         func() error { _, err := k.Keys(ctx, engine.Paging{}); return err },
		"Settings":     func() error { _, err := k.Settings(ctx); return err },
		"Entry":        func() error { _, err := k.Entry(ctx, 1); return err },
		"Entries":      func() error { _, err := k.Entries(ctx, engine.EntryQuery{}); return err },
		"Authenticate": func() error { _, err := k.Authenticate(ctx, k.Token); return err },
		"Stage":        func() error { _, err := k.Stage(ctx, strings.NewReader("x"), 0); return err },
		"CreateDocument": func() error {
			_, _, err := k.CreateDocument(ctx, k.Admin, engine.NewDocument{Name: name}, u)
			return err
		},
		"AddVersion": func() error { _, _, err := k.AddVersion(ctx, k.Admin, d.ID, cond, engine.NewVersion{}, w); return err },
		"AddVersion, large": func() error {
			_, _, err := k.AddVersion(ctx, k.Admin, d.ID, cond, engine.NewVersion{}, big)
			return err
		},
		"RestoreVersion": func() error { _, _, err := k.RestoreVersion(ctx, k.Admin, d.ID, cond, 1); return err },
		"UpdateDocument": func() error {
			_, _, err := k.UpdateDocument(ctx, k.Admin, d.ID, cond, engine.DocumentPatch{Name: &name})
			return err
		},
		"ArchiveDocument":   func() error { _, _, err := k.ArchiveDocument(ctx, k.Admin, d.ID, cond); return err },
		"UnarchiveDocument": func() error { _, _, err := k.UnarchiveDocument(ctx, k.Admin, d.ID, cond); return err },
		"DeleteDocument":    func() error { _, _, err := k.DeleteDocument(ctx, k.Admin, d.ID, cond); return err },
		"CreateUser": func() error {
			_, _, err := k.CreateUser(ctx, k.Admin, engine.NewUser{Name: name, Access: engine.AccessView})
			return err
		},
		"EnsureUser": func() error {
			_, _, err := k.EnsureUser(ctx, k.Admin, engine.NewUser{Name: name, Email: "a@b", Access: engine.AccessView})
			return err
		},
		"UpdateUser": func() error {
			_, _, err := k.UpdateUser(ctx, k.Admin, k.Admin.UserID, engine.Condition{}, engine.UserPatch{Name: &name})
			return err
		},
		"CreateKey": func() error { _, _, _, err := k.CreateKey(ctx, k.Admin, engine.NewKey{Name: name}); return err },
		"RotateKey": func() error { _, _, _, err := k.RotateKey(ctx, k.Admin, k.Admin.KeyID, 0); return err },
		"RevokeKey": func() error { _, _, err := k.RevokeKey(ctx, k.Admin, k.Admin.KeyID); return err },
		"UpdateSettings": func() error {
			_, _, err := k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{})
			return err
		},
		"Export":       func() error { _, err := k.Export(ctx, k.Admin, 0); return err },
		"WriteLog":     func() error { return export.WriteLog(ctx, io.Discard) },
		"WriteDetails": func() error { return export.WriteDetails(ctx, io.Discard) },
		"Verify":       func() error { _, err := k.Verify(ctx, engine.VerifyOptions{}); return err },
		"Sweep":        func() error { _, err := k.Sweep(ctx); return err },
	} {
		err := fn()
		down, ok := errors.AsType[*engine.UnavailableError](err)
		if !ok || !errors.Is(err, engine.ErrUnavailable) || down.Reason != engine.ReasonClosed {
			t.Errorf("%s: %v", call, err)
		}
	}
	after := files(t, k.Dir)
	for path := range after {
		if before[path] == "" {
			t.Errorf("a closed vault wrote %s", path)
		}
	}
}

func TestCloseWakesWhoWaits(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	woken := make(chan error)
	go func() { woken <- k.Wait(t.Context(), k.Head().Seq) }()
	must(t, k.Close())
	wantIs(t, <-woken, engine.ErrUnavailable)
}

func TestAVaultThatIsDownIsClosedOnce(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	k.Down(errors.New("the disk is on fire"))
	wantIs(t, k.Ready(), engine.ErrUnavailable)
	if down, _ := errors.AsType[*engine.UnavailableError](k.Ready()); down.Reason != engine.ReasonOutcomeUnknown {
		t.Errorf("%v", k.Ready())
	}
	closed := make(chan error)
	for range 8 {
		go func() { closed <- k.Close() }()
	}
	for range 8 {
		if err := <-closed; err != nil {
			t.Error(err)
		}
	}
	if down, _ := errors.AsType[*engine.UnavailableError](k.Ready()); down.Reason != engine.ReasonClosed {
		t.Errorf("%v", k.Ready())
	}
	if text, _ := os.ReadFile(filepath.Join(k.Dir, "vault.lock")); len(text) == 0 {
		t.Error("the lock file says that the end was clean")
	}
}

func TestNoGoroutineIsLeftAfterClose(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("a.txt", strings.Repeat("long enough for the disk. ", 10_000))
	ctx, cancel := context.WithCancel(t.Context())
	waits := make(chan error)
	go func() { waits <- k.Wait(ctx, k.Head().Seq) }()
	cancel()
	wantIs(t, <-waits, context.Canceled)
	slow, w := io.Pipe()
	staged := make(chan error)
	go func() {
		_, err := k.Stage(t.Context(), slow, 0)
		staged <- err
	}()
	w.Write(make([]byte, 300_000))
	w.CloseWithError(errors.New("the client went away"))
	if err := <-staged; err == nil {
		t.Error("half an upload was staged")
	}
	k.Content(d.ID, 0)
	_, err := k.Verify(t.Context(), engine.VerifyOptions{Bytes: true})
	must(t, err)
	must(t, k.Close())
	for range 1_000 { // those that end by themselves get the time to do so
		runtime.Gosched()
	}
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for i, stack := range strings.Split(string(stacks), "\n\n") {
		if i > 0 && (strings.Contains(stack, "strongroom/") || strings.Contains(stack, "bbolt")) && !strings.Contains(stack, "testing.tRunner") && !strings.Contains(stack, "testing.(*T).Run") {
			t.Errorf("left running:\n%s", stack)
		}
	}
}

func TestTheHeadIsTheSameAfterReopening(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	head := k.Head()
	k.Create("a.txt", "text")
	if k.Head().Seq != head.Seq+1 {
		t.Errorf("%+v after %+v", k.Head(), head)
	}
	head = k.Head()
	k.Reopen()
	if k.Head() != head {
		t.Errorf("%+v, was %+v", k.Head(), head)
	}
	if parsed, err := audit.ParseHead(head.Text()); err != nil || parsed != head {
		t.Errorf("%v %v", parsed, err)
	}
	if d := time.Since(head.Time); d < -time.Second || d > time.Hour {
		t.Errorf("the head's time is %v", head.Time)
	}
}
