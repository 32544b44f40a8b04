package engine_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

const (
	frozenPath3   = "../testdata/vaults/format-3.zip"
	frozenLocked3 = "../testdata/vaults/format-3-locked.zip"
)

// TestFormat3 reads the frozen vault, and one that is made and packed today, at the
// time of their last entries, so that what waits there still waits.
func TestFormat3(t *testing.T) {
	today := filepath.Join(t.TempDir(), "today.zip")
	freezeVault(t, today, fillFormat3)
	for _, path := range []string{frozenPath3, today} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "frozen")
				told := thaw(t, path, dir)
				was, err := audit.ParseHead(told["head.txt"])
				must(t, err)
				time.Sleep(time.Until(was.Time))
				before := files(t, dir)
				v, err := engine.Open(dir, engine.Options{ReserveBytes: -1, MLDSA: keyMLDSA})
				must(t, err)
				defer v.Close()
				head := goesOn(t, v, told, 3)
				verified(t, v, head)
				said := append(governance(t, v), sinceFormat3(t, v, told)...)
				if !slices.Equal(said, whatFormat3Has) {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(whatFormat3Has, "\n"))
				}
				if name := "rows.db"; v.Head() == head && files(t, dir)[name] != before[name] {
					t.Error("reading a vault of this format wrote to it")
				}
				signsOn(t, v, told)
				approvesOn(t, v, told)
				verified(t, v, head)
			})
		})
	}
}

// TestLockedOfFormat3 is the same for those who were at work.
func TestLockedOfFormat3(t *testing.T) {
	paths := []string{frozenLocked3}
	if !testing.Short() { // its passwords take long to hash
		paths = append(paths, filepath.Join(t.TempDir(), "today.zip"))
		freezeVault(t, paths[1], fillLocked)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "frozen")
				told := thaw(t, path, dir)
				v := open(t, dir)
				defer v.Close()
				head := goesOn(t, v, told, 3)
				if said := atWork(t, v, told); !slices.Equal(said, whatIsAtWork) {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(whatIsAtWork, "\n"))
				}
				saveAll(t, v, told)
				goOn(t, v, told)
				verified(t, v, head)
			})
		})
	}
}

// goesOn returns the head that a vault was packed with, and finds nothing behind it,
// or, where it was of an earlier format than today's, one entry, that says so.
func goesOn(t *testing.T, v *engine.Vault, told map[string]string, format uint64) audit.Head {
	t.Helper()
	head, err := audit.ParseHead(told["head.txt"])
	must(t, err)
	if v.Head() == head {
		return head
	}
	wasMigrated(t, v, head, format)
	return head
}

// fillFormat3 makes something of all that came with format 3.
func fillFormat3(t *testing.T, k *enginetest.Kit) map[string]string {
	t.Helper()
	fillFrozen(t, k)
	beside := map[string]string{}
	fillPeople(t, k, beside)
	fillApprovals(t, k, beside)
	fillDocuments(t, k)
	fillSigned(t, k, beside)
	return beside
}

