package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"strongroom/audit"
	"strongroom/httpapi/control"
)

// TestBackupAndRestore is the worst day: several vaults backed up while they are
// served, the data directory lost, and restored with the log exported since.
func TestBackupAndRestore(t *testing.T) {
	data, medium := t.TempDir(), t.TempDir()
	key := strings.TrimSpace(mustRun(t, "init", "--data", data))
	mustRun(t, "init", "--data", data, "--vault", "legal")
	s := startServer(t, data)
	s.upload(t, key, "kept.txt", "kept")
	t.Chdir(medium) // what is relative is relative to here, not to the server
	for _, to := range []string{data, filepath.Join(data, "backup"), filepath.Join(data, "vaults")} {
		run(t, "backup", "--data", data, "--to", to).expect(t, 2, "data directory", "outside")
	}
	out := mustRun(t, "backup", "--data", data, "--to", "monday", "--all")
	for _, want := range []string{filepath.Join("monday", "main") + ": 1 documents, 1 versions, 1 files of 4 bytes", filepath.Join("monday", "legal") + ": 0 documents"} {
		if !strings.Contains(out, want) {
			t.Errorf("backup does not say %q:\n%s", want, out)
		}
	}
	lost := s.upload(t, key, "lost.txt", "lost")
	resp, answer := s.do(t, key, "GET", "/v1/audit/entries?op=backup.completed", nil)
	if resp.StatusCode != http.StatusOK || bytes.Count(answer, []byte(`"actor":"operator"`)) != 1 {
		t.Errorf("entries of the backup: %s\n%s", resp.Status, answer)
	}
	mustRun(t, "export", "--data", data, "--log", "since.jsonl")

	fresh := filepath.Join(t.TempDir(), "restored")
	run(t, "restore", "--data", fresh, "--from", "monday").expect(t, 2, "--log", "--without-log", "entry")
	run(t, "restore", "--data", fresh, "--from", "monday", "--vault", "hr", "--without-log").expect(t, 1, "hr")
	run(t, "restore", "--data", data, "--from", "monday", "--without-log").expect(t, 1, "already")
	if _, err := os.Stat(fresh); err == nil {
		t.Error("what was refused left a directory")
	}
	restoring := run(t, "restore", "--data", fresh, "--from", "monday", "--log", "since.jsonl")
	restoring.expect(t, 0, "strongroom resume --data "+fresh) // where it is, and not another
	out = restoring.stdout
	for _, want := range []string{"1 documents, 1 versions", "document.created 1", "missing: document " + lost + " version 1, sha256:"} {
		if !strings.Contains(out, want) {
			t.Errorf("restore does not say %q:\n%s", want, out)
		}
	}
	mustRun(t, "restore", "--data", fresh, "--from", filepath.Join("monday", "legal"), "--vault", "legal", "--without-log")
	mustRun(t, "verify", "--data", fresh, "--bytes", "--head", filepath.Join("monday", "main", "head.txt"))

	if out := mustRun(t, "doctor", "--data", fresh); strings.Count(out, "paused") != 2 {
		t.Errorf("the doctor does not say that both are paused:\n%s", out)
	}
	r := startServer(t, fresh)
	mustRun(t, "resume", "--data", fresh) // through the socket
	r.end()
	mustRun(t, "resume", "--data", fresh, "--vault", "legal") // at rest
	if again := run(t, "resume", "--data", fresh); again.code != 0 || !strings.Contains(again.stderr, "is not paused") {
		t.Errorf("resume again: %+v", again)
	}
	if out := mustRun(t, "doctor", "--data", fresh); strings.Contains(out, "paused") {
		t.Errorf("still paused:\n%s", out)
	}
}

