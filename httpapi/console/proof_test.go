package console

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/httpapi"
)

// proves fails unless a file that was downloaded proves an entry under the key of the log.
func (k *kit) proves(p seen, name string) audit.Entry {
	k.t.Helper()
	if disposition := p.is(200).Header.Get("Content-Disposition"); disposition != `attachment; filename="`+name+`"` {
		k.t.Errorf("it is kept as %s, want %s", disposition, name)
	}
	key, err := k.LogKey(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	policy, err := audit.PolicyOf(key.Verifier)
	if err != nil {
		k.t.Fatal(err)
	}
	proof, err := audit.ParseProof([]byte(p.HTML))
	if err != nil {
		k.t.Fatal(err)
	}
	proved, err := proof.Verify(policy)
	if err != nil {
		k.t.Fatal(err)
	}
	return proved.Entry
}

// witnessed has a witness sign the log as it is.
func (k *kit) witnessed(name string, at time.Time) {
	k.t.Helper()
	c, err := k.Checkpoint(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	key, err := audit.NewWitnessKey(name, rand.Reader)
	if err != nil {
		k.t.Fatal(err)
	}
	line, err := key.Cosign(c.Checkpoint, at)
	if err != nil {
		k.t.Fatal(err)
	}
	policy, err := audit.ParsePolicy("witness w " + key.Verifier() + "\nquorum w\n")
	if err != nil {
		k.t.Fatal(err)
	}
	if _, _, err := k.AddCosignatures(k.t.Context(), c.Note, line, policy); err != nil {
		k.t.Fatal(err)
	}
}

func TestProofsAreTakenAway(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	d := k.Create("lease", "one")
	k.another(d.ID, text("b"), "two")
	path := "/console/main/documents/" + d.ID
	for _, b := range []*browser{k.admin(), k.viewer()} {
		b.get(path).says("A proof shows anybody, for ever and without this vault").offers(path+"/proof", path+"/report")
		for n := uint64(1); n <= 2; n++ {
			if e := k.proves(b.post(path+"/proof", "n", fmt.Sprint(n)), fmt.Sprintf("%s-%d.tlog-proof", d.ID, n)); e.Document != d.ID || e.Version != n {
				t.Errorf("of version %d it proves %+v", n, e)
			}
		}
		b.get("/console/main/audit").offers("/console/main/audit/proof").says("Proof of entry 1")
		b.get("/console/main/audit/1")
		if e := k.proves(b.submit("/console/main/audit/proof"), "entry-1.tlog-proof"); e.Op != audit.OpVaultCreated {
			t.Errorf("of the first entry it proves %+v", e)
		}
		b.post(path+"/proof", "n", "3").is(404).says("no such version")
		b.post(path+"/proof", "n", "x").is(404)
		b.post("/console/main/audit/proof", "seq", "99999").is(404).says("no such entry")
		b.post("/console/main/audit/proof", "seq", "").is(404)
	}
	if _, _, err := k.DeleteDocument(t.Context(), k.Admin, d.ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	b := k.admin()
	b.get(path).is(410).says("Proof of version 2").offers(path+"/proof", path+"/report")
	k.proves(b.post(path+"/proof", "n", "2"), d.ID+"-2.tlog-proof")
}

func TestCheckpointIsPrinted(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.Create("lease", "one")
	const path = "/console/main/audit/checkpoint"
	b := k.viewer()
	b.get(path).is(200).says("The log has signed nothing yet", "Sign the log as it is now")
	b.get(path + "/note").is(404).says("The log has signed nothing yet")
	b.get(path)
	b.submit(path).ok(path).says("The log has signed its first", "No witness has signed it")
	last, err := k.LastCheckpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.last.text(), last.Verifier) || !strings.Contains(b.last.text(), last.Origin) {
		t.Errorf("the key is not there: %s", b.last.text())
	}
	if !strings.Contains(b.last.HTML, `href="/v1/verifier.html"`) {
		t.Error("there is no way to the page that checks proofs")
	}
	b.submit(path).ok(path).says("Nothing has changed since the last checkpoint")
	if p := b.get(path + "/note"); p.HTML != string(last.Note) || !strings.Contains(p.Header.Get("Content-Disposition"), "main-") {
		t.Errorf("%v: %s", p.Header, p.HTML)
	}
	at := time.Date(2026, 11, 21, 17, 36, 1, 0, time.UTC)
	k.witnessed("harbour.example", at)
	b.get(path).says("harbour.example", "2026-11-21T17:36:01.000Z").lacks("No witness has signed it", "The last checkpoint that witnesses have signed")
	k.Create("another", "two")
	b.submit(path).ok(path).says("No witness has signed it", "The last checkpoint that witnesses have signed", "harbour.example")
	if p := b.get(path + "/note?witnessed=1"); !strings.Contains(p.HTML, "harbour.example") {
		t.Errorf("the cosigned one is %s", p.HTML)
	}
}

func TestIntegrityReportIsReadAndKept(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	ctx := t.Context()
	d := k.CreateFrom(engine.NewDocument{Name: "lease <1> & co", Version: engine.NewVersion{FileName: "lease.txt"}}, "one")
	h, _, err := k.PlaceHold(ctx, k.Admin, d.ID, engine.Condition{}, engine.NewHold{Reason: "the secret suit"})
	if err != nil {
		t.Fatal(err)
	}
	k.another(d.ID, text("b"), "two")
	path := "/console/main/documents/" + d.ID
	b := k.viewer()
	before := k.Head()
	b.get(path + "/report").is(200).says("The log has not been signed since something last happened to lease <1> & co")
	if k.Head() != before {
		t.Error("looking at it has signed")
	}
	b.submit(path+"/report").ok(path+"/report").says("Integrity report", "lease <1> & co", "by Ada Admin", "lease.txt", "Proof of version 2", "It stands.",
		"whole when they came in", "Document version added", "Hold placed", "no policy protected it", "c2sp.org/tlog-proof@v1", "It claims conformance with no standard").lacks("the secret suit", "more before these")
	key, err := k.LogKey(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b.last.says(key.Verifier, k.document(d.ID).Current.Digest.String())
	if _, _, err := k.ReleaseHold(ctx, k.Admin, h.ID, engine.Condition{}, "settled"); err != nil {
		t.Fatal(err)
	}
	k.witnessed("harbour.example", time.Now())
	b.get(path+"/report").says("harbour.example").lacks("It stands.", "settled")
	p := b.post(path+"/report", "what", "signed").is(200)
	var kept httpapi.IntegrityReport
	if err := json.Unmarshal([]byte(p.HTML), &kept); err != nil {
		t.Fatal(err)
	}
	text, err := audit.OpenText([]byte(kept.Signature), key.Verifier)
	if sum := audit.HashLine(kept.Report); err != nil || !strings.HasSuffix(text, "sha256:"+sum.String()+"\n") || kept.Digest != "sha256:"+sum.String() {
		t.Errorf("what was kept is not what was signed: %s, %s, %v", text, sum, err)
	}
	if _, _, err := k.DeleteDocument(ctx, k.Admin, d.ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	b.get(path).is(410)
	b.submit(path+"/report").ok(path+"/report").says("Deleted", "by hand", "deleted with the document").lacks("protected it")
	b.get("/console/main/documents/" + engine.NewID() + "/report").is(404).says("no such document")
}

// The page tells what has stood in the way of deletion, from when to when, and what was
// decided. Who may not read policies meets their ids, as in the report, and no name.
func TestIntegrityReportTellsOfProtection(t *testing.T) {
	s := takeSeat(t)
	ctx, cond := t.Context(), engine.Condition{}
	law := s.policy(engine.NewPolicy{Name: "Ledgers <1>", Scope: engine.ScopeOrganization, Period: "P10Y", StartAt: engine.StartAtEndOfYear, Action: engine.ActionDelete, Protect: engine.ProtectGovernance})
	d := s.CreateFrom(engine.NewDocument{Name: "ledger"}, "one")
	h, _, err := s.PlaceHold(ctx, s.Admin, d.ID, cond, engine.NewHold{Reason: "the secret suit"})
	if err == nil {
		_, _, err = s.ReleaseHold(ctx, s.Admin, h.ID, cond, "")
	}
	if err == nil {
		_, _, err = s.ArchiveDocument(ctx, s.Admin, d.ID, cond)
	}
	if err == nil {
		_, _, err = s.UnarchiveDocument(ctx, s.Admin, d.ID, cond)
	}
	if err != nil {
		t.Fatal(err)
	}
	path := "/console/main/documents/" + d.ID + "/report"
	s.b.get(path)
	p := s.b.submit(path).ok(path).says("Protection over time", "The policy Ledgers <1>", "by governance: 10 years after the end of the year in which it was made", law.ID,
		"A legal hold "+h.ID, "when the period is over", "What was decided on it", "Document archived", "Document unarchived")
	if strings.Count(p.HTML, "A legal hold<br>") != 1 {
		t.Error("the hold is told twice")
	}
	vera := s.viewer()
	vera.get(path).says("A policy, by governance: 10 years after", law.ID).lacks("Ledgers")

	cond.BypassGovernance, cond.Reason = true, "ordered"
	if _, _, err := s.DeleteDocument(ctx, s.Admin, d.ID, cond); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.DeletePolicy(ctx, s.Admin, law.ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	s.b.get("/console/main/documents/" + d.ID)
	s.b.submit(path).ok(path).says("Document deleted, by hand, bypassing governance", "A policy, by governance", law.ID).lacks("Ledgers", "when the period is over", "there may have been more")
}

// What is proved of a document is for those who may see it.
func TestNothingIsProvedOfWhatIsRestricted(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	d := k.Create("hidden", "text")
	made := k.Head().Seq
	if _, _, err := k.RestrictDocument(t.Context(), k.Admin, d.ID, engine.Condition{}, "contested"); err != nil {
		t.Fatal(err)
	}
	path, entry := "/console/main/documents/"+d.ID, fmt.Sprint("/console/main/audit/", made)
	_, token := k.Person("Otto Auditor", engine.AccessAuditor)
	otto, vera := k.signedIn(token), k.viewer()
	proof := fmt.Sprint("Proof of entry ", made)
	otto.get("/console/main/audit").says(proof)
	otto.get(entry).offers("/console/main/audit/proof")
	otto.get(path)
	otto.submit(path + "/report").ok(path + "/report")
	k.proves(otto.post(path+"/proof", "n", "1"), d.ID+"-1.tlog-proof")
	vera.get("/console/main/audit").says("Proof of entry 1").lacks(proof + " ")
	vera.get(entry).withholds("/console/main/audit/proof")
	vera.get(path + "/report").is(404).says("no such document")
	vera.post(path + "/report").is(404)
	vera.post(path+"/proof", "n", "1").is(404).says("no such document")
	vera.post("/console/main/audit/proof", "seq", fmt.Sprint(made)).is(404).says("no such entry")
}
