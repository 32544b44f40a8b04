package engine_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"

	"go.etcd.io/bbolt"
)

const issuer = "https://id.example.com"

// coming is an arrival of somebody whose groups give some access.
func coming(subject string, access engine.Access) engine.Arrival {
	return engine.Arrival{
		Identity: engine.Identity{Issuer: issuer, Subject: subject}, Name: "Person " + subject,
		Email: subject + "@example.com", Access: access,
	}
}

func arrives(k *enginetest.Kit, a engine.Arrival) engine.User {
	k.TB.Helper()
	u, err := k.Arrive(k.TB.Context(), a)
	must(k.TB, err)
	return u
}

func patchUser(k *enginetest.Kit, id string, p engine.UserPatch) engine.User {
	k.TB.Helper()
	u, _, err := k.UpdateUser(k.TB.Context(), k.Admin, id, engine.Condition{}, p)
	must(k.TB, err)
	return u
}

// comerOf makes people who come through a provider in all ways there are, and
// returns one who is there.
func comerOf(t *testing.T, k *enginetest.Kit) engine.User {
	t.Helper()
	arrives(k, coming("leaver", engine.AccessView))
	if _, err := k.Arrive(t.Context(), coming("leaver", engine.AccessNone)); !errors.Is(err, engine.ErrNoGroup) {
		t.Fatal(err)
	}
	once := arrives(k, coming("once", engine.AccessView))
	patchUser(k, once.ID, engine.UserPatch{Identity: &engine.Identity{}})
	arrives(k, coming("comer", engine.AccessView))
	return arrives(k, coming("comer", engine.AccessUpload))
}

// comers tampers with a record and the row by which it is found.
func (e *evidence) comers() []tamper {
	const state, index = engine.CodeState, engine.CodeIndex
	user, row := engine.KeyOf(e.comer.ID), []byte(issuer+"\x00comer")
	account := func(fn func(*engine.User)) func(*bbolt.Tx) error {
		return edit("users", user, func(k, b []byte) []byte { return engine.EditUser(k, b, fn) })
	}
	return []tamper{
		{name: "issuer of a user", code: state, db: account(func(u *engine.User) { u.Identity.Issuer = "https://evil.example.com" })},
		{name: "subject of a user", code: state, db: account(func(u *engine.User) { u.Identity.Subject = "somebody" })},
		{name: "a user is not linked", code: state, db: account(func(u *engine.User) { u.Identity = engine.Identity{} })},
		{name: "no provider made a user", code: state, db: account(func(u *engine.User) { u.Provided = false })},
		{name: "a user has left", code: state, db: account(func(u *engine.User) { u.Left = true })},
		{name: "a user came later", code: state, db: account(func(u *engine.User) { u.SeenAt = u.SeenAt.Add(time.Hour) })},
		{name: "a user never came", code: state, db: account(func(u *engine.User) { u.SeenAt = time.Time{} })},
		{name: "no identity row", code: index, db: drop("identities", row)},
		{name: "an identity row of another", code: index, db: put("identities", row, engine.KeyOf(e.user.ID))},
		{name: "an identity row too many", code: index, db: put("identities", []byte(issuer+"\x00else"), user)},
		{name: "an identity row of nobody", code: index, db: put("identities", []byte(issuer+"\x00else"), nil)},
		{name: "a linked user nobody linked", code: state, db: func(b *bbolt.Tx) error {
			who := engine.KeyOf(e.user.ID)
			if err := put("identities", []byte(issuer+"\x00else"), who)(b); err != nil {
				return err
			}
			return edit("users", who, func(k, b []byte) []byte {
				return engine.EditUser(k, b, func(u *engine.User) { u.Identity = engine.Identity{Issuer: issuer, Subject: "else"} })
			})(b)
		}},
	}
}

