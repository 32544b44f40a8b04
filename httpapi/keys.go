package httpapi

import (
	"context"
	"time"

	"strongroom/engine"
)

type newKey struct {
	Name      string        `json:"name" required:"true"`
	UserID    string        `json:"userId" doc:"Absent: the caller."`
	Access    engine.Access `json:"access" doc:"Absent: that of the user."`
	ExpiresAt member[Time]  `json:"expiresAt" doc:"Absent or null: never."`
}

type createKeyInput struct {
	Key newKey `body:"json"`
}

func createKey(ctx context.Context, c caller, in createKeyInput) (reply[KeyWithSecret], error) {
	n := engine.NewKey{Name: in.Key.Name, UserID: in.Key.UserID, Access: in.Key.Access}
	if in.Key.ExpiresAt.value != nil {
		n.ExpiresAt = time.Time(*in.Key.ExpiresAt.value)
	}
	k, secret, receipt, err := c.vault.CreateKey(ctx, c.actor, n)
	return shownOnce(k, secret, receipt), err
}

func shownOnce(k engine.Key, secret engine.Secret, r engine.Receipt) reply[KeyWithSecret] {
	return reply[KeyWithSecret]{body: KeyWithSecret{keyOf(k), secret.Reveal()}, receipt: r}
}

func listKeys(ctx context.Context, c caller, in paging) (reply[List[Key]], error) {
	page, err := c.vault.Keys(ctx, in.engine())
	return answer(listOf(page, keyOf)), err
}

type rotation struct {
	OverlapSeconds uint64 `json:"overlapSeconds" max:"2592000" doc:"How long the old key works on; at most 30 days. Absent: it stops at once."`
}

type rotateKeyInput struct {
	ID       string   `path:"id"`
	Rotation rotation `body:"optional"`
}

func rotateKey(ctx context.Context, c caller, in rotateKeyInput) (reply[KeyWithSecret], error) {
	overlap := time.Duration(in.Rotation.OverlapSeconds) * time.Second
	k, secret, receipt, err := c.vault.RotateKey(ctx, c.actor, in.ID, overlap)
	return shownOnce(k, secret, receipt), err
}

type keyInput struct {
	ID string `path:"id"`
}

func revokeKey(ctx context.Context, c caller, in keyInput) (reply[Key], error) {
	k, receipt, err := c.vault.RevokeKey(ctx, c.actor, in.ID)
	return reply[Key]{body: keyOf(k), receipt: receipt}, err
}
