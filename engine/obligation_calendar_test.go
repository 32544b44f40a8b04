package engine_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// The address of a calendar: one for each user, good for nothing else, and none for
// who is closed.
func TestTheAddressOfACalendar(t *testing.T) {
	k := enginetest.New(t)
	grace, _ := k.Person("Grace", engine.AccessView)
	first, receipt, err := k.StartCalendar(t.Context(), grace)
	must(t, err)
	if e, err := k.Entry(t.Context(), receipt.Seq); err != nil || e.Op != audit.OpCalendarStarted {
		t.Errorf("%v %v", e, err)
	}
	reads := func(token string) error {
		u, actor, err := k.Vault.Calendar(t.Context(), token)
		if err == nil && (u.ID != grace.UserID || actor.UserID != grace.UserID || actor.Access != engine.AccessView) {
			t.Errorf("%+v %+v", u, actor)
		}
		return err
	}
	must(t, reads(first.Reveal()))
	if name := engine.CalendarVault(first.Reveal()); name != k.Name() {
		t.Errorf("%q", name)
	}
	if _, err := k.Authenticate(t.Context(), first.Reveal()); !errors.Is(err, engine.ErrInvalidToken) {
		t.Errorf("it is an API key: %v", err)
	}
	gone := func(token string) {
		t.Helper()
		if err := reads(token); !errors.Is(err, engine.ErrCalendarNotFound) {
			t.Errorf("%v", err)
		}
	}
	for _, wrong := range []string{"", "srcal_", k.Token, first.Reveal() + "x", first.Reveal()[:len(first.Reveal())-1], "srcal_" + k.Name() + "_" + k.Admin.UserID + first.Reveal()[len(first.Reveal())-44:]} {
		gone(wrong)
	}
	second, _, err := k.StartCalendar(t.Context(), grace)
	must(t, err)
	gone(first.Reveal())
	must(t, reads(second.Reveal()))
	k.Reopen()
	must(t, reads(second.Reveal()))

	closed, active := engine.UserClosed, engine.UserActive
	_, _, err = k.UpdateUser(t.Context(), k.Admin, grace.UserID, engine.Condition{}, engine.UserPatch{Status: &closed})
	must(t, err)
	gone(second.Reveal())
	if _, _, err := k.StartCalendar(t.Context(), grace); !errors.Is(err, engine.ErrTokenRevoked) {
		t.Errorf("%v", err)
	}
	_, _, err = k.UpdateUser(t.Context(), k.Admin, grace.UserID, engine.Condition{}, engine.UserPatch{Status: &active})
	must(t, err)
	must(t, reads(second.Reveal()))
	if receipt, err := k.EndCalendar(t.Context(), grace); err != nil || receipt.Seq == 0 {
		t.Errorf("%+v %v", receipt, err)
	}
	gone(second.Reveal())
	if receipt, err := k.EndCalendar(t.Context(), grace); err != nil || receipt.Seq != 0 {
		t.Errorf("it ended again: %+v %v", receipt, err)
	}
	_, _, err = k.StartCalendar(t.Context(), engine.Operator())
	wantField(t, err, "user")
}

// An address that was ended, or replaced, after a backup is ended in the vault
// restored from it.
func TestRestoreEndsTheAddressOfACalendar(t *testing.T) {
	k := enginetest.New(t)
	grace, _ := k.Person("Grace", engine.AccessView)
	ada, _ := k.Person("Ada", engine.AccessView)
	tokens := map[string]string{}
	for name, who := range map[string]engine.Actor{"grace": grace, "ada": ada, "kept": k.Admin} {
		token, _, err := k.StartCalendar(t.Context(), who)
		must(t, err)
		tokens[name] = token.Reveal()
	}
	to := filepath.Join(t.TempDir(), "backup")
	backUp(t, k, to)
	_, err := k.EndCalendar(t.Context(), grace)
	must(t, err)
	_, _, err = k.StartCalendar(t.Context(), ada)
	must(t, err)
	r, told := restoredWith(t, k, to, exportSince(t, k, 0))
	for name, token := range tokens {
		if _, _, err := r.Vault.Calendar(t.Context(), token); errors.Is(err, engine.ErrCalendarNotFound) == (name == "kept") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if lost := lostOf(told); !strings.Contains(lost, "the address of the calendar of user "+ada.UserID) {
		t.Errorf("lost:\n%s", lost)
	}
}