// A user is made at the first time if a group maps, and is the same ever after,
// whatever her name and address are then.
func TestWhoComesForTheFirstTime(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	if _, err := k.Arrive(ctx, coming("a", engine.AccessNone)); !errors.Is(err, engine.ErrNoGroup) {
		t.Errorf("with no group: %v", err)
	}
	u := arrives(k, coming("a", engine.AccessUpload))
	if u.Name != "Person a" || u.Email != "a@example.com" || u.Access != engine.AccessUpload || !u.Provided || u.SeenAt.IsZero() || u.Identity.Subject != "a" {
		t.Errorf("%+v", u)
	}
	other := coming("a", engine.AccessUpload)
	other.Name, other.Email = "Another Name", "another@example.com"
	if again := arrives(k, other); again.ID != u.ID || again.Email != u.Email || again.Revision != u.Revision {
		t.Errorf("%+v, was %+v", again, u)
	}
	other.Issuer = "https://other.example.com"
	if again := arrives(k, other); again.ID == u.ID {
		t.Error("the same subject of another issuer is the same user")
	}
	odd := coming("odd", engine.AccessView)
	odd.Name, odd.Email = strings.Repeat("x", 5000), "no address"
	if u := arrives(k, odd); u.Name != "odd" || u.Email != "" {
		t.Errorf("%+v", u)
	}
	for _, subject := range []string{"", "a\x00b", "ü", strings.Repeat("x", 256), `a"b`} {
		_, err := k.Arrive(ctx, coming(subject, engine.AccessView))
		wantField(t, err, "identity.subject")
	}
}

// An address binds nobody: an admin does.
func TestAnAddressLinksNobody(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	local, _, err := k.CreateUser(ctx, k.Admin, engine.NewUser{Name: "Zoe", Email: "Zoe@Example.com", Access: engine.AccessAdmin})
	must(t, err)
	before := k.Head()
	unbound, ok := errors.AsType[*engine.UnboundError](errOf(k.Arrive(ctx, coming("zoe", engine.AccessView))))
	if !ok || unbound.Identity != (engine.Identity{Issuer: issuer, Subject: "zoe"}) {
		t.Fatalf("not refused: %v", unbound)
	}
	if k.Head() != before {
		t.Error("a refusal wrote something")
	}
	link := unbound.Identity
	if u := patchUser(k, local.ID, engine.UserPatch{Identity: &link}); u.Identity != link || u.Provided {
		t.Errorf("%+v", u)
	}
	if u := arrives(k, coming("zoe", engine.AccessView)); u.ID != local.ID || u.Access != engine.AccessView {
		t.Errorf("%+v", u)
	}
	_, _, err = k.UpdateUser(ctx, k.Admin, k.Admin.UserID, engine.Condition{}, engine.UserPatch{Identity: &link})
	if exists, ok := errors.AsType[*engine.ExistsError](err); !ok || exists.ID != local.ID || exists.Field != "identity" {
		t.Errorf("one identity of two users: %v", err)
	}
	patchUser(k, local.ID, engine.UserPatch{Identity: &engine.Identity{}})
	if _, ok := errors.AsType[*engine.UnboundError](errOf(k.Arrive(ctx, coming("zoe", engine.AccessView)))); !ok {
		t.Error("linked still")
	}
}

func errOf[T any](_ T, err error) error { return err }

