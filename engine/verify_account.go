package engine

import (
	"crypto/sha256"
	"strconv"

	"strongroom/audit"
	"strongroom/engine/internal/replay"
	"strongroom/engine/internal/store"
)

// accounts compares everything but documents with the log: a line for each
// bucket.
func (c *checker) accounts() error {
	for _, compare := range []func(c *checker) error{
		(*checker).vault,
		comparison[User]{bucketUsers, len(id{}), replay.Users, byID(decodeUser), (User).record, (*checker).emailOf}.run,
		comparison[*key]{bucketKeys, len(id{}), replay.Keys, byID(decodeKey), (*key).record, nil}.run,
		comparison[*client]{bucketClients, len(id{}), replay.Clients, byID(decodeClient), (*client).record, nil}.run,
		comparison[Field]{bucketFields, 0, replay.Fields, decodeField, (Field).record, nil}.run,
		comparison[*webhook]{bucketWebhooks, len(id{}), replay.Webhooks, byID(decodeWebhook), (*webhook).record, nil}.run,
		comparison[Policy]{bucketPolicies, len(id{}), replay.Policies, byID(decodePolicy), (Policy).record, (*checker).scopesOf}.run,
		comparison[*run]{bucketRuns, len(id{}), replay.Runs, byID(decodeRun), (*run).record, nil}.run,
		comparison[*erasure]{bucketErasures, len(id{}), replay.Erasures, byID(decodeErasure), (*erasure).record, (*checker).addsUp}.run,
		comparison[*approval]{bucketApprovals, len(id{}), replay.Approvals, byID(decodeApproval), (*approval).record, (*checker).planOf}.run,
	} {
		if err := compare(c); err != nil {
			return err
		}
	}
	return nil
}

// vault compares what there is once: the vault itself and its settings.
func (c *checker) vault() error {
	_, err := c.viewFollowed(func(t *tx) (bool, error) {
		c.differ(1, "the vault", c.metaRecord(t), c.said.Vault)
		s, err := t.settings()
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return false, nil
		}
		c.differ(0, "the settings", s.record(), c.said.Settings)
		return false, nil
	})
	return err
}

// metaRecord spells what meta has, and finds what it should not have. What is kept
// of it in memory is compared too.
func (c *checker) metaRecord(t *tx) replay.Thing {
	is := replay.Members{}
	rows := t.Cursor(bucketMeta)
	for k, value := rows.First(); k != nil; k, value = rows.Next() {
		text := string(value[:min(len(value), 64)]) // a damaged one may seem longer than memory
		switch name := string(k[:min(len(k), 64)]); name {
		case "format":
			n, err := strconv.ParseUint(text, 10, 64)
			if err != nil || strconv.FormatUint(n, 10) != text {
				c.find(1, CodeState, "the format of the vault is %q", text)
			}
			is[replay.Format] = replay.Number(n)
		case "vault":
			if text != c.v.ID() {
				c.find(1, CodeState, "the id of the vault is not the one it was opened with")
			}
			is["its id"] = replay.Text(c.v.ID())
		case string(metaName):
			if text != c.v.name {
				c.find(1, CodeState, "the name of the vault is not the one it was opened with")
			}
			is["its name"] = replay.Text(text)
		case string(metaCreated):
			is["created at"] = replay.Text(text)
		case string(metaDoubt):
			is[replay.ClockDoubted] = replay.Text(text)
		case string(metaSigner):
			is[replay.Signer] = replay.Text(string(value[:min(len(value), maxSigned)]))
		case string(metaSecond):
			is[replay.Second] = replay.Text(string(value[:min(len(value), maxSigned)]))
		case string(metaSigned):
			last, err := decodeSigned(value)
			if err != nil {
				c.find(0, CodeState, "%v", err)
			}
			is[replay.SignedBy], is[replay.SignedSize] = replay.Text(last.Verifier), replay.Number(uint64(last.Size))
			is[replay.SignedRoot] = replay.Hash(audit.Hash(last.Root))
		default:
			c.find(1, CodeState, "meta has a row %q that means nothing", name)
		}
	}
	return replay.Thing{Facts: is}
}

