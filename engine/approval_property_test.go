package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
)

// lonely is an admin who does all they can to get round the second person: with keys
// of their own, users and keys made for the purpose, settings, policies and many
// holds at once.
type lonely struct {
	*pair
	random *rand.Rand
	as     []engine.Actor // whom the admin can act as
	calls  map[string]struct {
		what engine.Covered
		call func(ctx context.Context, who engine.Actor) error
	}
	names []string
	docs  []string
	asked []engine.Approval

	programs []string // made on the way
}

func (l *lonely) who() engine.Actor { return l.as[l.random.IntN(len(l.as))] }

// step does one thing, whatever comes of it.
func (l *lonely) step(ctx context.Context) error {
	pick := func(list []string) string { return list[l.random.IntN(len(list))] }
	cond := engine.Condition{}
	switch l.random.IntN(16) {
	case 0: // another key of one's own, or of who was made
		k, _, _, err := l.CreateKey(ctx, l.Admin, engine.NewKey{Name: "k", UserID: l.who().UserID})
		if err == nil {
			l.as = append(l.as, engine.Actor{UserID: k.UserID, KeyID: k.ID, Access: engine.AccessAdmin})
		}
		return err
	case 1:
		access := []engine.Access{engine.AccessView, engine.AccessUpload, engine.AccessAuditor, engine.AccessAdmin}[l.random.IntN(4)]
		n := engine.NewUser{Name: "n", Access: access}
		make := l.CreateUser
		if l.random.IntN(2) == 0 {
			n.Email, make = fmt.Sprintf("u%d@example.com", l.random.IntN(1000)), l.EnsureUser
		}
		u, _, err := make(ctx, l.who(), n)
		if err == nil {
			l.as = append(l.as, engine.Actor{UserID: u.ID, Access: engine.AccessAdmin})
		}
		return err
	case 2: // raise, close, reopen anybody
		of := append(slices.Clone(l.as), l.other)[l.random.IntN(len(l.as)+1)]
		if of.UserID == l.Admin.UserID {
			return nil
		}
		p := engine.UserPatch{Access: new(engine.AccessAdmin)}
		if l.random.IntN(2) == 0 {
			p = engine.UserPatch{Status: new([]engine.UserStatus{engine.UserActive, engine.UserClosed}[l.random.IntN(2)])}
		}
		_, _, err := l.UpdateUser(ctx, l.who(), of.UserID, cond, p)
		return err
	case 3:
		_, _, _, err := l.RotateKey(ctx, l.who(), l.other.KeyID, time.Hour)
		return err
	case 4:
		_, _, _, err := l.CreateKey(ctx, l.who(), engine.NewKey{Name: "k", UserID: l.other.UserID})
		return err
	case 5, 6, 7: // approve what was asked for, by anybody one can be
		if len(l.asked) == 0 {
			return nil
		}
		a := l.asked[l.random.IntN(len(l.asked))]
		if l.random.IntN(8) == 0 {
			_, _, err := l.RejectApproval(ctx, l.who(), a.ID)
			return err
		}
		_, _, err := l.Approve(ctx, l.who(), a.ID, a.PlanDigest)
		if err == nil {
			return errors.New("approved alone")
		}
		return err
	case 8:
		some := engine.Coverable()[:l.random.IntN(len(engine.Coverable()))]
		_, _, err := l.UpdateSettings(ctx, l.who(), cond, engine.SettingsPatch{TwoPersons: &some, MaxClockGapDays: new(uint64(30 + l.random.IntN(2)))})
		return err
	case 9:
		_, err := l.ReleaseHolds(ctx, l.who(), l.holds(), "all", l.random.IntN(4) == 0)
		return err
	case 10:
		_, _, err := l.DeleteDocument(ctx, l.who(), pick(l.docs), engine.Condition{BypassGovernance: l.random.IntN(2) == 0, Reason: "because"})
		return err
	case 11: // a program of one's own, that would act as somebody
		of := append(slices.Clone(l.as), l.other)[l.random.IntN(len(l.as)+1)].UserID
		n := engine.NewClient{Name: "c", Grants: []engine.Grant{engine.GrantClientCredentials}, UserID: of}
		if l.random.IntN(3) == 0 {
			n = engine.NewClient{Name: "c", Grants: []engine.Grant{engine.GrantJWTBearer}, Impersonates: true, PublicKey: keyOfClients, Access: engine.AccessAdmin}
		}
		c, _, _, err := l.CreateClient(ctx, l.who(), n)
		if err == nil {
			l.as = append(l.as, engine.Actor{UserID: of, ClientID: c.ID, Grant: n.Grants[0], Access: engine.AccessAdmin})
			l.programs = append(l.programs, c.ID)
		}
		return err
	case 12: // as whom it acts, and who has its secret
		if len(l.programs) == 0 {
			return nil
		}
		program := pick(l.programs)
		if l.random.IntN(2) == 0 {
			_, _, _, err := l.RotateClient(ctx, l.who(), program, cond)
			return err
		}
		_, _, err := l.UpdateClient(ctx, l.who(), program, cond, engine.ClientPatch{UserID: &l.other.UserID, Access: new(engine.AccessAdmin)})
		if err == nil {
			return errors.New("approved alone")
		}
		return err
	}
	return l.calls[pick(l.names)].call(ctx, l.who())
}