// Groups decide at each time: access follows them, who has lost the last is closed,
// and comes back with one, unless an admin has closed her.
func TestGroupsDecide(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	u := arrives(k, coming("a", engine.AccessView))
	_, secret, _, err := k.CreateKey(ctx, k.Admin, engine.NewKey{Name: "a", UserID: u.ID})
	must(t, err)
	for _, access := range []engine.Access{engine.AccessAdmin, engine.AccessAuditor, engine.AccessUpload} {
		if now := arrives(k, coming("a", access)); now.Access != access {
			t.Errorf("access %s, want %s", now.Access, access)
		}
	}
	for range 2 {
		if _, err := k.Arrive(ctx, coming("a", engine.AccessNone)); !errors.Is(err, engine.ErrNoGroup) {
			t.Fatalf("with no group any more: %v", err)
		}
	}
	if now, err := k.User(ctx, u.ID); err != nil || now.Status != engine.UserClosed || !now.Left {
		t.Errorf("%+v, %v", now, err)
	}
	if _, err := k.Authenticate(ctx, secret.Reveal()); !errors.Is(err, engine.ErrTokenRevoked) {
		t.Errorf("her key: %v", err)
	}
	if now := arrives(k, coming("a", engine.AccessView)); now.Status != engine.UserActive || now.Left {
		t.Errorf("%+v", now)
	}
	_, err = k.Arrive(ctx, coming("a", engine.AccessNone))
	if !errors.Is(err, engine.ErrNoGroup) {
		t.Fatal(err)
	}
	closed := engine.UserClosed
	patchUser(k, u.ID, engine.UserPatch{Status: &closed})
	if _, err := k.Arrive(ctx, coming("a", engine.AccessAdmin)); !errors.Is(err, engine.ErrTokenRevoked) {
		t.Errorf("closed by an admin: %v", err)
	}
	page, err := k.Entries(ctx, engine.EntryQuery{Limit: 500})
	must(t, err)
	var ops []string
	for _, e := range page.Items {
		if id, _ := e.Facts["user"].AsText(); id == u.ID && (e.Op == audit.OpUserUpdated || e.Op == audit.OpUserIdentified) {
			left, _ := e.Facts["left"].AsText()
			ops = append(ops, string(e.Op)+left)
		}
	}
	const want = "user.updated user.identified user.updated user.identified user.updated user.identified user.updatedtrue user.updated user.identified user.updatedtrue user.updated"
	if got := strings.Join(ops, " "); got != want {
		t.Errorf("entries %s", got)
	}
}

// The last admin stays: neither lowered nor closed, whatever the groups say.
func TestTheLastAdminStaysWhateverGroupsSay(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	u := arrives(k, coming("a", engine.AccessAdmin))
	closed := engine.UserClosed
	patchUser(k, k.Admin.UserID, engine.UserPatch{Status: &closed})
	if now := arrives(k, coming("a", engine.AccessView)); now.Access != engine.AccessAdmin {
		t.Errorf("lowered: %+v", now)
	}
	if _, err := k.Arrive(ctx, coming("a", engine.AccessNone)); !errors.Is(err, engine.ErrNoGroup) {
		t.Errorf("with no group: %v", err)
	}
	if now, err := k.User(ctx, u.ID); err != nil || now.Status != engine.UserActive || now.Access != engine.AccessAdmin {
		t.Errorf("%+v, %v", now, err)
	}
	arrives(k, coming("b", engine.AccessAdmin))
	if now := arrives(k, coming("a", engine.AccessView)); now.Access != engine.AccessView {
		t.Errorf("not the last any more: %+v", now)
	}
}

// Whom a provider made a user has to come through it now and then.
func TestSignInAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		ctx := t.Context()
		u := arrives(k, coming("a", engine.AccessUpload))
		_, secret, _, err := k.CreateKey(ctx, k.Admin, engine.NewKey{Name: "a", UserID: u.ID})
		must(t, err)
		link := engine.Identity{Issuer: issuer, Subject: "admin"}
		patchUser(k, k.Admin.UserID, engine.UserPatch{Identity: &link}) // whom no provider made
		k.SignInAgain(7 * 24 * time.Hour)
		refused := func(want error) {
			t.Helper()
			if _, err := k.Authenticate(ctx, secret.Reveal()); !errors.Is(err, want) {
				t.Errorf("her key: %v, want %v", err, want)
			}
			if _, _, err := k.Admit(ctx, engine.Actor{UserID: u.ID, Access: engine.AccessUpload}); !errors.Is(err, want) {
				t.Errorf("her session: %v, want %v", err, want)
			}
			upload := k.Upload("text")
			defer upload.Discard()
			if _, _, err := k.CreateDocument(ctx, engine.Actor{UserID: u.ID, Access: engine.AccessUpload}, engine.NewDocument{Name: "a"}, upload); !errors.Is(err, want) {
				t.Errorf("her upload: %v, want %v", err, want)
			}
			if _, err := k.Authenticate(ctx, k.Token); err != nil {
				t.Errorf("the admin: %v", err)
			}
		}
		time.Sleep(7 * 24 * time.Hour)
		refused(nil)
		time.Sleep(time.Second)
		refused(engine.ErrSignInAgain)
		arrives(k, coming("a", engine.AccessUpload))
		refused(nil)
		time.Sleep(8 * 24 * time.Hour)
		refused(engine.ErrSignInAgain)
		k.SignInAgain(0)
		refused(nil)
	})
}

