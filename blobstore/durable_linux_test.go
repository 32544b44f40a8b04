package blobstore

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestSystemCalls holds the comments of durable.go to what the kernel is asked
// for. The test runs itself under strace.
func TestSystemCalls(t *testing.T) {
	const variable = "BLOBSTORE_STRACED"
	if task, ok := os.LookupEnv(variable); ok {
		dir, size, _ := strings.Cut(task, "|")
		n, err := strconv.Atoi(size)
		if err != nil {
			t.Fatal(err)
		}
		d := reopen(t, dir)
		digest := keep(t, d, random(50, n))
		keep(t, d, random(50, n)) // equal bytes
		if err := d.Remove(digest); err != nil {
			t.Fatal(err)
		}
		return
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("no strace")
	}
	create := []string{"openat staging", "write staging"}
	syncNames := []string{"openat fanout", "fsync fanout"}
	for size, want := range map[int][][]string{
		1000: {create, {"fsync staging", "renameat staging"}, syncNames,
			syncNames,
			{"unlinkat fanout"}, syncNames},
		SmallSize + writebackSize: {create, slices.Repeat([]string{"write staging"}, 8),
			{"sync_file_range staging", "fsync staging", "renameat staging"}, syncNames,
			create, slices.Repeat([]string{"write staging"}, 8),
			{"sync_file_range staging", "fsync staging"}, syncNames, {"unlinkat staging"},
			{"unlinkat fanout"}, syncNames},
	} {
		d := open(t)
		log := filepath.Join(t.TempDir(), "strace")
		cmd := exec.CommandContext(t.Context(), strace, "-f", "-y", "-o", log,
			"-e", "trace=openat,write,fsync,fdatasync,sync_file_range,rename,renameat,renameat2,unlink,unlinkat",
			os.Args[0], "-test.run=^TestSystemCalls$")
		cmd.Env = append(os.Environ(), variable+"="+d.dir+"|"+strconv.Itoa(size))
		if out, err := cmd.CombinedOutput(); err != nil {
			if text, _ := os.ReadFile(log); !bytes.Contains(text, []byte("openat(")) {
				t.Skipf("strace may not trace here: %v", err)
			}
			t.Fatalf("%v\n%s", err, out)
		}
		if got, want := calls(t, log, d.dir), slices.Concat(want...); !slices.Equal(got, want) {
			t.Errorf("%d bytes: system calls\n%s\nwant\n%s", size, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// TestSystemCallsOfABatch holds that no blob of a batch gets its name before its
// bytes, and those of all others, are synced.
func TestSystemCallsOfABatch(t *testing.T) {
	const variable = "BLOBSTORE_STRACED_BATCH"
	if dir, ok := os.LookupEnv(variable); ok {
		b := reopen(t, dir).Batch()
		for seed := range uint64(2) {
			p := random(60+seed, 1000)
			if _, err := b.Add(t.Context(), Digest(sha256.Sum256(p)), bytes.NewReader(p)); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		return
	}
	d := open(t)
	got := straced(t, variable, d.dir)
	write := []string{"openat staging", "write staging", "sync_file_range staging"}
	names := []string{"openat fanout", "fsync fanout"}
	want := slices.Concat(write, write, []string{"fsync staging", "fsync staging", "renameat staging", "renameat staging"}, names, names)
	if !slices.Equal(got, want) {
		t.Errorf("system calls\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestSystemCallsOfPlaced holds that nothing is synced before SyncPlaced, and all of it there.
func TestSystemCallsOfPlaced(t *testing.T) {
	const variable = "BLOBSTORE_STRACED_PLACED"
	if dir, ok := os.LookupEnv(variable); ok {
		d := reopen(t, dir)
		digest := place(t, d, random(62, 1000))
		syncPlaced(t, d)
		if err := d.Rewrite(t.Context(), digest, random(62, 1000)); err != nil {
			t.Fatal(err)
		}
		return
	}
	got := straced(t, variable, open(t).dir)
	placed := []string{"openat staging", "write staging", "renameat staging"}
	want := slices.Concat(placed, []string{"sync_file_range fanout", "fsync fanout"}, []string{"openat fanout", "fsync fanout"}, placed)
	if !slices.Equal(got, want) {
		t.Errorf("system calls\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// straced runs the test that calls it under strace, with dir in the variable of
// the environment, and returns the system calls on files below dir.
func straced(t *testing.T, variable, dir string) []string {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("no strace")
	}
	log := filepath.Join(t.TempDir(), "strace")
	cmd := exec.CommandContext(t.Context(), strace, "-f", "-y", "-o", log,
		"-e", "trace=openat,write,fsync,fdatasync,sync_file_range,rename,renameat,renameat2,unlink,unlinkat",
		os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), variable+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		if text, _ := os.ReadFile(log); !bytes.Contains(text, []byte("openat(")) {
			t.Skipf("strace may not trace here: %v", err)
		}
		t.Fatalf("%v\n%s", err, out)
	}
	return calls(t, log, dir)
}

// calls are the system calls on files below dir, each with the directory of the first file it names.
func calls(t *testing.T, log, dir string) (calls []string) {
	f, err := os.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	line := regexp.MustCompile(`^\d+ +(\w+)\(.*?` + regexp.QuoteMeta(dir) + `/(staging|sha256)/`)
	for s := bufio.NewScanner(f); s.Scan(); {
		if m := line.FindStringSubmatch(s.Text()); m != nil {
			calls = append(calls, m[1]+" "+strings.Replace(m[2], "sha256", "fanout", 1))
		}
	}
	return calls
}
