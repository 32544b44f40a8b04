package engine

import (
	"context"
	"crypto/sha256"
	"errors"

	"strongroom/audit"
	"strongroom/engine/internal/secret"
)

// StartCalendar makes the token of the address at which a user's obligations are
// read as a calendar, and returns it, which is shown this once. It is the user who
// acts, with whatever access. The address before ends. The token is good for
// [Vault.Calendar] alone. *InvalidError for an actor that is no user.
func (v *Vault) StartCalendar(ctx context.Context, actor Actor) (Secret, Receipt, error) {
	random := secret.NewKey()
	u, receipt, err := update(v, ctx, actor, func(t *tx) (User, audit.Event, error) {
		u, err := t.itself()
		if err != nil {
			return User{}, audit.Event{}, err
		}
		old := u
		u.calendar = random.Hash()
		t.storeUser(old, u)
		return u, audit.Event{Op: audit.OpCalendarStarted, Facts: audit.Facts{
			"user": audit.Text(u.ID), "secret": digestOf(u.calendar[:]),
		}}, nil
	})
	if err != nil {
		return Secret{}, Receipt{}, err
	}
	return Secret{random.CalendarToken(v.name, u.ID)}, receipt, nil
}

// EndCalendar ends the address of the calendar of the user who acts. Where there is
// none, nothing is written.
func (v *Vault) EndCalendar(ctx context.Context, actor Actor) (Receipt, error) {
	_, receipt, err := update(v, ctx, actor, func(t *tx) (struct{}, audit.Event, error) {
		u, err := t.itself()
		if err != nil {
			return struct{}{}, audit.Event{}, err
		}
		return struct{}{}, t.endCalendar(u), nil
	})
	return receipt, err
}

func (t *tx) endCalendar(u User) audit.Event {
	if u.calendar == [sha256.Size]byte{} {
		return audit.Event{}
	}
	old := u
	u.calendar = [sha256.Size]byte{}
	t.storeUser(old, u)
	return audit.Event{Op: audit.OpCalendarEnded, Facts: audit.Facts{"user": audit.Text(u.ID)}}
}

// itself is the user who acts.
func (t *tx) itself() (User, error) {
	if err := t.may(AccessView); err != nil {
		return User{}, err
	}
	u, err := t.user(t.actor.UserID)
	if errors.Is(err, ErrUserNotFound) {
		err = invalid("user", "must be a user of this vault, who has obligations")
	}
	return u, err
}

// Calendar returns the user whose calendar's address has this token, and the actor
// whose view of the vault the calendar is of (see [Vault.As]). ErrCalendarNotFound
// for a token that is none, or not any more, and while the user is closed.
func (v *Vault) Calendar(ctx context.Context, token string) (User, Actor, error) {
	given := secret.ParseCalendarToken(token)
	u, err := peek(v, func(t *tx) (User, error) {
		u, err := t.user(given.KeyID)
		if err != nil && !errors.Is(err, ErrUserNotFound) {
			return User{}, err
		}
		// As much work for a user there is not as for one there is.
		if !given.Fits(u.calendar) || err != nil || given.Vault != v.name || u.Status != UserActive {
			return User{}, ErrCalendarNotFound
		}
		return u, nil
	})
	return u, Actor{UserID: u.ID, Access: u.Access}, err
}

// CalendarVault returns the name of the vault a calendar's token says it is for, ""
// if it is none. It proves nothing: Calendar does.
func CalendarVault(token string) string { return secret.ParseCalendarToken(token).Vault }