// Keys open the console until an admin has come another way.
func TestSignInByKeyStaysUntilAnAdminHasCome(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	off := func() error {
		_, _, err := k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{SignInByKey: new(false)})
		return err
	}
	is := func(want bool) {
		t.Helper()
		if s, err := k.Settings(ctx); err != nil || s.SignInByKey != want {
			t.Errorf("%v, %v", s.SignInByKey, err)
		}
	}
	is(true)
	wantField(t, off(), "signInByKey")
	patchUser(k, k.Admin.UserID, engine.UserPatch{Identity: &engine.Identity{Issuer: issuer, Subject: "admin"}})
	arrives(k, coming("other", engine.AccessUpload))
	wantField(t, off(), "signInByKey")
	arrives(k, coming("admin", engine.AccessAdmin))
	must(t, off())
	is(false)
	k.Reopen()
	is(false)
	if _, err := k.Authenticate(ctx, k.Token); err != nil {
		t.Errorf("keys of the API: %v", err)
	}
}

// Who is erased is nobody to the provider any more: she comes as somebody new.
func TestErasureForgetsTheIdentity(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	u := arrives(k, coming("a", engine.AccessView))
	_, err := k.Arrive(t.Context(), coming("a", engine.AccessNone))
	if !errors.Is(err, engine.ErrNoGroup) {
		t.Fatal(err)
	}
	_, _, err = k.RequestErasure(t.Context(), k.Admin, engine.NewErasure{UserID: u.ID, LegalBasis: "Art. 17", Requester: "case 1"})
	must(t, err)
	sweep(k)
	if gone, err := k.User(t.Context(), u.ID); err != nil || gone.Identity != (engine.Identity{}) || gone.Name != "erased user" {
		t.Errorf("%+v, %v", gone, err)
	}
	if again := arrives(k, coming("a", engine.AccessView)); again.ID == u.ID {
		t.Error("the same user")
	}
	k.Check()
}

// A restore with the log since links and closes again; whom somebody was linked to
// lets more in, so it takes a head.
func TestRestoreRepeatsIdentities(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	leaver, unlinked := arrives(k, coming("leaver", engine.AccessView)), arrives(k, coming("unlinked", engine.AccessView))
	local, _ := k.Person("local", engine.AccessView)
	to := filepath.Join(t.TempDir(), "backup")
	backUp(t, k, to)
	_, err := k.Arrive(ctx, coming("leaver", engine.AccessNone))
	if !errors.Is(err, engine.ErrNoGroup) {
		t.Fatal(err)
	}
	patchUser(k, unlinked.ID, engine.UserPatch{Identity: &engine.Identity{}})
	narrow := exportSince(t, k, 0)
	r, _ := restoredWith(t, k, to, narrow)
	if u, err := r.User(ctx, leaver.ID); err != nil || u.Status != engine.UserClosed || !u.Left {
		t.Errorf("who had left: %+v, %v", u, err)
	}
	if u, err := r.User(ctx, unlinked.ID); err != nil || u.Identity != (engine.Identity{}) {
		t.Errorf("who was linked no more: %+v, %v", u, err)
	}
	patchUser(k, local.UserID, engine.UserPatch{Identity: &engine.Identity{Issuer: issuer, Subject: "unlinked"}})
	arrives(k, coming("new", engine.AccessView))
	s := exportSince(t, k, 0)
	refusedWith(t, "a link without a head", to, engine.RestoreOptions{Log: bytes.NewReader(s.log), Details: bytes.NewReader(s.details)}, "lets user")
	r, _ = restoredWith(t, k, to, s, s.head)
	if u, err := r.User(ctx, local.UserID); err != nil || u.Identity.Subject != "unlinked" {
		t.Errorf("who was linked: %+v, %v", u, err)
	}
}

