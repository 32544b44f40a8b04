package engine_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// pair is a vault of two admins, where two are needed for all there is.
type pair struct {
	*enginetest.Kit
	other engine.Actor
}

func newPair(t testing.TB) *pair {
	t.Helper()
	k := &pair{Kit: enginetest.New(t)}
	k.other, _ = k.Person("Bert Both", engine.AccessAdmin)
	return k
}

func (k *pair) cover(what ...engine.Covered) {
	k.TB.Helper()
	s, _, err := k.UpdateSettings(k.TB.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{TwoPersons: &what})
	must(k.TB, err)
	if len(s.TwoPersons) != len(what) {
		k.TB.Fatalf("covered: %v", s.TwoPersons)
	}
}

// asks has a refusal made a request, which must have been refused unwritten.
func (k *pair) asks(who engine.Actor, before audit.Head, err error) engine.Approval {
	k.TB.Helper()
	needs, is := errors.AsType[*engine.NeedsTwoError](err)
	if !is || !errors.Is(err, engine.ErrNeedsTwo) {
		k.TB.Fatalf("not refused for two persons: %v", err)
	}
	if k.Head() != before {
		k.TB.Fatal("what was refused wrote an entry")
	}
	a, r, err := k.RequestApproval(k.TB.Context(), who, needs)
	must(k.TB, err)
	if r.Seq == 0 || a.Status != engine.ApprovalWaiting || a.RequestedBy != who.UserID || a.What != needs.What {
		k.TB.Fatalf("requested: %+v %v", a, r)
	}
	return a
}