// fillPeople: auditors, those who come through a provider, calendars, successors of
// keys, clients, sessions, and the settings about them. The zone there was is kept,
// since a policy protects by compliance.
func fillPeople(t *testing.T, k *enginetest.Kit, beside map[string]string) {
	t.Helper()
	ctx := t.Context()
	_, beside["auditor.txt"] = k.Person("Audrey Audit", engine.AccessAuditor)
	grace, _ := k.Person("Grace", engine.AccessUpload)
	calendar, _, err := k.StartCalendar(ctx, grace)
	must(t, err)
	beside["calendar.txt"] = calendar.Reveal()
	_, next, _, err := k.RotateKey(ctx, k.Admin, grace.KeyID, time.Hour)
	must(t, err)
	beside["grace.txt"] = next.Reveal()
	comerOf(t, k)
	chief := arrives(k, coming("chief", engine.AccessAdmin))
	for _, ended := range []bool{false, true} {
		_, err := k.RecordSession(ctx, engine.System(), "session-1", chief.ID, ended)
		must(t, err)
	}
	closed, _ := makeClient(k, engine.NewClient{Name: "gone", Grants: []engine.Grant{engine.GrantClientCredentials}, UserID: grace.UserID})
	_, _, err = k.CloseClient(ctx, k.Admin, closed.ID, engine.Condition{})
	must(t, err)
	c, _ := makeClient(k, engine.NewClient{
		Name: "ERP", Grants: []engine.Grant{engine.GrantAuthorizationCode, engine.GrantClientCredentials, engine.GrantJWTBearer, engine.GrantRefreshToken},
		UserID: grace.UserID, Impersonates: true, RedirectURIs: []string{"https://app.example.com/cb"}, PublicKey: keyOfClients,
	})
	_, secret, _, err := k.RotateClient(ctx, k.Admin, c.ID, engine.Condition{})
	must(t, err)
	beside["client.txt"] = c.ID + " " + secret.Reveal()
	_, _, err = k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{
		TimeZone: new("Europe/Berlin"), MaxVersions: new(uint64(50)), RestrictDeferred: new(true), SignInByKey: new(false),
	})
	must(t, err)
}

// fillApprovals: one of each status.
func fillApprovals(t *testing.T, k *enginetest.Kit, beside map[string]string) {
	t.Helper()
	ctx := t.Context()
	two := &pair{Kit: k}
	two.other, beside["bert.txt"] = k.Person("Bert Both", engine.AccessAdmin)
	two.cover(engine.CoveredDocumentDelete, engine.CoveredHoldRelease)
	ask := func(name string) engine.Approval {
		t.Helper()
		d := k.Create(name, "the text of "+name+"\n")
		_, _, err := k.DeleteDocument(ctx, k.Admin, d.ID, engine.Condition{})
		return two.asks(k.Admin, k.Head(), err)
	}
	a := ask("deleted by two")
	_, _, err := k.Approve(ctx, two.other, a.ID, a.PlanDigest)
	must(t, err)
	a = ask("not deleted")
	_, _, err = k.RejectApproval(ctx, two.other, a.ID)
	must(t, err)
	ask("nobody decided")
	days(8)
	sweep(k)
	ask("waiting")
}

// fillDocuments: folders, restriction, given texts, dates that were confirmed, names
// of the deleted, and periods of the calendar.
func fillDocuments(t *testing.T, k *enginetest.Kit) {
	t.Helper()
	ctx := t.Context()
	k.CreateFrom(engine.NewDocument{
		Name: "in a folder", Category: "invoice", Path: "2024/Verträge", CustomFields: map[string]any{"renewalDate": "2027-01-31"},
	}, "an invoice in a folder\n")
	d := k.Create("scan", "a picture\n")
	_, _, err := k.SetText(ctx, k.Admin, d.ID, 1, engine.Condition{}, "what the picture says\n")
	must(t, err)
	restricted(t, k, k.Create("contested", "a text that is contested\n").ID)
	policy(k, engine.NewPolicy{
		Name: "reports", Scope: engine.ScopeCategory, Target: "report", Period: "P10Y", Action: engine.ActionDelete,
		StartAt: engine.StartAtEndOfYear, Protect: engine.ProtectGovernance,
	})
	due, err := engine.ParseDue("2000-03-31")
	must(t, err)
	o, _, err := k.CreateObligation(ctx, k.Admin, engine.NewObligation{Title: "Renew", DueDate: due, OwnerID: k.Admin.UserID, DocumentID: d.ID, Recurrence: "quarterly"})
	must(t, err)
	_, _, err = k.CompleteObligation(ctx, k.Admin, o.ID, engine.Condition{}, engine.Completion{Note: "renewed"})
	must(t, err)
	_, err = k.MakeBag(ctx, k.Admin, engine.BagChoice{Matter: "Ana ./. us"})
	must(t, err)
}

