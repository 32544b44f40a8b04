package engine

import (
	"context"
	"slices"

	"strongroom/audit"
)

// The calls that change rules, users, clients and the settings, as deeds.

type policyCreate struct {
	Name       string      `json:"name"`
	Scope      Scope       `json:"scope"`
	Target     string      `json:"target,omitempty"`
	Period     Period      `json:"period,omitempty"`
	PeriodDays uint64      `json:"periodDays,omitempty"`
	Action     Action      `json:"action"`
	StartFrom  Start       `json:"startFrom,omitempty"`
	StartAt    StartAt     `json:"startAt,omitempty"`
	Protect    Protect     `json:"protect,omitempty"`
	Disabled   bool        `json:"disabled,omitempty"`
	PlanDigest *audit.Hash `json:"planDigest,omitempty"`
}

func (d *policyCreate) judged(t *tx) (string, error) { return t.rulesState() }

func (d *policyCreate) run(v *Vault, ctx context.Context, actor Actor) (any, Receipt, error) {
	return boxed(v.CreatePolicy(ctx, actor, NewPolicy(*d)))
}

type policyUpdate struct {
	Policy  string      `json:"policyId"`
	IfMatch []uint64    `json:"ifMatch,omitempty"`
	Patch   policyPatch `json:"change"`
}

type policyPatch struct {
	Name       *string     `json:"name,omitempty"`
	Scope      *Scope      `json:"scope,omitempty"`
	Target     *string     `json:"target,omitempty"`
	Period     *Period     `json:"period,omitempty"`
	PeriodDays *uint64     `json:"periodDays,omitempty"`
	Action     *Action     `json:"action,omitempty"`
	StartFrom  *Start      `json:"startFrom,omitempty"`
	StartAt    *StartAt    `json:"startAt,omitempty"`
	Protect    *Protect    `json:"protect,omitempty"`
	Enabled    *bool       `json:"enabled,omitempty"`
	Confirm    string      `json:"confirm,omitempty"`
	PlanDigest *audit.Hash `json:"planDigest,omitempty"`
}

func (d *policyUpdate) judged(t *tx) (string, error) { return t.rulesState() }

func (d *policyUpdate) run(v *Vault, ctx context.Context, actor Actor) (any, Receipt, error) {
	return boxed(v.UpdatePolicy(ctx, actor, d.Policy, Condition{IfMatch: d.IfMatch}, PolicyPatch(d.Patch)))
}

type policyDelete struct {
	Policy  string   `json:"policyId"`
	IfMatch []uint64 `json:"ifMatch,omitempty"`
}

func (d *policyDelete) judged(t *tx) (string, error) { return t.rulesState() }

func (d *policyDelete) run(v *Vault, ctx context.Context, actor Actor) (any, Receipt, error) {
	return boxed(v.DeletePolicy(ctx, actor, d.Policy, Condition{IfMatch: d.IfMatch}))
}

// weakens says whether a policy deletes from now on, sooner or other documents, or
// protects less. One that deletes no more lets a wider one delete what it kept
// longer. The zero old is none, and so is the zero p.
func weakens(old, p Policy) bool {
	deletes := func(p *Policy) bool { return p.Enabled && p.Action == ActionDelete }
	was, is := old.forRules(nil), p.forRules(nil)
	moved := was.Scope != is.Scope || was.Target != is.Target || was.Start != is.Start
	switch {
	case old.ID == "" || p.ID == "":
		return old.ID != "" || deletes(&p)
	case deletes(&p) != deletes(&old), old.Enabled && !p.Enabled:
		return true
	case moved && (old.Enabled || p.Enabled):
		return true
	case old.Protect == ProtectNone || old.Protect == p.Protect || p.Protect == ProtectCompliance:
		return !is.Period.NeverShorter(was.Period)
	}
	return true
}

// policyNeedsTwo guards a change of a policy, which is the call d.
func (t *tx) policyNeedsTwo(old, p Policy, d deed) error {
	if !weakens(old, p) {
		return nil
	}
	return t.needsTwo(CoveredPolicyWeaken, d)
}

