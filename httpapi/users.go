package httpapi

import (
	"context"

	"strongroom/engine"
)

type newUser struct {
	Name             string        `json:"name" required:"true"`
	Email            string        `json:"email" doc:"Unique in the organization, if there is one."`
	Access           engine.Access `json:"access" required:"true"`
	CanLockEnvelopes *bool         `json:"canLockEnvelopes" doc:"Absent: true."`
}

type createUserInput struct {
	User newUser `body:"json"`
}

func createUser(ctx context.Context, c caller, in createUserInput) (reply[User], error) {
	u, receipt, err := c.vault.CreateUser(ctx, c.actor, engine.NewUser{
		Name: in.User.Name, Email: in.User.Email, Access: in.User.Access,
		CannotLockEnvelopes: in.User.CanLockEnvelopes != nil && !*in.User.CanLockEnvelopes,
	})
	return createdUser(u, receipt), err
}

func createdUser(u engine.User, r engine.Receipt) reply[User] {
	out := changedUser(u, r)
	out.location = "/v1/users/" + u.ID
	return out
}

func changedUser(u engine.User, r engine.Receipt) reply[User] {
	return reply[User]{body: userOf(u), revision: u.Revision, receipt: r}
}

func listUsers(ctx context.Context, c caller, in paging) (reply[List[User]], error) {
	page, err := c.vault.Users(ctx, in.engine())
	return answer(listOf(page, userOf)), err
}

type userInput struct {
	ID string `path:"id"`
}

func getUser(ctx context.Context, c caller, in userInput) (reply[User], error) {
	u, err := c.vault.User(ctx, in.ID)
	return changedUser(u, engine.Receipt{}), err
}

type userPatch struct {
	Name             *string            `json:"name"`
	Email            *string            `json:"email"`
	Access           *engine.Access     `json:"access"`
	Status           *engine.UserStatus `json:"status" enum:"active|closed" doc:"The keys of a closed user stop at once."`
	CanLockEnvelopes *bool              `json:"canLockEnvelopes"`
	Identity         member[Identity]   `json:"identity" doc:"Links the user to a person whom an identity provider knows; null ends that."`
}

type updateUserInput struct {
	ID      string    `path:"id"`
	IfMatch ifMatch   `header:"If-Match"`
	Patch   userPatch `body:"merge"`
}

func updateUser(ctx context.Context, c caller, in updateUserInput) (reply[User], error) {
	p := in.Patch
	change := engine.UserPatch{Name: p.Name, Email: p.Email, Access: p.Access, Status: p.Status, CanLockEnvelopes: p.CanLockEnvelopes}
	if to := orZero(p.Identity); to != nil {
		if *to == (Identity{}) && p.Identity.value != nil {
			return reply[User]{}, inBody("identity", "must have an issuer and a subject, or be null")
		}
		change.Identity = &engine.Identity{Issuer: to.Issuer, Subject: to.Subject}
	}
	u, receipt, err := c.vault.UpdateUser(ctx, c.actor, in.ID, in.IfMatch.condition(), change)
	return changedUser(u, receipt), err
}

func getMe(ctx context.Context, c caller, _ struct{}) (reply[Me], error) {
	me := Me{Access: c.actor.Access, Organization: Organization{ID: c.vault.ID(), Name: c.vault.Name()}}
	if c.actor != engine.Operator() && c.actor != engine.System() { // who are no users
		u, err := c.vault.User(ctx, c.actor.UserID)
		if err != nil {
			return reply[Me]{}, err
		}
		user := userOf(u)
		me.User = &user
		me.Access = engine.Meet(me.Access, u.Access) // a host may have said more than the user has
	}
	if c.actor.ClientID != "" {
		me.ClientID = c.actor.ClientID
	} else if c.actor.KeyID != "" {
		k, err := c.vault.Key(ctx, c.actor.KeyID)
		if err != nil {
			return reply[Me]{}, err
		}
		key := keyOf(k)
		me.Key = &key
	}
	return answer(me), nil
}
