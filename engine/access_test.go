package engine_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// change is one mutating call with the access it needs. Its arguments are
// such that it succeeds for whoever may make it.
type change struct {
	name  string
	needs engine.Access
	call  func(ctx context.Context, a engine.Actor) error
}

// changes are all there are.
func changes(k *enginetest.Kit) []change {
	cond := engine.Condition{}
	subject := k.Create("subject.txt", "the subject")
	user, _ := k.Person("Somebody", engine.AccessView)
	rule := policy(k, engine.NewPolicy{Scope: engine.ScopeProduct, Target: "none", Action: engine.ActionArchive})
	n := 0
	fresh := func(what string) string { n++; return fmt.Sprint(what, n) }
	document := func() string { return k.Create("fresh.txt", fresh("text ")).ID }
	return []change{
		{"CreateDocument", engine.AccessUpload, func(ctx context.Context, a engine.Actor) error {
			u := k.Upload(fresh("content "))
			defer u.Discard()
			_, _, err := k.CreateDocument(ctx, a, engine.NewDocument{Name: "new", OwnerID: k.Admin.UserID}, u)
			return err
		}},
		{"AddVersion", engine.AccessUpload, func(ctx context.Context, a engine.Actor) error {
			u := k.Upload(fresh("content "))
			defer u.Discard()
			_, _, err := k.AddVersion(ctx, a, subject.ID, cond, engine.NewVersion{}, u)
			return err
		}},
		{"SetText", engine.AccessUpload, func(ctx context.Context, a engine.Actor) error {
			_, _, err := k.SetText(ctx, a, subject.ID, 1, cond, fresh("words "))
			return err
		}},
		{"RestoreVersion", engine.AccessUpload, func(ctx context.Context, a engine.Actor) error {
			_, _, err := k.RestoreVersion(ctx, a, subject.ID, cond, 1)
			return err
		}},
		{"UpdateDocument", engine.AccessUpload, func(ctx context.Context, a engine.Actor) error {
			name := fresh("name ")
			_, _, err := k.UpdateDocument(ctx, a, subject.ID, cond, engine.DocumentPatch{Name: &name})
			return err
		}},
		{"ArchiveDocument", engine.AccessAdmin, func(ctx context.Context, a engine.Actor) error {
			_, _, err := k.ArchiveDocument(ctx, a, document(), cond)
			return err
		}},
		{"UnarchiveDocument", engine.AccessAdmin, func(ctx context.Context, a engine.Actor) error {
			_, _, err := k.UnarchiveDocument(ctx, a, subject.ID, cond)
			return err
		}},
		{"PlaceHold", engine.AccessAdmin, func(ctx context.Context, a engine.Actor) error {
			_, _, err := k.PlaceHold(ctx, a, document(), engine.Condition{}, engine.NewHold{Reason: "litigation"})
			return err
		}},
		{"PlaceHolds", engine.AccessAdmin, func(ctx context.Context, a engine.Actor) error {
			outcomes, err := k.PlaceHolds(ctx, a, []string{document()}, engine.NewHold{Reason: "litigation", Matter: "Acme"}, false)
			return cmp.Or(err, outcomes[0].Err)
		}},
		{"ReleaseHold", engine.AccessAdmin, func(ctx context.Context, a engine.Actor) error {
			_, _, err := k.ReleaseHold(ctx, a, place(k.TB, k, document(), "").ID, engine.Condition{}, "")
			return err
		}},
		{"ReleaseHolds", engine.AccessAdmin, func(ctx context.Context, a engine.Actor) error {
			outcomes, err := k.ReleaseHolds(ctx, a, []string{place(k.TB, k, document(), "").ID}, "", false)
			return cmp.Or(err, outcomes[0].Err)
		}},
		{"DeleteDocument", engine.AccessAdmin, func(ctx context.Context, a engine.Actor) error {
			_, _, err := k.DeleteDocument(ctx, a, document(), cond)
			return err
		}},
		{"CreateUser", engine.AccessAdmin, func(ctx context.Context, a engine.Actor) error {
			_, _, err := k.CreateUser(ctx, a, engine.NewUser{Name: "New", Access: engine.AccessView})
			return err
		}},
		{"EnsureUser", engine.AccessAdmin, func(ctx context.Context, a engine.Actor) error {
			_, _, err := k.EnsureUser(ctx, a, engine.NewUser{Name: "New", Email: fresh("mail") + "@example.com", Access: engine.AccessView})
			return err
		}},
		{"UpdateUser", engine.AccessAdmin, func(ctx context.Context, a engine.Actor) error {
			name := fresh("Name ")
			_, _, err := k.UpdateUser(ctx, a, user.UserID, engine.Condition{}, engine.UserPatch{Name: &name})
			return err
		}},
		{"CreateKey", engine.AccessAdmin, func(ctx context.Context, a engine.Actor) error {
			_, _, _, err := k.CreateKey(ctx, a, engine.NewKey{Name: "new", UserID: user.UserID})
			return err
		}},
		{"RotateKey", engine.AccessAdmin, func(ctx context.Context, a engine.Actor) error {
			_, _, _, err := k.RotateKey(ctx, a, user.KeyID, time.Hour)
			return err
		}},
		{"RevokeKey", engine.AccessAdmin, func(ctx context.Context, a engine.Actor) error {
			key, _, _, err := k.CreateKey(ctx, k.Admin, engine.NewKey{Name: "to be revoked"})
			must(k.TB, err)
			_, _, err = k.RevokeKey(ctx, a, key.ID)
			return err
		}},
		{"UpdateSettings", engine.AccessAdmin, func(ctx context.Context, a engine.Actor) error {
			list := []string{fresh("category")}
			_, _, err := k.UpdateSettings(ctx, a, engine.Condition{}, engine.SettingsPatch{Categories: &list})
			return err
		}},
		{"CreatePolicy", engine.AccessAdmin, func(ctx context.Context, a engine.Actor) error {
			_, _, err := k.CreatePolicy(ctx, a, engine.NewPolicy{Name: fresh("policy "), Scope: engine.ScopeProduct, Target: "none", Action: engine.ActionArchive})
			return err
		}},
		{"UpdatePolicy", engine.AccessAdmin, func(ctx context.Context, a engine.Actor) error {
			name := fresh("policy ")
			_, _, err := k.UpdatePolicy(ctx, a, rule.ID, engine.Condition{}, engine.PolicyPatch{Name: &name})
			return err
		}},
		{"DeletePolicy", engine.AccessAdmin, func(ctx context.Context, a engine.Actor) error {
			_, _, err := k.DeletePolicy(ctx, a, policy(k, engine.NewPolicy{Scope: engine.ScopeProduct, Target: "none", Action: engine.ActionArchive}).ID, engine.Condition{})
			return err
		}},
		{"StartRun", engine.AccessAdmin, func(ctx context.Context, a engine.Actor) error {
			_, _, err := k.StartRun(ctx, a, engine.NewRun{})
			return err
		}},
		{"Export", engine.AccessAuditor, func(ctx context.Context, a engine.Actor) error {
			_, err := k.Export(ctx, a, 0)
			return err
		}},
		{"OpenContent", engine.AccessView, func(ctx context.Context, a engine.Actor) error {
			_, f, _, err := k.OpenContent(ctx, a, subject.ID, 0)
			if err == nil {
				f.Close()
			}
			return err
		}},
	}
}