type settingsUpdate struct {
	IfMatch []uint64      `json:"ifMatch,omitempty"`
	Patch   settingsPatch `json:"change"`
}

type settingsPatch struct {
	Categories        *[]string   `json:"categories,omitempty"`
	RetentionConflict *Conflict   `json:"retentionConflict,omitempty"`
	RetentionRunAt    *string     `json:"retentionRunAt,omitempty"`
	TimeZone          *string     `json:"timeZone,omitempty"`
	ReminderDays      *[]uint64   `json:"reminderDays,omitempty"`
	AuditReads        *bool       `json:"auditReads,omitempty"`
	MaxClockGapDays   *uint64     `json:"maxClockGapDays,omitempty"`
	Paused            *bool       `json:"paused,omitempty"`
	SearchLanguage    *string     `json:"searchLanguage,omitempty"`
	MaxVersions       *uint64     `json:"maxVersions,omitempty"`
	RestrictDeferred  *bool       `json:"restrictDeferred,omitempty"`
	SignInByKey       *bool       `json:"signInByKey,omitempty"`
	TwoPersons        *[]Covered  `json:"twoPersons,omitempty"`
	PlanDigest        *audit.Hash `json:"planDigest,omitempty"`
}

func (d *settingsUpdate) judged(t *tx) (string, error) {
	return string(t.Get(bucketSettings, settingsKey)), nil
}

func (d *settingsUpdate) run(v *Vault, ctx context.Context, actor Actor) (any, Receipt, error) {
	return boxed(v.UpdateSettings(ctx, actor, Condition{IfMatch: d.IfMatch}, SettingsPatch(d.Patch)))
}

// settingsNeedTwo guards a change of the settings.
func (t *tx) settingsNeedTwo(cond Condition, p SettingsPatch) error {
	old, err := t.settings()
	if err == nil {
		err = t.may(AccessAdmin)
	}
	if err == nil {
		err = cond.IfMatch.check(old.Revision)
	}
	if err != nil {
		return err
	}
	p.Categories, p.ReminderDays, p.TwoPersons = given(p.Categories), given(p.ReminderDays), given(p.TwoPersons)
	s, d := p.apply(old), &settingsUpdate{cond.IfMatch, settingsPatch(p)}
	if !slices.Equal(old.TwoPersons, s.TwoPersons) {
		if len(old.TwoPersons) == 0 {
			return t.twoAdmins()
		}
		return t.needsTwo(CoveredSettings, d)
	}
	if s.RetentionConflict != old.RetentionConflict || s.MaxClockGapDays > old.MaxClockGapDays {
		return t.needsTwo(CoveredPolicyWeaken, d)
	}
	return nil
}

// given spells an empty list as one, which nil would not be in JSON.
func given[T any](list *[]T) *[]T {
	if list != nil && *list == nil {
		return &[]T{}
	}
	return list
}

// uncovers says whether something needs two persons no more.
func uncovers(old, is []Covered) bool {
	return slices.ContainsFunc(old, func(what Covered) bool { return !slices.Contains(is, what) })
}

// twoAdmins guards that somebody could approve what another asks for.
func (t *tx) twoAdmins() error {
	admins := 0
	c := t.Cursor(bucketUsers)
	for k, b := c.First(); k != nil && admins < 2; k, b = c.Next() {
		u, err := decodeUser(id(k), b)
		if err != nil {
			return err
		}
		if u.leads() {
			admins++
		}
	}
	if admins < 2 {
		return invalid("twoPersons", "takes two active admins, and this vault has not so many; make another first")
	}
	return nil
}

type userCreate struct {
	Name                string `json:"name"`
	Email               string `json:"email,omitempty"`
	Access              Access `json:"access"`
	CannotLockEnvelopes bool   `json:"cannotLockEnvelopes,omitempty"`
}

// judged: there is no such user yet.
func (d *userCreate) judged(*tx) (string, error) { return "", nil }

func (d *userCreate) run(v *Vault, ctx context.Context, actor Actor) (any, Receipt, error) {
	return boxed(v.CreateUser(ctx, actor, NewUser(*d)))
}