func (s Settings) record() replay.Thing {
	return replay.Thing{
		Facts: replay.Members{"the revision": replay.Number(s.Revision)},
		Texts: replay.Members{
			"categories":        replay.List(s.Categories),
			"retentionConflict": replay.Text(s.RetentionConflict),
			"retentionRunAt":    replay.Text(s.RetentionRunAt),
			"formerZones":       replay.List(s.formerZones),
			"timeZone":          replay.Text(s.TimeZone),
			"reminderDays":      replay.List(s.ReminderDays),
			"auditReads":        replay.Flag(s.AuditReads),
			"maxClockGapDays":   replay.Number(s.MaxClockGapDays),
			"maxVersions":       replay.Number(s.MaxVersions),
			"paused":            replay.Flag(s.Paused),
			"restrictDeferred":  replay.Flag(s.RestrictDeferred),
			"signInByKey":       replay.Flag(s.SignInByKey),
			"searchLanguage":    replay.Text(s.SearchLanguage),
			"twoPersons":        replay.List(wordsOf(s.TwoPersons)),
		},
	}
}

func (u User) record() replay.Thing {
	var calendar replay.Value
	if u.calendar != [sha256.Size]byte{} {
		calendar = boundBy(digestOf(u.calendar[:]))
	}
	return replay.Thing{
		Facts: replay.Members{
			"access":       replay.Text(u.Access.String()),
			"status":       replay.Text(u.Status),
			"locking":      replay.Flag(u.CanLockEnvelopes),
			"created at":   replay.Time(u.CreatedAt),
			"updated at":   replay.Time(u.UpdatedAt),
			"the revision": replay.Number(u.Revision),
			"the issuer":   replay.Text(u.Identity.Issuer),
			"the subject":  replay.Text(u.Identity.Subject),
			"provided":     replay.Flag(u.Provided),
			"left":         replay.Flag(u.Left),
			"seen at":      replay.Time(u.SeenAt),
			replay.Secret:  calendar,
		},
		Texts: replay.Members{
			"the name":           replay.Text(u.Name),
			"the e-mail address": replay.Text(u.Email),
		},
	}
}

// emailOf looks for the row by which a user is found.
func (c *checker) emailOf(t *tx, u User) {
	at, _ := store.ParseID(u.ID)
	if u.Email != "" && !t.leadsTo(bucketEmails, emailKeys(u.Email), at) {
		c.find(0, CodeIndex, "user %s is not found by e-mail address", u.ID)
	}
	if u.Identity.isSet() && !t.leadsTo(bucketIdentities, [][]byte{u.Identity.row()}, at) {
		c.find(0, CodeIndex, "user %s is not found by identity", u.ID)
	}
}

func (k *key) record() replay.Thing {
	return replay.Thing{
		Facts: replay.Members{
			"its user":       replay.Text(k.UserID),
			"access":         replay.Text(k.Access.String()),
			"created at":     replay.Time(k.CreatedAt),
			"the expiry":     replay.Time(k.ExpiresAt),
			"revoked at":     replay.Time(k.RevokedAt),
			"its successors": replay.List(k.successors),
			replay.Secret:    boundBy(digestOf(k.secret[:])),
		},
		Texts: replay.Members{"the name": replay.Text(k.Name)},
	}
}