// auditReads makes each download, and each export, a change.
func auditReads(k *enginetest.Kit, on bool) {
	k.TB.Helper()
	_, _, err := k.UpdateSettings(k.TB.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{AuditReads: &on})
	must(k.TB, err)
}

// TestEveryChangeAsksWhoMay tries every change as everybody. Who authenticated
// is judged anew when the change is made.
func TestEveryChangeAsksWhoMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		ctx := t.Context()
		auditReads(k, true)
		shut := engine.UserClosed
		key := func(n engine.NewKey) string {
			made, _, _, err := k.CreateKey(ctx, k.Admin, n)
			must(t, err)
			return made.ID
		}

		viewer, _ := k.Person("Vera View", engine.AccessView)
		uploader, _ := k.Person("Ulla Upload", engine.AccessUpload)
		closed, _ := k.Person("Clara Closed", engine.AccessAdmin)
		_, _, err := k.UpdateUser(ctx, k.Admin, closed.UserID, engine.Condition{}, engine.UserPatch{Status: &shut})
		must(t, err)
		demoted, _ := k.Person("Dora Demoted", engine.AccessAdmin)
		lower := engine.AccessUpload
		_, _, err = k.UpdateUser(ctx, k.Admin, demoted.UserID, engine.Condition{}, engine.UserPatch{Access: &lower})
		must(t, err)
		revoked, _ := k.Person("Rita Revoked", engine.AccessAdmin)
		_, _, err = k.RevokeKey(ctx, k.Admin, revoked.KeyID)
		must(t, err)
		narrow, expired, rotated := k.Admin, k.Admin, k.Admin
		narrow.KeyID = key(engine.NewKey{Name: "narrow", Access: engine.AccessView})
		auditor, _ := k.Person("Anna Auditor", engine.AccessAuditor)
		looks := k.Admin
		looks.KeyID = key(engine.NewKey{Name: "looks", Access: engine.AccessAuditor})
		// What an uploader's key for uploads may, once its user has become an auditor.
		moved, _ := k.Person("Mona Moved", engine.AccessUpload)
		audits := engine.AccessAuditor
		_, _, err = k.UpdateUser(ctx, k.Admin, moved.UserID, engine.Condition{}, engine.UserPatch{Access: &audits})
		must(t, err)
		expired.KeyID = key(engine.NewKey{Name: "short", ExpiresAt: time.Now().Add(time.Hour)})
		rotated.KeyID = key(engine.NewKey{Name: "rotated"})
		_, _, _, err = k.RotateKey(ctx, k.Admin, rotated.KeyID, 0)
		must(t, err)
		time.Sleep(time.Hour)
		with := func(a engine.Actor, fn func(*engine.Actor)) engine.Actor { fn(&a); return a }

		for _, who := range []struct {
			name   string
			actor  engine.Actor
			access engine.Access
			err    error // instead
		}{
			{"a viewer", viewer, engine.AccessView, nil},
			{"an uploader", uploader, engine.AccessUpload, nil},
			{"an admin", k.Admin, engine.AccessAdmin, nil},
			{"an admin without a key", with(k.Admin, func(a *engine.Actor) { a.KeyID = "" }), engine.AccessAdmin, nil},
			{"an admin who acts as a viewer", with(k.Admin, func(a *engine.Actor) { a.Access = engine.AccessView }), engine.AccessView, nil},
			{"an admin who acts as nobody", with(k.Admin, func(a *engine.Actor) { a.Access = engine.AccessNone }), engine.AccessNone, nil},
			{"a viewer who acts as an admin", with(viewer, func(a *engine.Actor) { a.Access = engine.AccessAdmin }), engine.AccessView, nil},
			{"an admin with a narrow key", narrow, engine.AccessView, nil},
			{"an auditor", auditor, engine.AccessAuditor, nil},
			{"an admin with an auditor's key", looks, engine.AccessAuditor, nil},
			{"an admin who acts as an auditor", with(k.Admin, func(a *engine.Actor) { a.Access = engine.AccessAuditor }), engine.AccessAuditor, nil},
			{"an auditor who acts as an admin", with(auditor, func(a *engine.Actor) { a.Access = engine.AccessAdmin }), engine.AccessAuditor, nil},
			{"an auditor who acts as an uploader", with(auditor, func(a *engine.Actor) { a.Access = engine.AccessUpload }), engine.AccessView, nil},
			{"an uploader who acts as an auditor", with(uploader, func(a *engine.Actor) { a.Access = engine.AccessAuditor }), engine.AccessView, nil},
			{"an auditor with a key for uploads", moved, engine.AccessView, nil},
			{"an admin who acts as what there is not", with(k.Admin, func(a *engine.Actor) { a.Access = 77 }), engine.AccessNone, nil},
			{"an admin demoted since", demoted, engine.AccessUpload, nil},
			{"the operator", engine.Operator(), engine.AccessAdmin, nil},
			{"the schedule", engine.System(), engine.AccessAdmin, nil},
			{"a closed user", closed, 0, engine.ErrTokenRevoked},
			{"a revoked key", revoked, 0, engine.ErrTokenRevoked},
			{"an expired key", expired, 0, engine.ErrTokenExpired},
			{"a rotated key", rotated, 0, engine.ErrTokenExpired},
			{"nobody", engine.Actor{}, 0, engine.ErrUserNotFound},
			{"somebody unknown", engine.Actor{UserID: engine.NewID(), Access: engine.AccessAdmin}, 0, engine.ErrUserNotFound},
			{"a user named as no id", engine.Actor{UserID: "admin", Access: engine.AccessAdmin}, 0, engine.ErrUserNotFound},
			{"an unknown key", with(k.Admin, func(a *engine.Actor) { a.KeyID = engine.NewID() }), 0, engine.ErrKeyNotFound},
			{"another's key", with(k.Admin, func(a *engine.Actor) { a.KeyID = viewer.KeyID }), 0, engine.ErrInvalidToken},
		} {
			for _, c := range changes(k) {
				called := k.Head()
				err := c.call(ctx, who.actor)
				switch {
				case who.err != nil:
					if !errors.Is(err, who.err) {
						t.Errorf("%s by %s: got %v, want %v", c.name, who.name, err, who.err)
					}
				case !slices.Contains(may[who.access], c.needs):
					told := c.needs
					if told == engine.AccessAuditor {
						told = engine.AccessAdmin
					}
					refused, ok := errors.AsType[*engine.PermissionError](err)
					if !ok || *refused != (engine.PermissionError{Required: told, Actual: who.access}) || !errors.Is(err, engine.ErrLacksPermission) {
						t.Errorf("%s by %s: got %v, want that it needs %s", c.name, who.name, err, c.needs)
					}
				case err != nil:
					t.Errorf("%s by %s: %v", c.name, who.name, err)
				}
				if err != nil {
					wroteNothingAs(t, k, who.actor, called.Seq, c.name+" by "+who.name)
				}
			}
		}
	})
}