// calls are all that two persons can be needed for, by what of it covers them.
func (k *pair) calls() map[string]struct {
	what engine.Covered
	call func(ctx context.Context, who engine.Actor) error
} {
	t, ctx, cond := k.TB, k.TB.Context(), engine.Condition{}
	held, another := k.Create("held", "held"), k.Create("another", "another")
	hold, _, err := k.PlaceHold(ctx, k.Admin, held.ID, cond, engine.NewHold{Reason: "r", Matter: "m"})
	must(t, err)
	many, err := k.PlaceHolds(ctx, k.Admin, []string{held.ID, another.ID}, engine.NewHold{Reason: "r", Matter: "many"}, false)
	must(t, err)
	gone, locked, erased := k.Create("gone", "gone"), k.Create("locked", "locked"), k.Create("erased", "erased")
	_, _, err = k.AcquireLock(ctx, k.other, locked.ID, cond, engine.NewLock{})
	must(t, err)
	kept := k.CreateFrom(engine.NewDocument{Name: "kept", Category: "contract"}, "kept")
	_, _, err = k.CreatePolicy(ctx, k.Admin, engine.NewPolicy{Name: "keep", Scope: engine.ScopeCategory, Target: "contract", PeriodDays: 3650, Action: engine.ActionArchive, Protect: engine.ProtectGovernance})
	must(t, err)
	p, _, err := k.CreatePolicy(ctx, k.Admin, engine.NewPolicy{Name: "p", Scope: engine.ScopeCategory, Target: "invoice", PeriodDays: 3650, Action: engine.ActionArchive, Protect: engine.ProtectGovernance})
	must(t, err)
	q, _, err := k.CreatePolicy(ctx, k.Admin, engine.NewPolicy{Name: "q", Scope: engine.ScopeCategory, Target: "report", PeriodDays: 3650, Action: engine.ActionArchive})
	must(t, err)
	late, _, err := k.CreatePolicy(ctx, k.Admin, engine.NewPolicy{Name: "late", Scope: engine.ScopeCategory, Target: "certificate", PeriodDays: 3650, Action: engine.ActionDelete})
	must(t, err)
	low, _ := k.Person("Lou", engine.AccessUpload)
	left, leftKey := k.Person("Left", engine.AccessAdmin)
	_ = leftKey
	closed, was := engine.UserClosed, engine.UserActive
	_, _, err = k.UpdateUser(ctx, k.Admin, left.UserID, cond, engine.UserPatch{Status: &closed})
	must(t, err)
	program := func(n engine.NewClient) engine.Client {
		if n.Access = engine.AccessUpload; n.Impersonates {
			n.Access = engine.AccessAdmin
		}
		n.Name = "ERP"
		c, _, _, err := k.CreateClient(ctx, k.Admin, n)
		must(t, err)
		return c
	}
	byItself, signed := []engine.Grant{engine.GrantClientCredentials}, []engine.Grant{engine.GrantJWTBearer, engine.GrantClientCredentials}
	erp := program(engine.NewClient{Grants: byItself, UserID: k.other.UserID})
	sso := program(engine.NewClient{Grants: signed, UserID: k.Admin.UserID, Impersonates: true, PublicKey: keyOfClients})
	days, admin, shortest, none, gap := uint64(1), engine.AccessAdmin, engine.ConflictShortest, engine.ProtectNone, uint64(99)
	type call = struct {
		what engine.Covered
		call func(ctx context.Context, who engine.Actor) error
	}
	patch := func(patch engine.PolicyPatch) call {
		return call{engine.CoveredPolicyWeaken, func(ctx context.Context, who engine.Actor) error {
			_, _, err := k.UpdatePolicy(ctx, who, p.ID, cond, patch)
			return err
		}}
	}
	set := func(what engine.Covered, patch engine.SettingsPatch) call {
		return call{what, func(ctx context.Context, who engine.Actor) error {
			_, _, err := k.UpdateSettings(ctx, who, cond, patch)
			return err
		}}
	}
	user := func(userID string, patch engine.UserPatch) call {
		return call{engine.CoveredAdmin, func(ctx context.Context, who engine.Actor) error {
			_, _, err := k.UpdateUser(ctx, who, userID, cond, patch)
			return err
		}}
	}
	client := func(n engine.NewClient) call {
		return call{engine.CoveredAdmin, func(ctx context.Context, who engine.Actor) error {
			n.Name, n.Access = "program", admin
			_, _, _, err := k.CreateClient(ctx, who, n)
			return err
		}}
	}
	change := func(c engine.Client, patch engine.ClientPatch) call {
		return call{engine.CoveredAdmin, func(ctx context.Context, who engine.Actor) error {
			_, _, err := k.UpdateClient(ctx, who, c.ID, cond, patch)
			return err
		}}
	}
	off := false
	return map[string]call{
		"release": {engine.CoveredHoldRelease, func(ctx context.Context, who engine.Actor) error {
			_, _, err := k.ReleaseHold(ctx, who, hold.ID, cond, "over")
			return err
		}},
		"release many": {engine.CoveredHoldRelease, func(ctx context.Context, who engine.Actor) error {
			_, err := k.ReleaseHolds(ctx, who, []string{many[0].HoldID, many[1].HoldID}, "over", false)
			return err
		}},
		"erase": {engine.CoveredErasure, func(ctx context.Context, who engine.Actor) error {
			_, _, err := k.RequestErasure(ctx, who, engine.NewErasure{DocumentIDs: []string{erased.ID}, LegalBasis: "art. 17", Requester: "case 1"})
			return err
		}},
		"export by ids": {engine.CoveredExport, func(ctx context.Context, who engine.Actor) error {
			_, err := k.MakeBag(ctx, who, engine.BagChoice{DocumentIDs: []string{held.ID, another.ID}, Says: "two"})
			return err
		}},
		"export nothing": {engine.CoveredExport, func(ctx context.Context, who engine.Actor) error {
			_, err := k.MakeBag(ctx, who, engine.BagChoice{DocumentIDs: []string{}})
			return err
		}},
		"export a matter": {engine.CoveredExport, func(ctx context.Context, who engine.Actor) error {
			_, err := k.MakeBag(ctx, who, engine.BagChoice{Matter: "many"})
			return err
		}},
		"export by a filter": {engine.CoveredExport, func(ctx context.Context, who engine.Actor) error {
			_, err := k.MakeBag(ctx, who, engine.BagChoice{Query: &engine.DocumentQuery{Category: "contract", CreatedTo: time.Date(2100, 1, 2, 3, 4, 5, 0, time.UTC), Tags: []string{}, Sort: engine.SortName}})
			return err
		}},
		"bypass": {engine.CoveredGovernanceBypass, func(ctx context.Context, who engine.Actor) error {
			_, _, err := k.DeleteDocument(ctx, who, kept.ID, engine.Condition{BypassGovernance: true, Reason: "wrong"})
			return err
		}},
		"delete": {engine.CoveredDocumentDelete, func(ctx context.Context, who engine.Actor) error {
			_, _, err := k.DeleteDocument(ctx, who, gone.ID, cond)
			return err
		}},
		"break": {engine.CoveredLockBreak, func(ctx context.Context, who engine.Actor) error {
			_, _, err := k.BreakLock(ctx, who, locked.ID, cond, "forgotten")
			return err
		}},
		"delete by a policy": {engine.CoveredPolicyWeaken, func(ctx context.Context, who engine.Actor) error {
			_, _, err := k.CreatePolicy(ctx, who, engine.NewPolicy{Name: "new", Scope: engine.ScopeCategory, Target: "receipt", PeriodDays: 3650, Action: engine.ActionDelete})
			return err
		}},
		"delete a policy": {engine.CoveredPolicyWeaken, func(ctx context.Context, who engine.Actor) error {
			_, _, err := k.DeletePolicy(ctx, who, q.ID, cond)
			return err
		}},
		"shorten a policy": patch(engine.PolicyPatch{PeriodDays: &days}),
		"disable a policy": patch(engine.PolicyPatch{Enabled: &off}),
		"unprotect":        patch(engine.PolicyPatch{Protect: &none}),
		"move a policy":    patch(engine.PolicyPatch{Target: new("report")}),
		"come to delete":   patch(engine.PolicyPatch{Action: new(engine.ActionDelete)}),
		"delete no more, so that a wider policy does": {engine.CoveredPolicyWeaken, func(ctx context.Context, who engine.Actor) error {
			_, _, err := k.UpdatePolicy(ctx, who, late.ID, cond, engine.PolicyPatch{Action: new(engine.ActionArchive)})
			return err
		}},
		"the shortest counts": set(engine.CoveredPolicyWeaken, engine.SettingsPatch{RetentionConflict: &shortest}),
		"longer silences":     set(engine.CoveredPolicyWeaken, engine.SettingsPatch{MaxClockGapDays: &gap}),
		"accept the clock": {engine.CoveredPolicyWeaken, func(ctx context.Context, who engine.Actor) error {
			_, _, err := k.StartRun(ctx, who, engine.NewRun{AcceptClock: true, Reason: "it is right"})
			return err
		}},
		"cover less": set(engine.CoveredSettings, engine.SettingsPatch{TwoPersons: &[]engine.Covered{}}),
		"make an admin": {engine.CoveredAdmin, func(ctx context.Context, who engine.Actor) error {
			_, _, err := k.CreateUser(ctx, who, engine.NewUser{Name: "Eve", Access: admin})
			return err
		}},
		"ensure an admin": {engine.CoveredAdmin, func(ctx context.Context, who engine.Actor) error {
			_, _, err := k.EnsureUser(ctx, who, engine.NewUser{Name: "Eve", Email: "eve@example.com", Access: admin})
			return err
		}},
		"raise":  user(low.UserID, engine.UserPatch{Access: &admin}),
		"reopen": user(left.UserID, engine.UserPatch{Status: &was}),
		"a key for another": {engine.CoveredAdmin, func(ctx context.Context, who engine.Actor) error {
			_, _, _, err := k.CreateKey(ctx, who, engine.NewKey{Name: "k", UserID: k.other.UserID})
			return err
		}},
		"a client for another":            client(engine.NewClient{Grants: byItself, UserID: k.other.UserID}),
		"a client that impersonates":      client(engine.NewClient{Grants: signed[:1], Impersonates: true, PublicKey: keyOfClients}),
		"a client of one's own that does": client(engine.NewClient{Grants: signed, UserID: k.Admin.UserID, Impersonates: true, PublicKey: keyOfClients}),
		"raise a client":                  change(erp, engine.ClientPatch{Access: &admin}),
		"another key of a client":         change(sso, engine.ClientPatch{PublicKey: new(otherKeyOfClients)}),
		"a client as another":             change(sso, engine.ClientPatch{UserID: &k.other.UserID}),
		"another way for a client":        change(sso, engine.ClientPatch{Grants: &[]engine.Grant{engine.GrantAuthorizationCode, engine.GrantJWTBearer, engine.GrantClientCredentials}, RedirectURIs: &[]string{"https://app.example.com/cb"}}),
		"rotate a client": {engine.CoveredAdmin, func(ctx context.Context, who engine.Actor) error {
			_, _, _, err := k.RotateClient(ctx, who, sso.ID, cond)
			return err
		}},
		"a key for a closed admin": {engine.CoveredAdmin, func(ctx context.Context, who engine.Actor) error {
			_, _, _, err := k.CreateKey(ctx, who, engine.NewKey{Name: "k", UserID: left.UserID, Access: admin})
			return err
		}},
		"rotate another's key": {engine.CoveredAdmin, func(ctx context.Context, who engine.Actor) error {
			_, _, _, err := k.RotateKey(ctx, who, k.other.KeyID, time.Hour)
			return err
		}},
	}
}