// TestRestoreUndoesNothingThatGoverns is what an attacker would like of a backup:
// what was held, revoked, lowered and protected after it stays so.
func TestRestoreUndoesNothingThatGoverns(t *testing.T) {
	data, medium := t.TempDir(), t.TempDir()
	key := strings.TrimSpace(mustRun(t, "init", "--data", data))
	s := startServer(t, data)
	held, other := s.upload(t, key, "held.txt", "held"), s.upload(t, key, "other.txt", "other")
	type made struct{ ID, Secret string }
	var person, token, policy, hold made
	s.mustDo(t, key, "POST", "/v1/users", 201, `{"name":"Eve","access":"admin"}`, &person)
	s.mustDo(t, key, "POST", "/v1/api-keys", 201, `{"name":"eve","userId":"`+person.ID+`"}`, &token)
	s.mustDo(t, key, "POST", "/v1/retention/policies", 201, `{"name":"Ten years","scope":"organization","periodDays":3652,"action":"delete"}`, &policy)
	mustRun(t, "backup", "--data", data, "--to", filepath.Join(medium, "b"))
	s.mustDo(t, key, "POST", "/v1/documents/"+held+"/holds", 201, `{"reason":"litigation","matter":"M-7"}`, &hold)
	s.mustDo(t, key, "DELETE", "/v1/api-keys/"+token.ID, 200, "", nil)
	s.mustDo(t, key, "PATCH", "/v1/users/"+person.ID, 200, `{"access":"view"}`, nil)
	s.mustDo(t, key, "PATCH", "/v1/retention/policies/"+policy.ID, 200, `{"protect":"compliance","confirm":"Ten years"}`, nil)
	s.mustDo(t, key, "PATCH", "/v1/settings", 200, `{"auditReads":true,"timeZone":"Europe/Berlin"}`, nil)
	t.Chdir(medium)
	early := mustRun(t, "verify", "--data", data)
	mustRun(t, "export", "--data", data, "--log", "log.jsonl", "--details", "details.jsonl")
	if err := os.WriteFile("heads.txt", []byte(early), 0o600); err != nil {
		t.Fatal(err)
	}
	restore := []string{"restore", "--from", "b", "--log", "log.jsonl", "--details", "details.jsonl", "--data"}
	out := mustRun(t, append(restore, "restored", "--head", "heads.txt")...)
	for _, want := range []string{"in force again: hold.placed 1", "in force again: key.revoked 1", "of the last head that was kept elsewhere"} {
		if !strings.Contains(out, want) {
			t.Errorf("restore does not say %q:\n%s", want, out)
		}
	}
	mustRun(t, "verify", "--data", "restored", "--bytes")
	r := startServer(t, "restored")
	r.mustDo(t, token.Secret, "GET", "/v1/me", 401, "", nil)
	r.mustDo(t, key, "DELETE", "/v1/documents/"+held, 409, "", nil)
	r.mustDo(t, key, "DELETE", "/v1/documents/"+other, 409, "", nil) // by compliance
	var now struct{ Reason, Matter, Status string }
	if r.mustDo(t, key, "GET", "/v1/holds/"+hold.ID, 200, "", &now); now.Reason != "litigation" || now.Matter != "M-7" || now.Status != "active" {
		t.Errorf("the hold: %+v", now)
	}
	r.end()

	// The release of the hold is taken with a head that covers it, and without none.
	s.mustDo(t, key, "POST", "/v1/holds/"+hold.ID+"/release", 200, `{}`, nil)
	late := mustRun(t, "verify", "--data", data)
	mustRun(t, "export", "--data", data, "--log", "log.jsonl", "--details", "details.jsonl")
	run(t, append(restore, "refused")...).expect(t, 1, "releases hold "+hold.ID, "--head")
	run(t, append(restore, "refused", "--head", "heads.txt")...).expect(t, 1, "releases hold "+hold.ID)
	if _, err := os.Stat("refused"); err == nil {
		t.Error("what was refused left a directory")
	}
	if err := os.WriteFile("heads.txt", []byte(early+late), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, append(restore, "released", "--head", "heads.txt")...)
	run(t, "restore", "--from", "b", "--without-log", "--head", "heads.txt", "--data", "refused").expect(t, 2, "--log")
}

// TestControlRoutesAreNotPublic holds that no HTTP route writes to a path of the
// server's.
func TestControlRoutesAreNotPublic(t *testing.T) {
	data := t.TempDir()
	s := startServer(t, data)
	key := s.firstKey(t)
	for _, c := range [][2]string{{"POST", control.RouteBackup}, {"GET", control.RouteDoctor}, {"POST", control.RouteImport}} {
		resp, _ := s.do(t, key, c[0], c[1], strings.NewReader(`{"to":"`+filepath.Join(data, "stolen")+`"}`), "Content-Type", "application/json")
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s %s: %s", c[0], c[1], resp.Status)
		}
	}
	if _, err := os.Stat(filepath.Join(data, "stolen")); err == nil {
		t.Error("it was written")
	}
	run(t, "compact", "--data", data).expect(t, 1, "in use", "process")
}