// may says what each access is enough for, written out.
var may = map[engine.Access][]engine.Access{
	engine.AccessNone:    {engine.AccessNone},
	engine.AccessView:    {engine.AccessNone, engine.AccessView},
	engine.AccessUpload:  {engine.AccessNone, engine.AccessView, engine.AccessUpload},
	engine.AccessAuditor: {engine.AccessNone, engine.AccessView, engine.AccessAuditor},
	engine.AccessAdmin:   {engine.AccessNone, engine.AccessView, engine.AccessUpload, engine.AccessAuditor, engine.AccessAdmin},
}

// TestTheLowerOfTwoAccessesIsWhatBothMay holds for every pair, whichever comes first.
func TestTheLowerOfTwoAccessesIsWhatBothMay(t *testing.T) {
	t.Parallel()
	for a := range may {
		for b := range may {
			low := engine.Meet(a, b)
			for needed := range may {
				both := slices.Contains(may[a], needed) && slices.Contains(may[b], needed)
				if (low.Permits(needed) == nil) != both {
					t.Errorf("%s and %s is %s: whether it permits %s is wrong", a, b, low, needed)
				}
			}
		}
	}
}

// TestAKeyIsNoWiderThanItsUser holds for every pair: a key for uploads is wider
// than an auditor, and an auditor's than an uploader.
func TestAKeyIsNoWiderThanItsUser(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	for _, user := range []engine.Access{engine.AccessView, engine.AccessUpload, engine.AccessAuditor, engine.AccessAdmin} {
		who, _ := k.Person("somebody", user)
		for access := range may {
			made, _, _, err := k.CreateKey(t.Context(), k.Admin, engine.NewKey{Name: "a key", UserID: who.UserID, Access: access})
			switch {
			case !slices.Contains(may[user], access):
				if !errors.Is(err, engine.ErrInvalid) {
					t.Errorf("a key for %s of a user with %s: %v", access, user, err)
				}
			case err != nil || access != engine.AccessNone && made.Access != access || access == engine.AccessNone && made.Access != user:
				t.Errorf("a key for %s of a user with %s: %s, %v", access, user, made.Access, err)
			}
		}
	}
}

