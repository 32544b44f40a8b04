package console

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
)

// choose sends the list's form for documents, and returns the page of what would be.
func (b *browser) choose(action string, ids []string, pairs ...string) seen {
	b.k.t.Helper()
	values := append([]string{"action", action}, pairs...)
	for _, id := range ids {
		values = append(values, "document", id)
	}
	return b.post("/console/main/documents/chosen", values...)
}

// begin sends the form of that page.
func (b *browser) begin() seen {
	b.k.t.Helper()
	at, _, _ := strings.Cut(b.last.Path, "?")
	return b.submit(at + "/start").is(200)
}

func TestChosenDocumentsAreChangedAfterWhatWouldBe(t *testing.T) {
	k := newKit(t)
	k.Define(engine.NumberField, "amount")
	one, two := k.Create("one", "1"), k.Create("two", "2")
	locked := k.Create("locked", "3")
	uploader, token := k.Person("Lara", engine.AccessUpload)
	k.AcquireLock(t.Context(), uploader, locked.ID, engine.Condition{}, engine.NewLock{Duration: 1e11})
	_ = token
	ids := []string{one.ID, two.ID, locked.ID, one.ID}
	b := k.admin()
	for _, c := range []struct {
		action string
		fields []string
		words  string
		did    func(engine.Document) bool
	}{
		{"tags", []string{"addTags", "signed, year:2026"}, "Tags are added", func(d engine.Document) bool { return len(d.Tags) == 2 }},
		{"category", []string{"category", "contract"}, "The category becomes contract", func(d engine.Document) bool { return d.Category == "contract" }},
		{"owner", []string{"ownerId", uploader.UserID}, "The owner becomes Lara", func(d engine.Document) bool { return d.OwnerID == uploader.UserID }},
		{"path", []string{"path", "Contracts/2026"}, "move to the folder Contracts/2026", func(d engine.Document) bool { return d.Path == "Contracts/2026" }},
		{"field", []string{"field", "amount", "value", "12.50"}, "amount becomes 12.50", func(d engine.Document) bool { return fmt.Sprint(d.CustomFields["amount"]) == "12.50" }},
	} {
		before := k.Head()
		p := b.choose(c.action, ids, c.fields...).is(200).says(c.words, "2 documents would be changed", "1 document would be refused", "Somebody is editing", "Nothing has been changed yet")
		if k.Head() != before || p.Redirect == "" {
			t.Fatalf("%s: something changed before it was begun", c.action)
		}
		b.begin().says("2 documents changed", "1 document refused")
		if !c.did(k.document(one.ID)) || !c.did(k.document(two.ID)) || c.did(k.document(locked.ID)) {
			t.Errorf("%s: they are %v", c.action, k.document(one.ID))
		}
		if b.get(b.last.Path).is(200); k.document(one.ID).Revision != k.document(two.ID).Revision {
			t.Errorf("%s: looking again changed it", c.action)
		}
	}
	b.choose("field", ids[:1], "field", "amount", "value", "many").is(400).says("is no number")
	b.choose("category", ids[:1], "category", "nonsense").is(400)
	b.choose("tags", nil, "addTags", "x").is(400).says("choose some in the list first")
	b.choose("nonsense", ids[:1]).is(404)
}

func TestWhatChangedAfterTheDryRunIsRefused(t *testing.T) {
	k := newKit(t)
	one, two := k.Create("one", "1"), k.Create("two", "2")
	b := k.admin()
	b.choose("category", []string{one.ID, two.ID}, "category", "contract").says("2 documents would be changed")
	name := "somebody else's"
	k.UpdateDocument(t.Context(), k.Admin, two.ID, engine.Condition{}, engine.DocumentPatch{Name: &name})
	b.begin().says("1 document changed", "1 document refused", "Somebody else changed it meanwhile")
	if k.document(two.ID).Category == "contract" {
		t.Error("it was changed although nobody had looked at it as it is")
	}
}

func TestChosenDocumentsAreArchivedHeldAndErased(t *testing.T) {
	k := newKit(t)
	one, two := k.Create("one", "1"), k.Create("two", "2")
	ids := []string{one.ID, two.ID}
	b := k.admin()
	b.choose("hold", ids[:1], "reason", "the suit").is(400).says("matter")
	b.choose("hold", ids[:1], "reason", "the suit", "matter", "Acme").says("1 document would be changed", "would be held")
	b.begin().says("1 document changed", "held")
	b.choose("hold", ids, "reason", "again", "matter", "Acme").says("1 document would be changed", "is held for this matter already")
	b.choose("archive", ids).says("1 document would be changed", "1 document would be refused", "on legal hold")
	b.begin().says("1 document changed")
	if !k.document(two.ID).Archived || k.document(one.ID).Archived {
		t.Error("the wrong one is archived")
	}
	b.get("/console/main/documents?status=archived").says("Unarchive")
	b.choose("unarchive", ids[1:]).says("1 document would be changed")
	b.begin().says("1 document changed")

	b.choose("erase", ids, "legalBasis", "GDPR Art. 17").is(400).says("must both be there")
	b.choose("erase", ids, "legalBasis", "GDPR Art. 17", "requester", "Case 4711").
		says("1 document would be erased for good", "waits, because a legal hold keeps it", "Nothing has been changed yet")
	if k.documents() != 2 || k.entries(audit.OpErasureRequested) != 0 {
		t.Error("it was asked for before it was begun")
	}
	b.begin().says("1 document erased, 1 document waiting", "The case is")
	if k.entries(audit.OpErasureRequested) != 1 {
		t.Error("there is no case")
	}
	k.uploader().choose("erase", ids, "legalBasis", "x", "requester", "y").is(403)
	k.viewer().choose("tags", ids, "addTags", "x").is(403)
}