func (c *client) record() replay.Thing {
	is := replay.Thing{
		Facts: replay.Members{
			"access":         replay.Text(c.Access.String()),
			"its grants":     replay.List(c.Grants),
			"whom it is":     replay.Text(c.UserID),
			"impersonates":   replay.Flag(c.Impersonates),
			"the status":     replay.Text(c.Status),
			"created at":     replay.Time(c.CreatedAt),
			"the revision":   replay.Number(c.Revision),
			"its public key": {},
			replay.Secret:    {},
		},
		Texts: replay.Members{
			"the name":          replay.Text(c.Name),
			"its redirect URIs": replay.List(c.RedirectURIs),
		},
	}
	if len(c.der) > 0 {
		is.Facts["its public key"] = boundBy(digestOf(c.der))
	}
	if c.HasSecret {
		is.Facts[replay.Secret] = boundBy(digestOf(c.secret[:]))
	}
	return is
}

func (f Field) record() replay.Thing {
	return replay.Thing{
		Facts: replay.Members{
			"the type":     replay.Text(f.Type),
			"required":     replay.Flag(f.Required),
			"created at":   replay.Time(f.CreatedAt),
			"updated at":   replay.Time(f.UpdatedAt),
			"the revision": replay.Number(f.Revision),
		},
		Texts: replay.Members{
			"the label":       replay.Text(f.Label),
			"the description": replay.Text(f.Description),
			"the choices":     replay.List(f.Choices),
		},
	}
}

// boundBy spells a digest as the log has it.
func boundBy(digest audit.Value) replay.Value {
	text, _ := digest.AsText()
	return replay.Text(text)
}

func (w *webhook) record() replay.Thing {
	var former replay.Value
	if len(w.former) > 0 {
		former = boundBy(digestOf(w.former))
	}
	return replay.Thing{
		Facts: replay.Members{
			"active":                       replay.Flag(w.Active),
			"why it is disabled":           replay.Text(w.DisabledReason),
			"its events":                   replay.List(w.Events),
			"created at":                   replay.Time(w.CreatedAt),
			"the entry of its creation":    replay.Number(w.CreatedSeq),
			"the end of its former secret": replay.Time(w.until),
			"the revision":                 replay.Number(w.Revision),
			replay.Secret:                  boundBy(digestOf(w.secret)),
			replay.FormerSecret:            former,
		},
		Texts: replay.Members{
			"the URL":         replay.Text(w.URL),
			"the description": replay.Text(w.Description),
		},
	}
}

func (p Policy) record() replay.Thing {
	return replay.Thing{
		Facts: replay.Members{
			"the period":      replay.Text(p.Period),
			"the action":      replay.Text(p.Action),
			"the scope":       replay.Text(p.Scope),
			"the start":       replay.Text(p.StartFrom),
			"where it starts": replay.Text(p.StartAt),
			"protect":         replay.Text(p.Protect),
			"enabled":         replay.Flag(p.Enabled),
			"created at":      replay.Time(p.CreatedAt),
			"updated at":      replay.Time(p.UpdatedAt),
			"the revision":    replay.Number(p.Revision),
		},
		Texts: replay.Members{
			"the name":   replay.Text(p.Name),
			"the target": replay.Text(p.Target),
		},
	}
}

func (r *run) record() replay.Thing {
	return replay.Thing{Facts: replay.Members{
		"the status":         replay.Text(r.Status),
		"the trigger":        replay.Text(r.Trigger),
		"started at":         replay.Time(r.StartedAt),
		"started by":         replay.Text(r.StartedBy),
		"finished at":        replay.Time(r.FinishedAt),
		"the plan":           replay.Hash(r.PlanDigest),
		replay.PlannedAt:     replay.Time(r.At),
		"why it was refused": replay.Text(r.Why),
		"its first entry":    replay.Number(r.began),
		"its last entry":     replay.Number(r.ended),
		"archived":           replay.Number(r.Counts.Archived),
		"deleted":            replay.Number(r.Counts.Deleted),
		"erased":             replay.Number(r.Counts.Erased),
		"failed":             replay.Number(r.Counts.Failed),
		"held":               replay.Number(r.Counts.Held),
		"locked":             replay.Number(r.Counts.Locked),
		"protected":          replay.Number(r.Counts.Protected),
	}}
}