// TestAnAuditorIsNoAdmin: whoever becomes an auditor administers no more.
func TestAnAuditorIsNoAdmin(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	k.Person("Anna Auditor", engine.AccessAuditor)
	audits := engine.AccessAuditor
	if _, _, err := k.UpdateUser(t.Context(), k.Admin, k.Admin.UserID, engine.Condition{}, engine.UserPatch{Access: &audits}); !errors.Is(err, engine.ErrLastAdmin) {
		t.Errorf("the last admin became an auditor: %v", err)
	}
}

// wroteNothingAs looks for entries of an actor who was refused.
func wroteNothingAs(t *testing.T, k *enginetest.Kit, a engine.Actor, after uint64, what string) {
	t.Helper()
	page, err := k.Entries(t.Context(), engine.EntryQuery{After: after})
	must(t, err)
	for _, e := range page.Items {
		if e.Actor != k.Admin.UserID || e.Key != k.Admin.KeyID {
			t.Errorf("%s: refused, but entry %d is %s by %s", what, e.Seq, e.Op, e.Actor)
		}
	}
}

func TestAnActorIsRecordedInTheOneSpellingOfItsIDs(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	odd := engine.Actor{UserID: strings.ToLower(k.Admin.UserID), KeyID: uuid(k.Admin.KeyID), Access: engine.AccessAdmin}
	u := k.Upload("text")
	defer u.Discard()
	d, _, err := k.CreateDocument(t.Context(), odd, engine.NewDocument{Name: "a"}, u)
	must(t, err)
	if d.CreatedBy != k.Admin.UserID || d.OwnerID != k.Admin.UserID || d.Current.CreatedBy != k.Admin.UserID {
		t.Errorf("made by %s, owned by %s", d.CreatedBy, d.OwnerID)
	}
	e, err := k.Entry(t.Context(), d.AuditSeq)
	must(t, err)
	if e.Actor != k.Admin.UserID || e.Key != k.Admin.KeyID {
		t.Errorf("entered as %s with %s", e.Actor, e.Key)
	}
	key, _, _, err := k.CreateKey(t.Context(), k.Admin, engine.NewKey{Name: "b", UserID: uuid(k.Admin.UserID)})
	must(t, err)
	if key.UserID != k.Admin.UserID {
		t.Errorf("the key is of %s", key.UserID)
	}
}