// Each call that two persons are needed for is refused unwritten, not granted to who
// asks by whatever key, and done by another's approval, once, in one transaction.
func TestWhatNeedsTwo(t *testing.T) {
	t.Parallel()
	var names []string
	for name := range (newPair(t)).calls() {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, ctx := newPair(t), t.Context()
			c := k.calls()[name]
			if c.what == engine.CoveredAdmin || c.what == engine.CoveredSettings {
				k.cover(engine.CoveredExport)
			} else {
				k.cover(c.what)
			}
			before := k.Head()
			a := k.asks(k.Admin, before, c.call(ctx, k.Admin))
			if again, r, err := k.RequestApproval(ctx, k.Admin, needsOf(t, c.call(ctx, k.Admin))); err != nil || r.Seq != 0 || again.ID != a.ID {
				t.Errorf("asked for twice: %+v %v %v", again, r, err)
			}
			second, _, _, err := k.CreateKey(ctx, k.Admin, engine.NewKey{Name: "second", UserID: k.Admin.UserID})
			must(t, err)
			viewer, _ := k.Person("Vi", engine.AccessView)
			auditor, _ := k.Person("Au", engine.AccessAuditor)
			head := k.Head()
			for _, who := range []engine.Actor{k.Admin, {UserID: k.Admin.UserID, KeyID: second.ID, Access: engine.AccessAdmin}, {UserID: k.Admin.UserID, Access: engine.AccessAdmin},
				{UserID: strings.ToLower(k.Admin.UserID), Access: engine.AccessAdmin}, viewer, auditor, engine.System(), {UserID: k.other.UserID, Access: engine.AccessUpload}} {
				if _, _, err := k.Approve(ctx, who, a.ID, a.PlanDigest); !errors.Is(err, engine.ErrLacksPermission) {
					t.Errorf("approved by %+v: %v", who, err)
				}
			}
			if _, _, err := k.Approve(ctx, k.other, a.ID, audit.Hash{1}); !errors.Is(err, engine.ErrApprovalStale) {
				t.Errorf("approved with another plan: %v", err)
			}
			if k.Head() != head {
				t.Error("a refused approval wrote an entry")
			}
			granted, _, err := k.Approve(ctx, k.other, a.ID, a.PlanDigest)
			if err != nil || granted.Approval.Status != engine.ApprovalGranted || granted.Approval.DecidedBy != k.other.UserID || granted.Result == nil {
				t.Fatalf("approved: %+v %v", granted, err)
			}
			did, ends := entriesAfter(t, k.Vault, head.Seq)
			if len(ends) != 1 || ends[0].Op != audit.OpApprovalGranted || ends[0].Actor != k.other.UserID || len(did) == 0 {
				t.Errorf("entries: %v %v", did, ends)
			}
			for _, e := range did {
				if e.Actor != k.Admin.UserID || e.Time != ends[0].Time {
					t.Errorf("done by %s at %s: %s", e.Actor, e.Time, e.Op)
				}
			}
			if _, _, err := k.Approve(ctx, k.other, a.ID, a.PlanDigest); !errors.Is(err, engine.ErrApprovalStale) {
				t.Errorf("approved twice: %v", err)
			}
		})
	}
}

