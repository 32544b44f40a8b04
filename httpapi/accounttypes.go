package httpapi

import "strongroom/engine"

// User is a person of the vault.
type User struct {
	ID               string        `json:"id"`
	Name             string        `json:"name"`
	Email            string        `json:"email"`
	Access           engine.Access `json:"access"`
	Status           string        `json:"status" enum:"active|closed"`
	CanLockEnvelopes bool          `json:"canLockEnvelopes"`
	Identity         *Identity     `json:"identity" null:"none" doc:"By which an identity provider knows this user; null: none does."`
	SeenAt           Time          `json:"seenAt" null:"never" doc:"When this user last came through the identity provider."`
	CreatedAt        Time          `json:"createdAt"`
	UpdatedAt        Time          `json:"updatedAt"`
	Revision         uint64        `json:"revision" doc:"It is the ETag."`
}

// Identity is a person as an identity provider knows her.
type Identity struct {
	Issuer  string `json:"issuer" doc:"The URL of the provider, as it names itself."`
	Subject string `json:"subject" doc:"The person, as the provider names her."`
}

func userOf(u engine.User) User {
	var identity *Identity
	if u.Identity != (engine.Identity{}) {
		identity = &Identity{u.Identity.Issuer, u.Identity.Subject}
	}
	return User{
		Identity: identity, SeenAt: Time(u.SeenAt),
		ID: u.ID, Name: u.Name, Email: u.Email, Access: u.Access, Status: string(u.Status),
		CanLockEnvelopes: u.CanLockEnvelopes, CreatedAt: Time(u.CreatedAt), UpdatedAt: Time(u.UpdatedAt), Revision: u.Revision,
	}
}

// Key is an API key without its secret, which the vault does not know.
type Key struct {
	ID         string        `json:"id"`
	Name       string        `json:"name"`
	Prefix     string        `json:"prefix" doc:"What its token begins with, to tell keys apart."`
	UserID     string        `json:"userId"`
	Access     engine.Access `json:"access" doc:"May be narrower than its user's; the lower of the two counts."`
	CreatedAt  Time          `json:"createdAt"`
	ExpiresAt  Time          `json:"expiresAt" null:"never"`
	LastUsedAt Time          `json:"lastUsedAt" null:"never"`
	RevokedAt  Time          `json:"revokedAt" null:"never"`
}

func keyOf(k engine.Key) Key {
	return Key{
		ID: k.ID, Name: k.Name, Prefix: k.Prefix, UserID: k.UserID, Access: k.Access, CreatedAt: Time(k.CreatedAt),
		ExpiresAt: Time(k.ExpiresAt), LastUsedAt: Time(k.LastUsedAt), RevokedAt: Time(k.RevokedAt),
	}
}

// KeyWithSecret is a key with its secret, which is shown this once.
type KeyWithSecret struct {
	Key
	Secret string `json:"secret" doc:"The token: send it as Authorization: Bearer. It is not shown again."`
}

// Me is who asks.
type Me struct {
	User         *User         `json:"user,omitempty" doc:"Absent for the operator, who is no user."`
	Key          *Key          `json:"key,omitempty" doc:"Absent if no API key was used."`
	ClientID     string        `json:"clientId,omitempty" doc:"The client by whose access token it is; absent if there is none."`
	Access       engine.Access `json:"access" doc:"What this caller may do: the lower of the user's and the key's."`
	Organization Organization  `json:"organization"`
}

// Organization is the vault.
type Organization struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Settings are those of the vault.
type Settings struct {
	Categories        []string `json:"categories" doc:"Beyond the built-in ones."`
	RetentionConflict string   `json:"retentionConflict" enum:"longest|shortest" doc:"Which policy counts if several apply to a document."`
	RetentionRunAt    string   `json:"retentionRunAt" doc:"When the daily run of retention starts, HH:MM in timeZone."`
	TimeZone          string   `json:"timeZone" doc:"An IANA name: where the days of the organization begin and end."`
	ReminderDays      []uint64 `json:"reminderDays" doc:"How many days before an obligation is due to remind of it, falling; 10 at most, each from 1 to 365."`
	AuditReads        bool     `json:"auditReads" doc:"Whether reading is logged: each download before its first byte is sent, each export, and each document whose text a search shows (once a user, version and quarter of an hour) is an audit entry of its own. Metadata and lists are not."`
	MaxClockGapDays   uint64   `json:"maxClockGapDays" doc:"After a longer silence in the audit log a run of retention waits for an admin."`
	Paused            bool     `json:"paused" doc:"Whether webhooks, scheduled retention and erasures wait."`
	SearchLanguage    string   `json:"searchLanguage" doc:"How words are stemmed for search: de, en, es, fr, it, nl or pt."`
	MaxVersions       uint64   `json:"maxVersions" doc:"How many versions a document may come to have. One that has more keeps them."`
	SignInByKey       bool     `json:"signInByKey" doc:"Whether people may sign in to the console with an API key. It is false only once an admin has signed in through the identity provider; keys of programs work in any case."`
	RestrictDeferred  bool     `json:"restrictDeferred" doc:"Whether a document is restricted as long as its erasure is deferred: only admins and auditors see it then."`
	TwoPersons        []string `json:"twoPersons" doc:"What needs two persons: hold.release, erasure, governance.bypass, policy.weaken, lock.break, document.delete, export. While it is not empty, whatever makes or strengthens an admin does too, and the setting itself. It takes two active admins."`
}