func TestTokensThatAreNotRightGetOneAnswer(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	other, err := engine.Create(t.TempDir(), engine.Options{Name: "other", ReserveBytes: -1})
	must(t, err)
	defer other.Close()
	a, err := k.Authenticate(t.Context(), k.Token)
	must(t, err)
	if a != k.Admin {
		t.Errorf("%+v, want %+v", a, k.Admin)
	}
	if got := engine.TokenVault(k.Token); got != "main" {
		t.Errorf("the token is for %q", got)
	}
	_, err = k.Authenticate(t.Context(), "sr_main_"+engine.NewID()+"_"+strings.Repeat("A", 43))
	unknown := err.Error()
	wrong := func(token string) {
		t.Helper()
		a, err := k.Authenticate(t.Context(), token)
		if !errors.Is(err, engine.ErrInvalidToken) || err.Error() != unknown || a != (engine.Actor{}) {
			t.Errorf("%q: %v %v", token, a, err)
		}
	}
	if _, err := other.Authenticate(t.Context(), k.Token); !errors.Is(err, engine.ErrInvalidToken) || err.Error() != unknown {
		t.Errorf("in another vault: %v", err)
	}
	wrong("")
	wrong("sr_")
	wrong("sr___")
	wrong("sr_main_" + k.Admin.KeyID)
	wrong("sr_main_" + k.Admin.KeyID + "_")
	wrong(strings.Replace(k.Token, "sr_main", "sr_other", 1))
	wrong("Bearer " + k.Token)
	wrong(k.Token + "=")
	wrong(k.Token + "\n")
	wrong(" " + k.Token)
	wrong(k.Token + k.Token)
	wrong(strings.Repeat("sr_", 100_000))
	for at := range k.Token {
		wrong(k.Token[:at])
		wrong(k.Token[:at] + k.Token[at+1:])
		for _, c := range []string{"_", "0", "Z", "-", "\x00", "é", "%"} {
			if c[0] != k.Token[at] {
				wrong(k.Token[:at] + c + k.Token[at+1:])
			}
		}
	}
	for _, token := range []string{"", "x", "sr_main", "sr_main_x", "SR_main_x_y"} {
		if got := engine.TokenVault(token); got != "" {
			t.Errorf("%q is for %q", token, got)
		}
	}
}

func TestOnlyWhoKnowsTheSecretLearnsThatAKeyHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		ctx := t.Context()
		person, token := k.Person("Paul", engine.AccessView)
		wrong := token[:len(token)-5] + "AAAAA"
		end := time.Now().Add(time.Minute)
		_, short, _, err := k.CreateKey(ctx, k.Admin, engine.NewKey{Name: "short", UserID: person.UserID, ExpiresAt: end})
		must(t, err)
		time.Sleep(time.Minute - time.Millisecond)
		_, err = k.Authenticate(ctx, short.Reveal())
		must(t, err)
		time.Sleep(time.Millisecond)
		_, err = k.Authenticate(ctx, short.Reveal())
		wantIs(t, err, engine.ErrTokenExpired)
		_, _, err = k.RevokeKey(ctx, k.Admin, person.KeyID)
		must(t, err)
		_, err = k.Authenticate(ctx, token)
		wantIs(t, err, engine.ErrTokenRevoked)
		_, err = k.Authenticate(ctx, wrong)
		wantIs(t, err, engine.ErrInvalidToken)
	})
}

func TestAClosedUsersKeysStopAndWorkAgainWhenReopened(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	person, token := k.Person("Paul", engine.AccessUpload)
	set := func(status engine.UserStatus) {
		t.Helper()
		u, r, err := k.UpdateUser(ctx, k.Admin, person.UserID, engine.Condition{}, engine.UserPatch{Status: &status})
		must(t, err)
		if u.Status != status || r.Seq == 0 {
			t.Errorf("%+v %+v", u, r)
		}
		// Once more: it holds already.
		again, r, err := k.UpdateUser(ctx, k.Admin, person.UserID, engine.Condition{}, engine.UserPatch{Status: &status})
		must(t, err)
		if again != u || r.Seq != 0 {
			t.Errorf("%+v %+v", again, r)
		}
	}
	set(engine.UserClosed)
	_, err := k.Authenticate(ctx, token)
	wantIs(t, err, engine.ErrTokenRevoked)
	set(engine.UserActive)
	if a, err := k.Authenticate(ctx, token); err != nil || a != person {
		t.Errorf("%+v %v", a, err)
	}
}