func needsOf(t testing.TB, err error) *engine.NeedsTwoError {
	t.Helper()
	needs, is := errors.AsType[*engine.NeedsTwoError](err)
	if !is {
		t.Fatalf("not refused for two persons: %v", err)
	}
	return needs
}

// entriesAfter are those of calls, and those of approvals.
func entriesAfter(t testing.TB, v *engine.Vault, seq uint64) (calls, approvals []audit.Entry) {
	t.Helper()
	for n := seq + 1; n <= v.Head().Seq; n++ {
		e, err := v.Entry(t.Context(), n)
		must(t, err)
		if strings.HasPrefix(string(e.Op), "approval.") {
			approvals = append(approvals, e.Entry)
		} else {
			calls = append(calls, e.Entry)
		}
	}
	return calls, approvals
}

// What strengthens governance, or has nothing to do with it, needs one.
func TestWhatOneMayDo(t *testing.T) {
	t.Parallel()
	k, ctx, cond := newPair(t), t.Context(), engine.Condition{}
	p, _, err := k.CreatePolicy(ctx, k.Admin, engine.NewPolicy{Name: "p", Scope: engine.ScopeCategory, Target: "invoice", PeriodDays: 10, Action: engine.ActionArchive})
	must(t, err)
	k.cover(engine.Coverable()...)
	d := k.Create("a", "a")
	_, _, err = k.PlaceHold(ctx, k.Admin, d.ID, cond, engine.NewHold{Reason: "r"})
	must(t, err)
	longer, governance := uint64(20), engine.ProtectGovernance
	_, _, err = k.UpdatePolicy(ctx, k.Admin, p.ID, cond, engine.PolicyPatch{PeriodDays: &longer, Protect: &governance, Name: new("q")})
	must(t, err)
	_, _, err = k.CreatePolicy(ctx, k.Admin, engine.NewPolicy{Name: "off", Scope: engine.ScopeOrganization, PeriodDays: 10, Action: engine.ActionDelete, Disabled: true})
	must(t, err)
	_, _, err = k.CreateUser(ctx, k.Admin, engine.NewUser{Name: "Vi", Access: engine.AccessAuditor})
	must(t, err)
	_, _, _, err = k.CreateKey(ctx, k.Admin, engine.NewKey{Name: "own"})
	must(t, err)
	_, _, _, err = k.CreateKey(ctx, k.Admin, engine.NewKey{Name: "view", UserID: k.other.UserID, Access: engine.AccessView})
	must(t, err)
	_, _, _, err = k.RotateKey(ctx, k.Admin, k.Admin.KeyID, time.Hour)
	must(t, err)
	byItself := []engine.Grant{engine.GrantClientCredentials}
	own, _, _, err := k.CreateClient(ctx, k.Admin, engine.NewClient{Name: "own", Grants: byItself, UserID: k.Admin.UserID})
	must(t, err)
	_, _, _, err = k.RotateClient(ctx, k.Admin, own.ID, cond)
	must(t, err)
	_, _, err = k.UpdateClient(ctx, k.Admin, own.ID, cond, engine.ClientPatch{Access: new(engine.AccessView), UserID: &k.other.UserID})
	must(t, err)
	_, _, _, err = k.CreateClient(ctx, k.Admin, engine.NewClient{Name: "site", Grants: []engine.Grant{engine.GrantAuthorizationCode}, Access: engine.AccessAdmin, RedirectURIs: []string{"https://app.example.com/cb"}})
	must(t, err)
	_, _, err = k.CloseClient(ctx, k.Admin, own.ID, cond)
	must(t, err)
	_, _, err = k.UpdateSettings(ctx, k.Admin, cond, engine.SettingsPatch{Categories: &[]string{"memo"}, TwoPersons: new(engine.Coverable())})
	must(t, err)
	if _, err := k.ReleaseHolds(ctx, k.Admin, []string{engine.NewID()}, "", true); err != nil {
		t.Errorf("a dry run: %v", err)
	}
}