// fillSigned: two checkpoints, the last by two keys and a witness, and an entry
// behind them.
func fillSigned(t *testing.T, k *enginetest.Kit, beside map[string]string) {
	t.Helper()
	first := signed(t, k.Vault)
	k.Create("signed", "a text under the checkpoint\n")
	last, key := twice(t, k.Vault)
	witness, err := audit.NewWitnessKey("witness.example", rand.Reader)
	must(t, err)
	of, err := audit.ParseVerifier(witness.Verifier())
	must(t, err)
	line, err := witness.Cosign(last.Checkpoint, time.Now())
	must(t, err)
	_, _, err = k.AddCosignatures(t.Context(), last.Note, line, audit.Policy{Witnesses: []audit.PolicyWitness{{Name: "witness", Key: of}}})
	must(t, err)
	p := proves(t, k.Vault, 1)
	for name, text := range map[string]string{
		"first.txt": string(first.Note), "last.txt": string(last.Note), "proof.txt": string(p.Proof.Marshal()),
		"key.txt": key.Verifier, "mldsa.txt": key.MLDSA, "witness.txt": witness.Verifier(),
	} {
		beside[name] = strings.TrimSuffix(text, "\n")
	}
	k.Create("behind it", "a text behind the checkpoint\n")
}

// sinceFormat3 tells what of a vault came with format 3.
func sinceFormat3(t *testing.T, v *engine.Vault, told map[string]string) (said []string) {
	t.Helper()
	ctx := t.Context()
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	users, err := v.Users(ctx, engine.Paging{})
	must(t, err)
	for _, u := range users.Items {
		say("user %q %s %s by %q, provided %v, left %v, seen %v", u.Name, u.Access, u.Status, u.Identity.Subject, u.Provided, u.Left, !u.SeenAt.IsZero())
	}
	for _, who := range []string{"token.txt", "auditor.txt", "grace.txt", "bert.txt"} {
		say("%s may %s", who, actorOf(t, v, told, who).Access)
	}
	u, _, err := v.Calendar(ctx, strings.TrimSpace(told["calendar.txt"]))
	must(t, err)
	say("calendar of %q", u.Name)
	clientID, secret, _ := strings.Cut(strings.TrimSpace(told["client.txt"]), " ")
	_, err = v.AuthenticateClient(ctx, clientID, secret)
	must(t, err)
	clients, err := v.Clients(ctx, engine.Paging{})
	must(t, err)
	for _, c := range clients.Items {
		say("client %q %s %v for others %v at %v, key %v, secret %v", c.Name, c.Status, c.Grants, c.Impersonates, c.RedirectURIs, c.PublicKey == keyOfClients, c.HasSecret)
	}
	s, err := v.Settings(ctx)
	must(t, err)
	say("settings %s %d %v %v %v", s.TimeZone, s.MaxVersions, s.RestrictDeferred, s.SignInByKey, s.TwoPersons)
	approvals, err := v.Approvals(ctx, "", engine.Paging{})
	must(t, err)
	for _, a := range approvals.Items {
		say("approval %s %s %s, decided %v", a.What, a.Call, a.Status, a.DecidedBy != "")
	}
	for _, o := range obligations(&enginetest.Kit{Vault: v, TB: t}, engine.ObligationQuery{}) {
		say("obligation %q %s %s %s %q", o.Title, o.DueDate, o.Recurrence, o.Status, o.Note)
	}
	return append(said, documentsSince3(t, v, told)...)
}