func (l *lonely) holds() (ids []string) {
	page, err := l.Holds(l.TB.Context(), engine.HoldQuery{Status: engine.HoldActive, Paging: engine.Paging{Limit: 100}})
	must(l.TB, err)
	for _, h := range page.Items {
		ids = append(ids, h.ID)
	}
	return ids
}

// stands is all that two persons keep, in words.
func (l *lonely) stands(ctx context.Context) string {
	s, err := l.Settings(ctx)
	must(l.TB, err)
	all := fmt.Sprint(s.TwoPersons, s.RetentionConflict, s.MaxClockGapDays, len(l.holds()))
	documents, err := l.Documents(ctx, engine.DocumentQuery{Status: engine.StatusAll, Paging: engine.Paging{Limit: 100}})
	must(l.TB, err)
	for _, d := range documents.Items {
		all += fmt.Sprint(d.ID, d.Name)
	}
	erasures, err := l.Erasures(ctx, engine.Paging{})
	must(l.TB, err)
	policies, err := l.Policies(ctx, engine.Paging{})
	must(l.TB, err)
	for _, p := range policies.Items {
		all += fmt.Sprint(p.ID, p.Enabled, p.Action, p.Protect, p.Period, p.Target)
	}
	users, err := l.Users(ctx, engine.Paging{Limit: 100})
	must(l.TB, err)
	for _, u := range users.Items {
		if u.Access == engine.AccessAdmin && u.ID != l.other.UserID { // whom to close, one may do alone
			all += fmt.Sprint(u.ID, u.Status)
		}
	}
	granted, err := l.Approvals(ctx, engine.ApprovalGranted, engine.Paging{})
	must(l.TB, err)
	for seq := uint64(1); seq <= l.Head().Seq; seq++ {
		if e, err := l.Entry(ctx, seq); err != nil || e.Op == audit.OpMatterExported {
			all += fmt.Sprint("exported ", err)
		}
	}
	return all + fmt.Sprint(len(erasures.Items), len(policies.Items), len(granted.Items))
}

// No sequence of calls by one admin alone carries out what needs two.
func TestOneAloneNeverCarriesOutWhatNeedsTwo(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			l := &lonely{pair: newPair(t), random: rand.New(rand.NewPCG(seed, 4))}
			l.calls = l.pair.calls()
			for name := range l.calls {
				l.names = append(l.names, name)
			}
			slices.Sort(l.names)
			page, err := l.Documents(ctx, engine.DocumentQuery{Status: engine.StatusAll, Paging: engine.Paging{Limit: 100}})
			must(t, err)
			for _, d := range page.Items {
				l.docs = append(l.docs, d.ID)
			}
			own, _ := makeClient(l.Kit, engine.NewClient{Name: "own", Grants: []engine.Grant{engine.GrantClientCredentials}, UserID: l.Admin.UserID})
			anybody, _ := makeClient(l.Kit, engine.NewClient{Name: "anybody", Grants: []engine.Grant{engine.GrantJWTBearer}, Access: engine.AccessAdmin, Impersonates: true, PublicKey: keyOfClients})
			l.cover(engine.Coverable()...)
			l.as = []engine.Actor{l.Admin, {UserID: l.Admin.UserID, Access: engine.AccessAdmin},
				{UserID: l.Admin.UserID, ClientID: own.ID, Grant: engine.GrantClientCredentials, Access: engine.AccessAdmin},
				{UserID: l.other.UserID, ClientID: anybody.ID, Grant: engine.GrantJWTBearer, Access: engine.AccessAdmin}}
			before, asked := l.stands(ctx), map[audit.Hash]bool{}
			for n := range 150 {
				err := l.step(ctx)
				if needs, is := errors.AsType[*engine.NeedsTwoError](err); is {
					a, _, err := l.RequestApproval(ctx, l.as[l.random.IntN(4)], needs)
					if err == nil && !asked[a.PlanDigest] {
						asked[a.PlanDigest], l.asked = true, append(l.asked, a)
					}
				} else if err != nil && err.Error() == "approved alone" {
					t.Fatalf("step %d: %v", n, err)
				}
				if is := l.stands(ctx); is != before {
					t.Fatalf("step %d, %v: stood\n%s\nand stands\n%s", n, err, before, is)
				}
			}
			if len(l.asked) < 10 {
				t.Errorf("only %d requests were made", len(l.asked))
			}
		})
	}
}