// A program that may act as anybody is not the second person, neither to ask nor to
// approve, nor does it make what would be. One that acts as a person by themselves is.
func TestAProgramIsNoSecondPerson(t *testing.T) {
	t.Parallel()
	k, ctx, cond := newPair(t), t.Context(), engine.Condition{}
	anybody, _ := makeClient(k.Kit, engine.NewClient{Name: "anybody", Access: engine.AccessAdmin, Grants: []engine.Grant{engine.GrantAuthorizationCode, engine.GrantJWTBearer},
		Impersonates: true, PublicKey: keyOfClients, RedirectURIs: []string{"https://app.example.com/cb"}})
	own, _ := makeClient(k.Kit, engine.NewClient{Name: "own", Grants: []engine.Grant{engine.GrantClientCredentials}, UserID: k.Admin.UserID})
	bert, _ := makeClient(k.Kit, engine.NewClient{Name: "bert", Grants: []engine.Grant{engine.GrantClientCredentials}, UserID: k.other.UserID})
	k.cover(engine.CoveredDocumentDelete)
	by := func(c engine.Client, userID string, grant engine.Grant) engine.Actor {
		return engine.Actor{UserID: userID, ClientID: c.ID, Grant: grant, Access: engine.AccessAdmin}
	}
	first, second := k.Create("a", "a"), k.Create("b", "b")
	_, _, err := k.DeleteDocument(ctx, k.Admin, first.ID, cond)
	a, _, err := k.RequestApproval(ctx, by(own, k.Admin.UserID, engine.GrantClientCredentials), needsOf(t, err))
	must(t, err)
	for _, grant := range []engine.Grant{engine.GrantJWTBearer, ""} {
		as := by(anybody, k.other.UserID, grant)
		if _, _, err := k.Approve(ctx, as, a.ID, a.PlanDigest); !errors.Is(err, engine.ErrLacksPermission) {
			t.Errorf("approved by who impersonates: %v", err)
		}
		_, _, err := k.DeleteDocument(ctx, as, second.ID, cond)
		if _, _, err := k.RequestApproval(ctx, as, needsOf(t, err)); !errors.Is(err, engine.ErrLacksPermission) {
			t.Errorf("asked by who impersonates: %v", err)
		}
		if _, _, _, err := k.CreateKey(ctx, as, engine.NewKey{Name: "k"}); !errors.Is(err, engine.ErrNeedsTwo) {
			t.Errorf("a key made by who impersonates: %v", err)
		}
		if _, _, _, err := k.RotateKey(ctx, as, k.other.KeyID, 0); !errors.Is(err, engine.ErrNeedsTwo) {
			t.Errorf("a key rotated by who impersonates: %v", err)
		}
		if _, _, _, err := k.RotateClient(ctx, as, bert.ID, cond); !errors.Is(err, engine.ErrNeedsTwo) {
			t.Errorf("a client rotated by who impersonates: %v", err)
		}
	}
	for _, as := range []engine.Actor{by(own, k.Admin.UserID, engine.GrantClientCredentials), by(anybody, k.Admin.UserID, engine.GrantAuthorizationCode)} {
		if _, _, err := k.Approve(ctx, as, a.ID, a.PlanDigest); !errors.Is(err, engine.ErrLacksPermission) {
			t.Errorf("approved by who asked, as %+v: %v", as, err)
		}
	}
	granted, r, err := k.Approve(ctx, by(bert, k.other.UserID, engine.GrantClientCredentials), a.ID, a.PlanDigest)
	if err != nil || granted.Approval.DecidedBy != k.other.UserID {
		t.Fatalf("approved by a program of who may: %+v %v", granted, err)
	}
	if e, err := k.Entry(ctx, r.Seq); err != nil || e.Key != own.ID || e.Actor != k.Admin.UserID {
		t.Errorf("done by %s with %s: %v", e.Actor, e.Key, err)
	}
	_, _, err = k.DeleteDocument(ctx, k.Admin, second.ID, cond)
	a, _, err = k.RequestApproval(ctx, by(own, k.Admin.UserID, engine.GrantClientCredentials), needsOf(t, err))
	must(t, err)
	_, _, err = k.CloseClient(ctx, k.other, own.ID, cond)
	must(t, err)
	if _, _, err := k.Approve(ctx, k.other, a.ID, a.PlanDigest); !errors.Is(err, engine.ErrApprovalStale) {
		t.Errorf("what a closed client asked for: %v", err)
	}
}