func documentsSince3(t *testing.T, v *engine.Vault, told map[string]string) (said []string) {
	t.Helper()
	ctx := t.Context()
	ada := actorOf(t, v, told, "token.txt")
	page, err := v.Documents(ctx, engine.DocumentQuery{Status: engine.StatusAll, Sort: engine.SortCreated})
	must(t, err)
	hidden := len(page.Items)
	for _, d := range page.Items {
		line := fmt.Sprintf("document %q in %q, restricted %v", d.Name, d.Path, d.Restricted)
		if d.Status != engine.StatusDeleted {
			x, err := v.Disposition(ctx, ada, d.ID)
			must(t, err)
			ver, err := v.Version(ctx, d.ID, 1)
			must(t, err)
			line += fmt.Sprintf(", protected %q until %s", x.Protected, x.ProtectedUntil.Format("2006-01-02"))
			text, err := v.LogReader().OpenText(ctx, &ver)
			must(t, err)
			if text != nil {
				given, err := io.ReadAll(text)
				text.Close()
				must(t, err)
				line += fmt.Sprintf(", text %q", given)
			}
		}
		said = append(said, line)
	}
	folders, err := v.Folders(ctx, engine.FolderQuery{})
	must(t, err)
	for _, f := range folders.Items {
		said = append(said, fmt.Sprintf("folder %q %d", f.Path, f.Documents))
	}
	seen, err := v.As(actorOf(t, v, told, "grace.txt")).Documents(ctx, engine.DocumentQuery{Status: engine.StatusAll})
	must(t, err)
	return append(said, fmt.Sprintf("%d documents are restricted", hidden-len(seen.Items)))
}

// signsOn finds the signers that there were, and what they sign now grown out of what
// they had signed.
func signsOn(t *testing.T, v *engine.Vault, told map[string]string) {
	t.Helper()
	ctx := t.Context()
	key, err := v.LogKey(ctx)
	must(t, err)
	if key.Verifier != strings.TrimSpace(told["key.txt"]) || key.MLDSA != strings.TrimSpace(told["mldsa.txt"]) {
		t.Errorf("other keys: %.300v", key)
	}
	policy, err := audit.PolicyOf(key.Verifier)
	must(t, err)
	read, err := audit.ParseProof([]byte(told["proof.txt"]))
	must(t, err)
	proved, err := read.Verify(policy)
	must(t, err)
	if e, err := v.Entry(ctx, 1); err != nil || proved.Hash != e.Hash {
		t.Errorf("%+v, %v", proved, err)
	}
	last, err := v.LastCheckpoint(ctx)
	must(t, err)
	of, err := audit.ParseVerifier(strings.TrimSpace(told["witness.txt"]))
	must(t, err)
	policy.Witnesses = []audit.PolicyWitness{{Name: "witness", Key: of}}
	if o, err := policy.Open(last.Note); err != nil || len(o.Witnesses) != 1 {
		t.Errorf("what the witness has signed: %+v, %v", o, err)
	}
	is, _ := twice(t, v)
	for _, name := range []string{"first.txt", "last.txt"} {
		was, err := audit.OpenCheckpoint([]byte(told[name]), key.Verifier)
		must(t, err)
		proof, err := v.ProveConsistency(ctx, is, was.Size)
		must(t, err)
		must(t, audit.CheckConsistency(was.Size, was.Root, is.Size, is.Root, proof))
		if was.Size >= is.Size {
			t.Errorf("%s has %d entries, what is signed now %d", name, was.Size, is.Size)
		}
	}
	if !bytes.Contains([]byte(told["last.txt"]), []byte(last.Root.String())) {
		t.Errorf("the last checkpoint was %s", last.Note)
	}
	proves(t, v, uint64(is.Size))
}

// approvesOn has what waits approved.
func approvesOn(t *testing.T, v *engine.Vault, told map[string]string) {
	t.Helper()
	ctx := t.Context()
	waiting, err := v.Approvals(ctx, engine.ApprovalWaiting, engine.Paging{})
	must(t, err)
	if len(waiting.Items) != 1 {
		t.Fatalf("%+v", waiting)
	}
	a := waiting.Items[0]
	granted, _, err := v.Approve(ctx, actorOf(t, v, told, "bert.txt"), a.ID, a.PlanDigest)
	must(t, err)
	if granted.Approval.Status != engine.ApprovalGranted {
		t.Errorf("%+v", granted)
	}
}