func TestTheLastAdminStays(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	lower, shut := engine.AccessUpload, engine.UserClosed
	demote := func(by engine.Actor, who string) error {
		_, _, err := k.UpdateUser(ctx, by, who, engine.Condition{}, engine.UserPatch{Access: &lower})
		return err
	}
	for _, p := range []engine.UserPatch{{Access: &lower}, {Status: &shut}, {Access: &lower, Status: &shut}} {
		_, _, err := k.UpdateUser(ctx, k.Admin, k.Admin.UserID, engine.Condition{}, p)
		wantIs(t, err, engine.ErrLastAdmin)
		_, _, err = k.UpdateUser(ctx, engine.Operator(), k.Admin.UserID, engine.Condition{}, p)
		wantIs(t, err, engine.ErrLastAdmin)
	}
	closed, _ := k.Person("Clara", engine.AccessAdmin)
	_, _, err := k.UpdateUser(ctx, k.Admin, closed.UserID, engine.Condition{}, engine.UserPatch{Status: &shut})
	must(t, err)
	wantIs(t, demote(k.Admin, k.Admin.UserID), engine.ErrLastAdmin) // a closed admin does not count

	// Two admins demote each other at once: one of them stays.
	second, _ := k.Person("Berta", engine.AccessAdmin)
	for range 20 {
		answers := make(chan error)
		go func() { answers <- demote(k.Admin, second.UserID) }()
		go func() { answers <- demote(second, k.Admin.UserID) }()
		one, other := <-answers, <-answers
		if (one == nil) == (other == nil) {
			t.Fatalf("%v and %v", one, other)
		}
		if err := errors.Join(one, other); !errors.Is(err, engine.ErrLacksPermission) && !errors.Is(err, engine.ErrLastAdmin) {
			t.Errorf("%v", err)
		}
		admin := engine.AccessAdmin
		for _, who := range []engine.Actor{k.Admin, second} {
			_, _, err := k.UpdateUser(ctx, engine.Operator(), who.UserID, engine.Condition{}, engine.UserPatch{Access: &admin})
			must(t, err)
		}
	}
	must(t, demote(k.Admin, second.UserID))
	wantIs(t, demote(k.Admin, k.Admin.UserID), engine.ErrLastAdmin)
}

func TestEmailAddressesAreUniqueWithoutCase(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	create := func(email string) (engine.User, error) {
		u, _, err := k.CreateUser(ctx, k.Admin, engine.NewUser{Name: "N", Email: email, Access: engine.AccessView})
		return u, err
	}
	patch := func(who engine.User, email string) (engine.User, error) {
		u, _, err := k.UpdateUser(ctx, k.Admin, who.ID, engine.Condition{}, engine.UserPatch{Email: &email})
		return u, err
	}
	taken := func(err error, by engine.User) {
		t.Helper()
		if e, ok := errors.AsType[*engine.ExistsError](err); !ok || *e != (engine.ExistsError{What: "user", ID: by.ID, Field: "email"}) {
			t.Errorf("got %v, want that %s has the address", err, by.ID)
		}
	}
	ana, err := create("Ana@Example.com")
	must(t, err)
	ben, err := create("ben@example.com")
	must(t, err)
	for range 2 {
		_, err = create("") // any number has none
		must(t, err)
	}
	_, err = create("ana@example.COM")
	taken(err, ana)
	_, err = patch(ben, " ANA@example.com ")
	taken(err, ana)

	ana, err = patch(ana, "ANA@EXAMPLE.COM") // her own, spelled anew
	must(t, err)
	if ana.Email != "ANA@EXAMPLE.COM" {
		t.Errorf("%+v", ana)
	}
	_, err = create("ana@example.com")
	taken(err, ana)

	ana, err = patch(ana, "ana@example.org")
	must(t, err)
	ben, err = patch(ben, "ana@example.com") // free again
	must(t, err)
	_, err = create("ana@example.com")
	taken(err, ben)
	ana, err = patch(ana, "")
	must(t, err)
	if _, err = create("ana@example.org"); err != nil {
		t.Error(err)
	}

	closed := engine.UserClosed
	_, _, err = k.UpdateUser(ctx, k.Admin, ben.ID, engine.Condition{}, engine.UserPatch{Status: &closed})
	must(t, err)
	_, err = create("ana@example.com") // a closed user keeps the address
	taken(err, ben)
}