// An export that was approved is written, with its reads in the log, and one that has
// come to be of other documents is not made. Auditors ask for it too.
func TestAnApprovedExport(t *testing.T) {
	t.Parallel()
	k, ctx := newPair(t), t.Context()
	k.Create("a", "a")
	auditor, _ := k.Person("Au", engine.AccessAuditor)
	_, _, err := k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{AuditReads: new(true)})
	must(t, err)
	k.cover(engine.CoveredExport)
	all := engine.BagChoice{Query: &engine.DocumentQuery{}}
	_, err = k.MakeBag(ctx, auditor, all)
	a := k.asks(auditor, k.Head(), err)
	if _, _, err := k.Approve(ctx, auditor, a.ID, a.PlanDigest); !errors.Is(err, engine.ErrLacksPermission) {
		t.Errorf("approved by an auditor: %v", err)
	}
	k.Create("b", "b")
	if _, _, err := k.Approve(ctx, k.other, a.ID, a.PlanDigest); !errors.Is(err, engine.ErrApprovalStale) {
		t.Errorf("approved of other documents: %v", err)
	}
	_, err = k.MakeBag(ctx, auditor, all)
	a = k.asks(auditor, k.Head(), err)
	granted, r, err := k.Approve(ctx, k.other, a.ID, a.PlanDigest)
	must(t, err)
	b, is := granted.Result.(*engine.Bag)
	if !is || b.Documents != 2 || b.Receipt != r {
		t.Fatalf("granted: %+v", granted.Result)
	}
	before := k.Head().Seq
	must(t, b.Write(ctx, io.Discard))
	if reads, _ := entriesAfter(t, k.Vault, before); len(reads) != 2 || reads[0].Op != audit.OpDocumentDownloaded || reads[0].Actor != auditor.UserID {
		t.Errorf("read: %v", reads)
	}
}