var whatFormat3Has = []string{
	`hold active "Ana ./. us" "she sues" ""`,
	`hold released "" "a mistake" "looked at"`,
	`matter "Ana ./. us" 1 active of 1`,
	`policy "keep invoices" category "invoice" 3650 delete field:renewalDate compliance true`,
	`policy "tidy" organization "" 1 archive createdAt none true`,
	`policy "reports" category "report" 10Y delete createdAt governance true`,
	`run completed schedule {Archived:3 Deleted:0 Erased:0 Held:1 Locked:0 Protected:0 Failed:0}`,
	`run completed schedule {Archived:0 Deleted:0 Erased:0 Held:1 Locked:0 Protected:0 Failed:0}`,
	`run completed manual {Archived:2 Deleted:0 Erased:0 Held:1 Locked:0 Protected:0 Failed:0}`,
	`erasure deferred "Art. 17" "case 1" 1 of 2 documents`,
	`webhook "https://example.com/hook" [hold.*] "the ERP" true`,
	`document archived "invoice"`,
	`document archived "old"`,
	`document deleted ""`,
	`document legal_hold "held"`,
	`document archived "new"`,
	`document deleted "deleted by two"`,
	`document archived "not deleted"`,
	`document archived "nobody decided"`,
	`document active "waiting"`,
	`document active "in a folder"`,
	`document active "scan"`,
	`document active "contested"`,
	`document active "signed"`,
	`document active "behind it"`,
	`user "Ada Admin" admin active by "", provided false, left false, seen false`,
	`user "Audrey Audit" auditor active by "", provided false, left false, seen false`,
	`user "Grace" upload active by "", provided false, left false, seen false`,
	`user "Person leaver" view closed by "leaver", provided true, left true, seen true`,
	`user "Person once" view active by "", provided true, left false, seen true`,
	`user "Person comer" upload active by "comer", provided true, left false, seen true`,
	`user "Person chief" admin active by "chief", provided true, left false, seen true`,
	`user "Bert Both" admin active by "", provided false, left false, seen false`,
	`token.txt may admin`,
	`auditor.txt may auditor`,
	`grace.txt may upload`,
	`bert.txt may admin`,
	`calendar of "Grace"`,
	`client "gone" closed [client_credentials] for others false at [], key false, secret true`,
	`client "ERP" active [authorization_code client_credentials refresh_token urn:ietf:params:oauth:grant-type:jwt-bearer] for others true at [https://app.example.com/cb], key true, secret true`,
	`settings Europe/Berlin 50 true false [hold.release document.delete]`,
	`approval document.delete document.delete granted, decided true`,
	`approval document.delete document.delete rejected, decided true`,
	`approval document.delete document.delete expired, decided false`,
	`approval document.delete document.delete waiting, decided false`,
	`obligation "Renew" 2000-03-31 quarterly completed "renewed"`,
	`obligation "Renew" 2000-06-30 quarterly pending ""`,
	`document "invoice" in "", restricted false, protected "compliance" until 0001-01-01`,
	`document "old" in "", restricted false, protected "" until 0001-01-01`,
	`document "" in "", restricted false`,
	`document "held" in "", restricted true, protected "" until 0001-01-01`,
	`document "new" in "", restricted false, protected "" until 0001-01-01`,
	`document "deleted by two" in "", restricted false`,
	`document "not deleted" in "", restricted false, protected "" until 0001-01-01`,
	`document "nobody decided" in "", restricted false, protected "" until 0001-01-01`,
	`document "waiting" in "", restricted false, protected "" until 0001-01-01`,
	`document "in a folder" in "2024/Verträge", restricted false, protected "compliance" until 2037-01-28`,
	`document "scan" in "", restricted false, protected "" until 0001-01-01, text "what the picture says\n"`,
	`document "contested" in "", restricted true, protected "" until 0001-01-01`,
	`document "signed" in "", restricted false, protected "" until 0001-01-01`,
	`document "behind it" in "", restricted false, protected "" until 0001-01-01`,
	`folder "2024" 1`,
	`2 documents are restricted`,
}