func TestEnsureUserFindsOrMakes(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	n := engine.NewUser{Name: "Ana", Email: "ana@example.com", Access: engine.AccessUpload}
	u, r, err := k.EnsureUser(ctx, engine.Operator(), n)
	must(t, err)
	if u.Name != "Ana" || u.Access != engine.AccessUpload || !u.CanLockEnvelopes || r.Seq != k.Head().Seq {
		t.Errorf("%+v %+v", u, r)
	}
	again, r, err := k.EnsureUser(ctx, engine.Operator(), engine.NewUser{Name: "Anna", Email: "ANA@example.com", Access: engine.AccessAdmin})
	must(t, err)
	if again != u || r.Seq != 0 {
		t.Errorf("%+v %+v", again, r)
	}
	_, _, err = k.EnsureUser(ctx, engine.Operator(), engine.NewUser{Name: "Nobody", Access: engine.AccessView})
	wantField(t, err, "email")

	// Many at once make one.
	ids := make(chan string)
	for range 8 {
		go func() {
			u, _, err := k.EnsureUser(ctx, engine.Operator(), engine.NewUser{Name: "Ben", Email: "ben@example.com", Access: engine.AccessView})
			if err != nil {
				t.Error(err)
			}
			ids <- u.ID
		}()
	}
	first := <-ids
	for range 7 {
		if id := <-ids; id != first {
			t.Errorf("made %s and %s", first, id)
		}
	}
}

// wantField fails unless err is an InvalidError that names the field.
func wantField(t testing.TB, err error, field string) {
	t.Helper()
	bad, ok := errors.AsType[*engine.InvalidError](err)
	if !ok || !errors.Is(err, engine.ErrInvalid) {
		t.Errorf("got %v, want %s to be invalid", err, field)
		return
	}
	for _, f := range bad.Fields {
		if f.Field == field && f.Message != "" {
			return
		}
	}
	t.Errorf("got %v, want %s to be invalid", err, field)
}

func TestAKeyMayBeNarrowerThanItsUserNeverWider(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	person, _ := k.Person("Paul", engine.AccessUpload)
	create := func(access engine.Access) (engine.Key, engine.Secret, error) {
		key, secret, _, err := k.CreateKey(ctx, k.Admin, engine.NewKey{Name: "n", UserID: person.UserID, Access: access})
		return key, secret, err
	}
	key, _, err := create(engine.AccessNone)
	must(t, err)
	if key.Access != engine.AccessUpload {
		t.Errorf("%+v", key)
	}
	_, _, err = create(engine.AccessAdmin)
	wantField(t, err, "access")
	narrow, secret, err := create(engine.AccessView)
	must(t, err)
	a, err := k.Authenticate(ctx, secret.Reveal())
	must(t, err)
	if a != (engine.Actor{UserID: person.UserID, KeyID: narrow.ID, Access: engine.AccessView}) {
		t.Errorf("%+v", a)
	}
	if s := fmt.Sprintf("%v %s %+v %#v %q", secret, secret, secret, secret, secret); strings.Contains(s, secret.Reveal()) {
		t.Error("a secret prints itself")
	}
	lower := engine.AccessView
	_, _, err = k.UpdateUser(ctx, k.Admin, person.UserID, engine.Condition{}, engine.UserPatch{Access: &lower})
	must(t, err)
	shown, err := k.Key(ctx, key.ID)
	must(t, err)
	if shown.Access != engine.AccessUpload {
		t.Errorf("%+v", shown)
	}
}

func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		ctx := t.Context()
		person, token := k.Person("Paul", engine.AccessView)
		works := func(token string) error { _, err := k.Authenticate(ctx, token); return err }

		// Everybody may rotate the key they act with, and no other.
		_, _, _, err := k.RotateKey(ctx, person, k.Admin.KeyID, 0)
		wantIs(t, err, engine.ErrLacksPermission)
		_, _, _, err = k.RotateKey(ctx, person, engine.NewID(), 0)
		wantIs(t, err, engine.ErrLacksPermission)
		_, _, _, err = k.RotateKey(ctx, k.Admin, engine.NewID(), 0)
		wantIs(t, err, engine.ErrKeyNotFound)
		for _, overlap := range []time.Duration{-1, 31 * 24 * time.Hour} {
			_, _, _, err = k.RotateKey(ctx, person, person.KeyID, overlap)
			wantField(t, err, "overlapSeconds")
		}
		next, secret, r, err := k.RotateKey(ctx, person, person.KeyID, time.Minute)
		must(t, err)
		if r.Seq != k.Head().Seq || next.UserID != person.UserID || next.Access != engine.AccessView || next.Name != "Paul" || !next.ExpiresAt.IsZero() {
			t.Errorf("%+v %+v", next, r)
		}
		must(t, works(secret.Reveal()))
		time.Sleep(time.Minute - time.Millisecond)
		must(t, works(token))
		must(t, works(secret.Reveal()))
		time.Sleep(time.Millisecond)
		wantIs(t, works(token), engine.ErrTokenExpired)
		must(t, works(secret.Reveal()))

		// A key that has ended has no successor.
		_, _, _, err = k.RotateKey(ctx, k.Admin, person.KeyID, 0)
		wantField(t, err, "id")

		// An overlap does not lengthen a key's life, and the successor's is the same.
		end := time.Now().Add(time.Hour)
		short, _, _, err := k.CreateKey(ctx, k.Admin, engine.NewKey{Name: "short", ExpiresAt: end})
		must(t, err)
		next, _, _, err = k.RotateKey(ctx, k.Admin, short.ID, 24*time.Hour)
		must(t, err)
		short, err = k.Key(ctx, short.ID)
		must(t, err)
		if !short.ExpiresAt.Equal(end) || !next.ExpiresAt.Equal(end) {
			t.Errorf("%v and %v, want %v", short.ExpiresAt, next.ExpiresAt, end)
		}

		// Without an overlap the old key ends at once.
		_, _, _, err = k.RotateKey(ctx, k.Admin, k.Admin.KeyID, 0)
		must(t, err)
		wantIs(t, works(k.Token), engine.ErrTokenExpired)
		_, _, err = k.CreateUser(ctx, k.Admin, engine.NewUser{Name: "x", Access: engine.AccessView})
		wantIs(t, err, engine.ErrTokenExpired)
	})
}