func TestTheSettingTakesTwoAdmins(t *testing.T) {
	t.Parallel()
	k, ctx := enginetest.New(t), t.Context()
	patch := engine.SettingsPatch{TwoPersons: &[]engine.Covered{engine.CoveredExport, engine.CoveredErasure, engine.CoveredExport}}
	_, _, err := k.UpdateSettings(ctx, k.Admin, engine.Condition{}, patch)
	wantField(t, err, "twoPersons")
	other, _ := k.Person("Bert", engine.AccessAdmin)
	_, _, err = k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{TwoPersons: &[]engine.Covered{engine.CoveredAdmin}})
	wantField(t, err, "twoPersons")
	s, _, err := k.UpdateSettings(ctx, k.Admin, engine.Condition{}, patch)
	if err != nil || !slices.Equal(s.TwoPersons, []engine.Covered{engine.CoveredErasure, engine.CoveredExport}) {
		t.Fatalf("%v %v", s.TwoPersons, err)
	}
	k.Reopen()
	k2 := &pair{k, other}
	a := k2.asks(k.Admin, k.Head(), second(k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{TwoPersons: &[]engine.Covered{}})))
	// The last admin is not locked up: the operator at the machine decides, and it is told.
	closed := engine.UserClosed
	_, _, err = k.UpdateUser(ctx, k.Admin, other.UserID, engine.Condition{}, engine.UserPatch{Status: &closed})
	must(t, err)
	if _, _, err := k.Approve(ctx, other, a.ID, a.PlanDigest); !errors.Is(err, engine.ErrTokenRevoked) {
		t.Errorf("approved by who is closed: %v", err)
	}
	_, _, err = k.Approve(ctx, engine.Operator(), a.ID, a.PlanDigest)
	must(t, err)
	if told, err := k.OperatorApproved(ctx); err != nil || len(told) != 1 || told[0].ID != a.ID {
		t.Errorf("told: %v %v", told, err)
	}
	if told, err := k.Concerns(ctx); err != nil || len(told) != 1 || !strings.Contains(told[0], a.ID) {
		t.Errorf("concerns: %v %v", told, err)
	}
	if s, err := k.Settings(ctx); err != nil || len(s.TwoPersons) != 0 {
		t.Errorf("%v %v", s.TwoPersons, err)
	}
}

// More holds than one call releases are one request, and released together.
func TestManyReleasesAreOneApproval(t *testing.T) {
	if testing.Short() {
		t.Skip("more holds than one call releases")
	}
	t.Parallel()
	k, ctx := newPair(t), t.Context()
	const many = engine.MaxBulk + 100
	var held []string
	for len(held) < many {
		var some []string
		for range 100 {
			some = append(some, k.Create("held", "text").ID)
		}
		outcomes, err := k.PlaceHolds(ctx, k.Admin, some, engine.NewHold{Reason: "r", Matter: "Acme"}, false)
		must(t, err)
		for _, o := range outcomes {
			held = append(held, o.HoldID)
		}
	}
	k.cover(engine.CoveredHoldRelease)
	a := k.asks(k.Admin, k.Head(), k.ReleasingNeedsTwo(k.Admin, held, "settled"))
	head := k.Head()
	granted, _, err := k.Approve(ctx, k.other, a.ID, a.PlanDigest)
	must(t, err)
	outcomes, _ := granted.Result.([]engine.HoldOutcome)
	did, ends := entriesAfter(t, k.Vault, head.Seq)
	if len(outcomes) != len(held) || len(did) != len(held) || len(ends) != 1 || !did[0].Time.Equal(ends[0].Time) {
		t.Errorf("%d outcomes, %d entries, %d ends", len(outcomes), len(did), len(ends))
	}
	if err := k.ReleasingNeedsTwo(k.Admin, held, "again"); err != nil {
		t.Errorf("what is released: %v", err)
	}
	_, _, err = k.PlaceHold(ctx, k.Admin, k.Create("one", "one").ID, engine.Condition{}, engine.NewHold{Reason: "r"})
	must(t, err)
	page, err := k.Holds(ctx, engine.HoldQuery{Status: engine.HoldActive, Paging: engine.Paging{Limit: 1}})
	must(t, err)
	wantField(t, k.ReleasingNeedsTwo(k.Admin, append(slices.Repeat(held[:1], engine.MaxReleased), page.Items[0].ID), ""), "holdIds")
}

func second[A, B any](_ A, _ B, err error) error { return err }