// TestScrubWhileServing holds that a file that changes on the disk is logged, and
// told by readyz to who may know.
func TestScrubWhileServing(t *testing.T) {
	data := t.TempDir()
	s := startServer(t, data, "--scrub-rate", "0")
	key := s.firstKey(t)
	document := s.upload(t, key, "contract.txt", "the text")
	s.end()
	files, err := filepath.Glob(filepath.Join(data, "vaults", "main", "blobs", "sha256", "*", "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.Chmod(files[0], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], []byte("the test"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = startServer(t, data)
	s.stderr.await(t, s.ended, `.*`+regexp.QuoteMeta(filepath.Base(files[0]))+`.*restore it from a backup.*`)
	resp, answer := s.do(t, key, "GET", "/readyz", nil)
	if resp.StatusCode != http.StatusOK || !bytes.Contains(answer, []byte("1 files do not have the bytes they came with, among them that of document "+document+" version 1")) {
		t.Errorf("readyz: %s\n%s", resp.Status, answer)
	}
	if _, answer := s.do(t, "none", "GET", "/readyz", nil); bytes.Contains(answer, []byte("files")) {
		t.Errorf("readyz tells everybody:\n%s", answer)
	}
	of := "document " + document + " version 1"
	doctor := run(t, "doctor", "--data", data)
	doctor.expect(t, 1, "1 error")
	verify := run(t, "verify", "--data", data, "--bytes")
	if verify.code != 1 || !strings.Contains(doctor.stdout, of) || !strings.Contains(verify.stdout, "blob: "+of+": ") {
		t.Errorf("the damaged file is not called by its document:\n%s%s", doctor.stdout, verify.stdout)
	}
	run(t, "backup", "--data", data, "--to", filepath.Join(t.TempDir(), "medium")).expect(t, 1, filepath.Base(files[0]), of)
}

// TestADamagedDatabase holds that the doctor says which vault's is, and that the
// others are served, backed up and well.
func TestADamagedDatabase(t *testing.T) {
	data := t.TempDir()
	mustRun(t, "init", "--data", data)
	mustRun(t, "init", "--data", data, "--vault", "torn")
	databases, err := filepath.Glob(filepath.Join(data, "vaults", "torn", "rows.db"))
	if err != nil || len(databases) != 1 {
		t.Fatal(databases, err)
	}
	if err := os.WriteFile(databases[0], bytes.Repeat([]byte("torn"), 8<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	startServer(t, data)
	r := run(t, "doctor", "--data", data)
	r.expect(t, 1, "1 error")
	if !regexp.MustCompile(`(?m)^error  torn: vault: .*torn`).MatchString(r.stdout) || !strings.Contains(r.stdout, "ok     main: fsync") {
		t.Errorf("the doctor says\n%s", r.stdout)
	}
	medium := t.TempDir()
	run(t, "backup", "--data", data, "--to", medium, "--all").expect(t, 1, `"torn"`)
	mustRun(t, "restore", "--data", filepath.Join(t.TempDir(), "new"), "--from", medium, "--without-log")
}

// TestBackupsOfWhatIsDamaged is a disk that rots: a file of the vault, then one of the
// backup. Each is named by its document, the rest is backed up and restored, and what
// is missing is said from then on.
func TestBackupsOfWhatIsDamaged(t *testing.T) {
	data, medium := t.TempDir(), t.TempDir()
	key := strings.TrimSpace(mustRun(t, "init", "--data", data))
	s := startServer(t, data)
	texts := map[string]string{}
	for _, text := range []string{"first", "second", "third", "fourth"} {
		texts[s.upload(t, key, text+".txt", text)] = text
	}
	spoil := func(pattern string) string {
		t.Helper()
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, files, err)
		}
		whole, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(files[0], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(files[0], bytes.ToUpper(whole), 0o600); err != nil {
			t.Fatal(err)
		}
		for id, text := range texts {
			if text == string(whole) {
				return id
			}
		}
		t.Fatalf("%s is %q", files[0], whole)
		return ""
	}
	lost := spoil(filepath.Join(data, "vaults", "main", "blobs", "sha256", "*", "*"))
	r := run(t, "backup", "--data", data, "--to", medium)
	r.expect(t, 1, "document "+lost+" version 1: damaged in the vault, and not in the backup")
	if !strings.Contains(r.stdout, "--skip-damaged") || !strings.Contains(r.stdout, "4 documents, 4 versions, 3 files") || !strings.Contains(r.stdout, "document "+lost) {
		t.Errorf("the rest is not backed up:\n%s", r.stdout)
	}
	rotten := spoil(filepath.Join(medium, "main", "blobs", "*", "*"))
	verify := run(t, "verify", "--from", medium, "--bytes")
	if verify.code != 1 || !strings.Contains(verify.stderr, "2 findings") {
		t.Errorf("%+v", verify)
	}
	for _, id := range []string{lost, rotten} {
		if !strings.Contains(verify.stdout, "blob: document "+id) {
			t.Errorf("verify --from does not name %s:\n%s", id, verify.stdout)
		}
	}
	var made struct {
		Rechecked, Mended, Missing int
		Damaged                    []struct{ Says string }
	}
	again := run(t, "backup", "--data", data, "--to", medium, "--recheck", "all", "--json")
	again.expect(t, 1, rotten)
	if err := json.Unmarshal([]byte(again.stdout), &made); err != nil || made.Rechecked != 3 || made.Mended != 1 || made.Missing != 1 || len(made.Damaged) != 2 {
		t.Errorf("%v: %s", err, again.stdout)
	}
	if verify := run(t, "verify", "--from", filepath.Join(medium, "main"), "--bytes"); verify.code != 1 || !strings.Contains(verify.stderr, "1 finding:") {
		t.Errorf("%+v", verify)
	}
	run(t, "verify", "--from", medium, "--log", "x").expect(t, 2, "--from")
	run(t, "verify", "--from", data).expect(t, 1, "no backup")
	run(t, "backup", "--data", data, "--to", medium, "--recheck", "200%").expect(t, 2, "--recheck", "10%")
	s.end()

	fresh := filepath.Join(t.TempDir(), "restored")
	run(t, "restore", "--data", fresh, "--from", medium, "--without-log").expect(t, 1, lost, "--skip-damaged")
	if out := mustRun(t, "restore", "--data", fresh, "--from", medium, "--without-log", "--skip-damaged"); !strings.Contains(out, "not restored: document "+lost+" version 1, sha256:") {
		t.Errorf("restore does not say what is missing:\n%s", out)
	}
	if verify := run(t, "verify", "--data", fresh, "--bytes"); verify.code != 1 || !strings.Contains(verify.stdout, lost) || strings.Contains(verify.stdout, rotten) {
		t.Errorf("%+v", verify)
	}
	s = startServer(t, fresh)
	for id, text := range texts {
		resp, answer := s.do(t, key, "GET", "/v1/documents/"+id+"/content", nil)
		if whole := resp.StatusCode == http.StatusOK && string(answer) == text; whole == (id == lost) {
			t.Errorf("%s: %s\n%s", id, resp.Status, answer)
		}
	}
	s.upload(t, key, "again.txt", texts[lost])
	if _, answer := s.do(t, key, "GET", "/v1/documents/"+lost+"/content", nil); string(answer) != texts[lost] {
		t.Errorf("the bytes came again, and it is %s", answer)
	}
}

// TestAConsumerAfterARestore is a reader of the log that has seen more of it than the
// vault has, now that it was restored.
func TestAConsumerAfterARestore(t *testing.T) {
	data, medium := t.TempDir(), t.TempDir()
	key := strings.TrimSpace(mustRun(t, "init", "--data", data))
	s := startServer(t, data)
	s.upload(t, key, "kept.txt", "kept")
	mustRun(t, "backup", "--data", data, "--to", medium)
	for _, text := range []string{"1", "2", "3", "4", "5", "6"} {
		s.upload(t, key, text, text)
	}
	seen := headSeq(t, data)
	s.end()
	fresh := filepath.Join(t.TempDir(), "restored")
	mustRun(t, "restore", "--data", fresh, "--from", medium, "--without-log")
	head := headSeq(t, fresh)
	if head >= seen {
		t.Fatal(head, seen)
	}
	s = startServer(t, fresh)
	behind := fmt.Sprintf(`"details":{"head":%d,"restoredAt":"20`, head)
	for _, path := range []string{"entries?after=%d", "entries?after=%d&wait=60", "entries?cursor=%d", "entries?op=document.created&after=%d", "export?after=%d", "details?after=%d"} {
		resp, answer := s.do(t, key, "GET", "/v1/audit/"+fmt.Sprintf(path, seen), nil)
		if resp.StatusCode != http.StatusConflict || !bytes.Contains(answer, []byte(`"errorCode":"LOG_BEHIND"`)) || !bytes.Contains(answer, []byte(behind)) {
			t.Errorf("%s: %s\n%s", path, resp.Status, answer)
		}
		if resp, answer := s.do(t, key, "GET", "/v1/audit/"+fmt.Sprintf(strings.TrimSuffix(path, "&wait=60"), head), nil); resp.StatusCode != http.StatusOK {
			t.Errorf("%s at the head: %s\n%s", path, resp.Status, answer)
		}
	}
	if resp, _ := s.do(t, key, "HEAD", fmt.Sprintf("/v1/audit/export?after=%d", seen), nil); resp.StatusCode != http.StatusConflict {
		t.Errorf("HEAD: %s", resp.Status)
	}
}

func headSeq(t *testing.T, data string) uint64 {
	t.Helper()
	head, err := audit.ParseHead(mustRun(t, "verify", "--data", data))
	if err != nil {
		t.Fatal(err)
	}
	return head.Seq
}