// TestGroupsMakeNobodyAdminAlone: while making an admin needs two persons, groups do
// not, and nobody gets to be another admin by a link that one alone made.
func TestGroupsMakeNobodyAdminAlone(t *testing.T) {
	k := enginetest.New(t)
	other, _ := k.Person("Bert Both", engine.AccessAdmin)
	before := arrives(k, coming("before", engine.AccessAdmin))
	_, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{TwoPersons: &[]engine.Covered{engine.CoveredErasure}})
	must(t, err)
	if u := arrives(k, coming("first", engine.AccessAdmin)); u.Access != engine.AccessUpload {
		t.Errorf("who is new is %v", u.Access)
	}
	arrives(k, coming("viewer", engine.AccessView))
	if u := arrives(k, coming("viewer", engine.AccessAdmin)); u.Access != engine.AccessUpload {
		t.Errorf("who was raised is %v", u.Access)
	}
	if u := arrives(k, coming("before", engine.AccessAdmin)); u.Access != engine.AccessAdmin || u.ID != before.ID {
		t.Errorf("who was one already is %v", u.Access)
	}
	_, _, err = k.UpdateUser(t.Context(), k.Admin, other.UserID, engine.Condition{}, engine.UserPatch{Identity: &engine.Identity{Issuer: issuer, Subject: "mine"}})
	if _, needs := errors.AsType[*engine.NeedsTwoError](err); !needs {
		t.Errorf("one alone linked an admin: %v", err)
	}
}

// Where making an admin needs two persons, groups raise nobody to it, and take from
// nobody what reads all and changes nothing. Who is one stays one.
func TestGroupsWhereTwoPersonsAreNeeded(t *testing.T) {
	k := newPair(t)
	comes := func(subject string, access engine.Access) engine.Access {
		t.Helper()
		return arrives(k.Kit, coming(subject, access)).Access
	}
	before := map[string]engine.Access{"v": engine.AccessView, "u": engine.AccessUpload, "a": engine.AccessAuditor, "root": engine.AccessAdmin, "left": engine.AccessAdmin, "leftA": engine.AccessAuditor}
	for subject, access := range before {
		comes(subject, access)
	}
	for _, subject := range []string{"left", "leftA"} {
		if _, err := k.Arrive(t.Context(), coming(subject, engine.AccessNone)); !errors.Is(err, engine.ErrNoGroup) {
			t.Fatal(err)
		}
	}
	k.cover(engine.CoveredErasure)
	for subject, want := range map[string]engine.Access{
		"new": engine.AccessUpload, "v": engine.AccessUpload, "u": engine.AccessUpload, "a": engine.AccessAuditor,
		"root": engine.AccessAdmin, "left": engine.AccessUpload, "leftA": engine.AccessAuditor,
	} {
		for range 2 { // the second time changes nothing
			if got := comes(subject, engine.AccessAdmin); got != want {
				t.Errorf("%s, whom groups make an admin, is %s and not %s", subject, got, want)
			}
		}
	}
	if got := comes("a", engine.AccessUpload); got != engine.AccessUpload { // groups say otherwise now
		t.Errorf("an auditor whose groups give upload access has %s", got)
	}
	if got := comes("v2", engine.AccessAuditor); got != engine.AccessAuditor {
		t.Errorf("an auditor by group has %s", got)
	}
}