// What has changed since makes a request stale, and so does that who asked is gone.
func TestApprovalsGoStale(t *testing.T) {
	t.Parallel()
	k, ctx, cond := newPair(t), t.Context(), engine.Condition{}
	k.cover(engine.Coverable()...)
	wants := func(a engine.Approval) {
		t.Helper()
		head := k.Head()
		if _, _, err := k.Approve(ctx, k.other, a.ID, a.PlanDigest); !errors.Is(err, engine.ErrApprovalStale) || k.Head() != head {
			t.Errorf("%s: approved: %v", a.Call, err)
		}
	}
	d := k.Create("a", "a")
	a := k.asks(k.Admin, k.Head(), second(k.DeleteDocument(ctx, k.Admin, d.ID, cond)))
	k.AddText(d.ID, "more")
	wants(a)
	a = k.asks(k.Admin, k.Head(), second(k.DeleteDocument(ctx, k.Admin, d.ID, cond)))
	_, _, err := k.PlaceHold(ctx, k.other, d.ID, cond, engine.NewHold{Reason: "r"})
	must(t, err)
	wants(a)
	if _, _, err := k.RejectApproval(ctx, k.Admin, a.ID); err != nil {
		t.Errorf("taken back: %v", err)
	}
	if _, r, err := k.RejectApproval(ctx, k.other, a.ID); err != nil || r.Seq != 0 {
		t.Errorf("rejected twice: %v", err)
	}
	wants(a)
	if is, err := k.Approval(ctx, a.ID); err != nil || is.Status != engine.ApprovalRejected || is.Arguments != nil {
		t.Errorf("%+v %v", is, err)
	}
	eve, _, err := k.CreateUser(ctx, k.Admin, engine.NewUser{Name: "Eve", Access: engine.AccessView})
	must(t, err)
	a = k.asks(k.Admin, k.Head(), second(k.UpdateUser(ctx, k.Admin, eve.ID, cond, engine.UserPatch{Access: new(engine.AccessAdmin)})))
	_, _, err = k.RevokeKey(ctx, k.other, k.Admin.KeyID)
	must(t, err)
	wants(a)
	k.Admin.KeyID = "" // as a host signs people in
	a = k.asks(k.Admin, k.Head(), second(k.UpdateUser(ctx, k.Admin, eve.ID, cond, engine.UserPatch{Access: new(engine.AccessAdmin)})))
	_, _, err = k.UpdateUser(ctx, k.other, k.Admin.UserID, cond, engine.UserPatch{Access: new(engine.AccessUpload)})
	must(t, err)
	wants(a)
	k.Admin = k.other
	if _, err := k.Approval(ctx, "nonsense"); !errors.Is(err, engine.ErrApprovalNotFound) {
		t.Errorf("no such approval: %v", err)
	}
	if page, err := k.Approvals(ctx, engine.ApprovalWaiting, engine.Paging{}); err != nil || len(page.Items) != 3 {
		t.Errorf("waiting: %d %v", len(page.Items), err)
	}
}

// A request expires by the time, with or without a sweep, which writes it down.
func TestApprovalsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, ctx := newPair(t), t.Context()
		k.cover(engine.CoveredDocumentDelete)
		d := k.Create("a", "a")
		a := k.asks(k.Admin, k.Head(), second(k.DeleteDocument(ctx, k.Admin, d.ID, engine.Condition{})))
		time.Sleep(7*24*time.Hour - time.Second)
		if is, err := k.Approval(ctx, a.ID); err != nil || is.Status != engine.ApprovalWaiting {
			t.Errorf("%+v %v", is, err)
		}
		time.Sleep(time.Second)
		is, err := k.Approval(ctx, a.ID)
		if err != nil || is.Status != engine.ApprovalExpired || is.Arguments != nil {
			t.Errorf("%+v %v", is, err)
		}
		if _, _, err := k.Approve(ctx, k.other, a.ID, a.PlanDigest); !errors.Is(err, engine.ErrApprovalStale) {
			t.Errorf("approved: %v", err)
		}
		if _, _, err := k.RejectApproval(ctx, k.other, a.ID); !errors.Is(err, engine.ErrApprovalStale) {
			t.Errorf("rejected: %v", err)
		}
		head := k.Head()
		_, err = k.Sweep(ctx)
		must(t, err)
		if _, ends := entriesAfter(t, k.Vault, head.Seq); len(ends) != 1 || ends[0].Op != audit.OpApprovalExpired || ends[0].Actor != "system" {
			t.Errorf("entries: %v", ends)
		}
		if is, err := k.Approval(ctx, a.ID); err != nil || is.Status != engine.ApprovalExpired || is.DecidedBy != "" {
			t.Errorf("%+v %v", is, err)
		}
	})
}