// TestAKeyIsRotatedOnce: a key that has a successor gets no other, however long
// it works on, and not from an admin either.
func TestAKeyIsRotatedOnce(t *testing.T) {
	k := enginetest.New(t)
	person, token := k.Person("Paul", engine.AccessView)
	_, _, _, err := k.RotateKey(t.Context(), person, person.KeyID, time.Hour)
	must(t, err)
	for _, actor := range []engine.Actor{person, k.Admin} {
		_, _, _, err = k.RotateKey(t.Context(), actor, person.KeyID, time.Hour)
		wantField(t, err, "id")
	}
	_, err = k.Authenticate(t.Context(), token)
	must(t, err)
}

// TestRevokingAKeyRevokesItsSuccessors: what a key made of itself ends with it,
// in one entry; a key that has expired stays as it was.
func TestRevokingAKeyRevokesItsSuccessors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		line, tokens := []string{}, []string{}
		actor, token := k.Person("Paul", engine.AccessView)
		first, other := actor.KeyID, token
		for range 30 {
			next, secret, _, err := k.RotateKey(t.Context(), actor, actor.KeyID, time.Duration(len(line)%3)*time.Hour)
			must(t, err)
			actor.KeyID = next.ID
			line, tokens = append(line, next.ID), append(tokens, secret.Reveal())
			time.Sleep(time.Minute)
		}
		_, err := k.Authenticate(t.Context(), tokens[29])
		must(t, err)
		_, _, err = k.RevokeKey(t.Context(), k.Admin, line[3])
		must(t, err)
		for i, id := range line {
			key, err := k.Key(t.Context(), id)
			must(t, err)
			// Without an overlap every third has ended; those before the fourth live on.
			if revoked := i >= 3 && (i%3 != 2 || i == 29); key.RevokedAt.IsZero() == revoked {
				t.Errorf("%d: %+v", i, key)
			}
		}
		_, err = k.Authenticate(t.Context(), tokens[29])
		wantIs(t, err, engine.ErrTokenRevoked)
		_, err = k.Authenticate(t.Context(), tokens[0])
		must(t, err)
		_, r, err := k.RevokeKey(t.Context(), k.Admin, first)
		must(t, err)
		e, err := k.Entry(t.Context(), r.Seq)
		must(t, err)
		if n, _ := e.Facts["successors"].AsNumber(); n != 2 {
			t.Errorf("%+v", e)
		}
		for _, token := range []string{other, tokens[0], tokens[1]} {
			_, err = k.Authenticate(t.Context(), token)
			wantIs(t, err, engine.ErrTokenRevoked)
		}
	})
}

func TestWhenAKeyWasLastUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		used := func() time.Time {
			t.Helper()
			key, err := k.Key(t.Context(), k.Admin.KeyID)
			must(t, err)
			return key.LastUsedAt
		}
		if !used().IsZero() {
			t.Errorf("used at %v", used())
		}
		time.Sleep(time.Hour)
		_, err := k.Authenticate(t.Context(), k.Token)
		must(t, err)
		at := time.Now().Truncate(time.Millisecond)
		if !used().Equal(at) {
			t.Errorf("used at %v, want %v", used(), at)
		}
		head := k.Head()
		k.Reopen()
		if !used().Equal(at) || k.Head() != head {
			t.Errorf("used at %v, want %v", used(), at)
		}
	})
}