type userUpdate struct {
	User    string    `json:"userId"`
	IfMatch []uint64  `json:"ifMatch,omitempty"`
	Patch   userPatch `json:"change"`
}

type userPatch struct {
	Name             *string     `json:"name,omitempty"`
	Email            *string     `json:"email,omitempty"`
	Access           *Access     `json:"access,omitempty"`
	Status           *UserStatus `json:"status,omitempty"`
	CanLockEnvelopes *bool       `json:"canLockEnvelopes,omitempty"`
	Identity         *Identity   `json:"identity,omitempty"`
}

func (d *userUpdate) judged(t *tx) (string, error) { return t.rowState(bucketUsers, d.User), nil }

func (d *userUpdate) run(v *Vault, ctx context.Context, actor Actor) (any, Receipt, error) {
	return boxed(v.UpdateUser(ctx, actor, d.User, Condition{IfMatch: d.IfMatch}, UserPatch(d.Patch)))
}

// strengthens says whether a change makes somebody an admin, or lets an admin in
// again.
func (u *User) strengthens(old User) bool {
	return u.Access == AccessAdmin && (old.Access != AccessAdmin || u.Status == UserActive && old.Status != UserActive)
}

// IssuedClient is a client that was made, or given another secret, with its secret.
type IssuedClient struct {
	Client Client
	Secret Secret
}

type clientCreate struct {
	Name         string   `json:"name"`
	Grants       []Grant  `json:"grants"`
	Access       Access   `json:"access"`
	UserID       string   `json:"userId,omitempty"`
	Impersonates bool     `json:"impersonates,omitempty"`
	RedirectURIs []string `json:"redirectUris,omitempty"`
	PublicKey    string   `json:"publicKey,omitempty"`
}

func (d *clientCreate) judged(t *tx) (string, error) { return t.rowState(bucketUsers, d.UserID), nil }

func (d *clientCreate) run(v *Vault, ctx context.Context, actor Actor) (any, Receipt, error) {
	c, shown, receipt, err := v.CreateClient(ctx, actor, NewClient(*d))
	return IssuedClient{c, shown}, receipt, err
}

type clientUpdate struct {
	Client  string      `json:"clientId"`
	IfMatch []uint64    `json:"ifMatch,omitempty"`
	Patch   clientPatch `json:"change"`
}

type clientPatch struct {
	Name         *string       `json:"name,omitempty"`
	Grants       *[]Grant      `json:"grants,omitempty"`
	Access       *Access       `json:"access,omitempty"`
	UserID       *string       `json:"userId,omitempty"`
	Impersonates *bool         `json:"impersonates,omitempty"`
	RedirectURIs *[]string     `json:"redirectUris,omitempty"`
	PublicKey    *string       `json:"publicKey,omitempty"`
	Status       *ClientStatus `json:"status,omitempty"`
}

func (d *clientUpdate) judged(t *tx) (string, error) { return t.clientState(d.Client) }

func (d *clientUpdate) run(v *Vault, ctx context.Context, actor Actor) (any, Receipt, error) {
	return boxed(v.UpdateClient(ctx, actor, d.Client, Condition{IfMatch: d.IfMatch}, ClientPatch(d.Patch)))
}

type clientRotate struct {
	Client  string   `json:"clientId"`
	IfMatch []uint64 `json:"ifMatch,omitempty"`
}

func (d *clientRotate) judged(t *tx) (string, error) { return t.clientState(d.Client) }

func (d *clientRotate) run(v *Vault, ctx context.Context, actor Actor) (any, Receipt, error) {
	c, shown, receipt, err := v.RotateClient(ctx, actor, d.Client, Condition{IfMatch: d.IfMatch})
	return IssuedClient{c, shown}, receipt, err
}

// clientState spells a client, and the user it acts as.
func (t *tx) clientState(clientID string) (string, error) {
	c, err := t.client(clientID)
	if err != nil {
		return "", err
	}
	return t.rowState(bucketClients, c.ID) + t.rowState(bucketUsers, c.UserID), nil
}
