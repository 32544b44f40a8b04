package console

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
)

func TestTheLogNewestFirst(t *testing.T) {
	s := takeSeat(t)
	d := s.Create("The lease", "text")
	for i := range 120 {
		name := fmt.Sprint("lease ", i)
		if _, _, err := s.UpdateDocument(t.Context(), s.Admin, d.ID, engine.Condition{}, engine.DocumentPatch{Name: &name}); err != nil {
			t.Fatal(err)
		}
	}
	other := s.Create("Another", "text")
	head := s.Head().Seq
	seen := map[string]bool{}
	pages := 0
	for path := "/main/audit"; path != ""; pages++ {
		page := s.get(path).is(200)
		for _, part := range strings.Split(page.html, `class="name" href="/console/main/audit/`)[1:] {
			seq := part[:strings.Index(part, `"`)]
			if seen[seq] {
				t.Errorf("entry %s comes twice", seq)
			}
			seen[seq] = true
		}
		path = nextOf(page)
	}
	if uint64(len(seen)) != head || pages != int(head+49)/50 {
		t.Errorf("%d of %d entries on %d pages", len(seen), head, pages)
	}
	first := s.get("/main/audit").html
	if strings.Index(first, "/audit/"+fmt.Sprint(head)+`"`) > strings.Index(first, "/audit/"+fmt.Sprint(head-1)+`"`) {
		t.Error("the newest is not first")
	}
	s.get("/main/audit?order=oldest").says("Vault created")
	s.get("/main/audit?op=document.created").says("Another", "Document created").saysNot("Document updated 1")
	s.get("/main/audit?documentId=" + other.ID).says("What happened to Another.").saysNot("lease 1")
	ofLease := s.get("/main/audit?documentId=" + d.ID)
	if n := strings.Count(ofLease.html, `class="name"`); n != 50 || nextOf(ofLease) == "" {
		t.Errorf("%d entries of the lease, and then %q", n, nextOf(ofLease))
	}
	s.get("/main/audit?from=2100-01-01").says("No entry fits")
	s.get("/main/audit?to=2000-01-01").says("No entry fits")
	s.get("/main/audit?from=2000-01-01&to=2100-01-01&actorId=operator&op=vault.created").says("the operator")
	s.get("/main/audit?from=yesterday").is(400).says("must be a day")
	s.get("/main/audit?documentId=nothing").is(400).says("there is none with this id")
}

func nextOf(p answered) string {
	_, after, found := strings.Cut(p.html, `rel="next" href="`)
	if !found {
		return ""
	}
	to, _, _ := strings.Cut(after, `"`)
	return strings.ReplaceAll(to, "&amp;", "&")
}

func TestAnEntryInFullAndWhatIsForAdmins(t *testing.T) {
	s := takeSeat(t)
	d := s.Create("The lease", "text")
	if _, _, err := s.PlaceHold(t.Context(), s.Admin, d.ID, engine.Condition{}, engine.NewHold{Reason: "a <secret> claim"}); err != nil {
		t.Fatal(err)
	}
	head := s.Head()
	path := fmt.Sprint("/main/audit/", head.Seq)
	s.get(path).is(200).says("Hold placed", "a <secret> claim", head.Hash.String(), "Ada Admin", "The lease")
	_, token := s.Person("Vera", engine.AccessView)
	vera := s.as(token)
	vera.get(path).is(200).says("Only admins see the details of entries of this kind", head.Hash.String()).saysNot("<secret>")
	vera.get(fmt.Sprint("/main/audit/", head.Seq-1)).is(200).says(`"name": "The lease"`)
	vera.get("/main/audit").saysNot("Export…")
	vera.get("/main/audit/head").is(200).says("strongroom audit head " + s.ID())
	s.get("/main/audit/99999").is(404).says("There is no such entry")
	s.get("/main/audit/nothing").is(404)
}

func TestTheLogIsExported(t *testing.T) {
	s := takeSeat(t)
	s.Create("The lease", "text")
	for _, what := range []string{"log", "details"} {
		p := s.send("/console/main/audit/export", url.Values{"what": {what}}).is(200)
		if !strings.HasPrefix(p.header.Get("Content-Disposition"), `attachment; filename="main-`+what) {
			t.Errorf("%s: %v", what, p.header)
		}
		if what == "log" {
			report, err := audit.Verify(t.Context(), strings.NewReader(p.html), audit.VerifyOptions{})
			if err != nil || len(report.Findings) > 0 || report.Head.Seq != s.Head().Seq {
				t.Errorf("the exported log: %+v, %v", report, err)
			}
		} else if !strings.Contains(p.html, "The lease") {
			t.Error("the details do not name the document")
		}
	}
	s.send("/console/main/audit/export", url.Values{"what": {"everything"}}).is(400)
}

func TestVerificationReports(t *testing.T) {
	s := takeSeat(t)
	s.Create("The lease", "text")
	head := s.Head()
	page := s.get("/main/audit/verify").is(200).says("Nobody has had it verified")
	s.submit(page, "/main/audit/verify", "bytes", "1", "head", head.Text()).is(200).says("Everything held.", "the bytes of 1 file", "1 compared", "for Ada Admin")
	pasted := "\r\n  " + strings.ReplaceAll(strings.TrimSpace(head.Text()), "\n", " \r\n") + "\r\n\r\n" + strings.TrimSpace(head.Text())
	s.submit(page, "/main/audit/verify", "head", pasted).is(200).says("Everything held.", "2 compared")
	s.submit(page, "/main/audit/verify", "head", "not a head").is(400).says("is not a printed head", "Everything held.")
	other := head
	other.Hash[0] ^= 1
	s.submit(page, "/main/audit/verify", "head", other.Text()).is(200).says("1 finding.", "Something is not as the log says")
	_, token := s.Person("Vera", engine.AccessView)
	vera := s.as(token)
	mine := vera.get("/main/audit/verify").is(200).saysNot("Read the bytes of every file too")
	vera.submit(mine, "/main/audit/verify", "bytes", "1").is(403)
	vera.submit(mine, "/main/audit/verify").is(200).says("Everything held.", "for Vera")
}

func TestAVerificationThatRunsIsTold(t *testing.T) {
	var v verifications
	progress, end, err := v.begin("main", "ada", false, 0)
	if err != nil {
		t.Fatal(err)
	}
	progress(3, 10)
	if is := v.look("main"); !is.Running || is.Done != 3 || is.By != "ada" {
		t.Errorf("%+v", is)
	}
	if _, _, err := v.begin("main", "bea", false, 0); err != errVerifying {
		t.Errorf("a second one: %v", err)
	}
	if _, other, err := v.begin("second", "bea", false, 0); err != nil {
		t.Errorf("one of another vault: %v", err)
	} else {
		other(nil)
	}
	end(&engine.VerifyReport{})
	if is := v.look("main"); is.Running || is.Last == nil || is.LastBy != "ada" {
		t.Errorf("%+v", is)
	}
}