func TestAllThatMatchAFilter(t *testing.T) {
	k := newKit(t)
	for i := range 250 {
		k.CreateFrom(engine.NewDocument{Name: fmt.Sprintf("paper %d", i), Category: "contract"}, "x")
	}
	k.Create("another", "x")
	b := k.admin()
	b.get("/console/main/documents?category=contract&sort=name&limit=10").says("all that match")
	if is := b.last.form("/console/main/documents/chosen").Get("filter"); is != "category=contract" {
		t.Errorf("the filter is %q", is)
	}
	b.get("/console/main/documents").lacks("all that match")
	b.choose("category", nil, "category", "invoice", "all", "1", "filter", "").is(400).says("must choose by something")
	b.choose("category", nil, "category", "invoice", "all", "1", "filter", "status=all&archived=false&sort=name").is(400)
	b.choose("category", nil, "category", "invoice", "all", "1", "filter", "category=contract&nonsense=1").is(400)
	b.choose("category", nil, "category", "invoice", "all", "1", "filter", "category=contract").is(200)
	b.says(t, "250 documents would be changed")
	b.begin()
	b.says(t, "250 documents changed, 0 documents refused")
	page, _ := k.Documents(t.Context(), engine.DocumentQuery{Category: "invoice", Paging: engine.Paging{Limit: 500}})
	if len(page.Items) != 250 {
		t.Errorf("%d were changed", len(page.Items))
	}
	at := b.last.Path
	k.uploader().get(at).is(404).says("no such work")
	k.viewer().get(at).is(403)
}

// says looks at the page again until what is under way has ended.
func (b *browser) says(t *testing.T, words ...string) {
	t.Helper()
	for {
		if _, busy := b.last.formOf(b.last.Path + "/stop"); !busy {
			b.last.says(words...)
			return
		}
		b.get(b.last.Path)
	}
}

func TestResultsOutliveARestart(t *testing.T) {
	k := newKitWith(t, Options{Jobs: filepath.Join(t.TempDir(), "work.json")})
	one := k.Create("one", "1")
	b := k.admin()
	b.choose("category", []string{one.ID}, "category", "contract")
	planned := b.last.Path
	b.choose("tags", []string{one.ID}, "addTags", "x")
	b.begin().says("1 document changed")
	done := b.last.Path
	text, err := os.ReadFile(k.options.Jobs)
	if err != nil || !strings.Contains(string(text), `"state":"done"`) {
		t.Fatalf("the file has %s %v", text, err)
	}
	broken := strings.Replace(string(text), `"state":"done"`, `"state":"running"`, 1) // as a crash would leave it
	for content, want := range map[string]string{string(text): "1 document changed", broken: "the program was stopped", "{": ""} {
		if err := os.WriteFile(k.options.Jobs, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		jobs := openJobs(k.options.Jobs, k.now)
		k.console.jobs = jobs
		b.get(planned).is(404)
		if want == "" {
			b.get(done).is(404)
			continue
		}
		b.get(done).is(200).says(want)
	}
}

func TestJobsAreBounded(t *testing.T) {
	j := openJobs("", time.Now)
	for range 3 * maxJobs {
		one := &job{Vault: "main", UserID: engine.NewID()}
		if !j.add(one) {
			t.Fatal("refused")
		}
		j.change(one, func() { one.State = jobDone })
	}
	if len(j.all) > maxJobs+1 {
		t.Errorf("%d are kept", len(j.all))
	}
	mine := 0
	for range maxMine + 5 {
		if j.add(&job{Vault: "main", UserID: "me"}) {
			mine++
		}
	}
	if mine != maxMine {
		t.Errorf("one person has %d under way", mine)
	}
	for _, one := range j.all {
		for range maxFailures {
			one.Failures = append(one.Failures, outcomeRow{Name: strings.Repeat("n", 500)})
		}
	}
	if b, err := j.encoded(); err != nil || len(b) > maxJobsFile {
		t.Errorf("the file has %d bytes, %v", len(b), err)
	}
}

func TestAStoppedJobSaysSo(t *testing.T) {
	k := newKit(t)
	one := k.Create("one", "1")
	b := k.admin()
	b.choose("tags", []string{one.ID}, "addTags", "x")
	at := b.last.Path
	id := at[strings.LastIndex(at, "/")+1:]
	work, _, _ := k.console.jobs.find(id, "main", k.Admin.UserID)
	k.console.jobs.change(work, func() { work.State = jobRunning })
	k.console.jobs.work(work, func(ctx context.Context) { <-ctx.Done(); k.console.stopped(work, ctx.Err()) })
	b.get(at).says("You may leave this page")
	b.submit(at+"/stop").says("It ended before it was done", "Somebody stopped it")
}
