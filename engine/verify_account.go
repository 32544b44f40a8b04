package engine

import (
	"strongroom/engine/internal/replay"
	"strongroom/engine/internal/store"
)

// accounts compares everything but documents with the log: a line for each
// bucket.
func (c *checker) accounts() error {
	for _, compare := range []func(c *checker) error{
		(*checker).replay,
		(*checker).vault,
		comparison[User]{bucketUsers, len(id{}), replay.Users, byID(decodeUser), (User).record, (*checker).emailOf}.run,
		comparison[*key]{bucketKeys, len(id{}), replay.Keys, byID(decodeKey), (*key).record, nil}.run,
		comparison[Field]{bucketFields, 0, replay.Fields, decodeField, (Field).record, nil}.run,
		comparison[*webhook]{bucketWebhooks, len(id{}), replay.Webhooks, byID(decodeWebhook), (*webhook).record, nil}.run,
		comparison[Policy]{bucketPolicies, len(id{}), replay.Policies, byID(decodePolicy), (Policy).record, (*checker).scopesOf}.run,
		comparison[*run]{bucketRuns, len(id{}), replay.Runs, byID(decodeRun), (*run).record, nil}.run,
		comparison[*erasure]{bucketErasures, len(id{}), replay.Erasures, byID(decodeErasure), (*erasure).record, (*checker).addsUp}.run,
	} {
		if err := compare(c); err != nil {
			return err
		}
	}
	return nil
}

// vault compares what there is once: the vault itself and its settings.
func (c *checker) vault() error {
	_, err := view(c.v, func(t *tx) (struct{}, error) {
		c.catchUp(t)
		created, doubt := t.Get(bucketMeta, metaCreated), t.Get(bucketMeta, metaDoubt)
		is := replay.Thing{Facts: replay.Members{
			"its id":     replay.Text(c.v.ID()),
			"its name":   replay.Text(c.v.name),
			"created at": replay.Text(string(created[:min(len(created), 64)])), // a damaged one may seem longer than memory

			replay.ClockDoubted: replay.Text(string(doubt[:min(len(doubt), 64)])),
		}}
		c.differ(1, "the vault", is, c.said.Vault)
		s, err := t.settings()
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return struct{}{}, nil
		}
		c.differ(0, "the settings", s.record(), c.said.Settings)
		return struct{}{}, nil
	})
	return err
}

func (s Settings) record() replay.Thing {
	return replay.Thing{
		Facts: replay.Members{"the revision": replay.Number(s.Revision)},
		Texts: replay.Members{
			"categories":        replay.List(s.Categories),
			"retentionConflict": replay.Text(s.RetentionConflict),
			"retentionRunAt":    replay.Text(s.RetentionRunAt),
			"timeZone":          replay.Text(s.TimeZone),
			"reminderDays":      replay.List(s.ReminderDays),
			"auditReads":        replay.Flag(s.AuditReads),
			"maxClockGapDays":   replay.Number(s.MaxClockGapDays),
			"paused":            replay.Flag(s.Paused),
			"searchLanguage":    replay.Text(s.SearchLanguage),
		},
	}
}

func (u User) record() replay.Thing {
	return replay.Thing{
		Facts: replay.Members{
			"access":       replay.Text(u.Access.String()),
			"status":       replay.Text(u.Status),
			"locking":      replay.Flag(u.CanLockEnvelopes),
			"created at":   replay.Time(u.CreatedAt),
			"updated at":   replay.Time(u.UpdatedAt),
			"the revision": replay.Number(u.Revision),
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
		},
		Texts: replay.Members{"the name": replay.Text(k.Name)},
	}
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

// record leaves out what the webhook signs with, of which entries tell only
// until when the secret before signs on.
func (w *webhook) record() replay.Thing {
	return replay.Thing{
		Facts: replay.Members{
			"active":                       replay.Flag(w.Active),
			"why it is disabled":           replay.Text(w.DisabledReason),
			"its events":                   replay.List(w.Events),
			"created at":                   replay.Time(w.CreatedAt),
			"the entry of its creation":    replay.Number(w.CreatedSeq),
			"the end of its former secret": replay.Time(w.until),
			"the revision":                 replay.Number(w.Revision),
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
			"the period in days": replay.Number(p.PeriodDays),
			"the action":         replay.Text(p.Action),
			"the scope":          replay.Text(p.Scope),
			"the start":          replay.Text(p.StartFrom),
			"protect":            replay.Text(p.Protect),
			"enabled":            replay.Flag(p.Enabled),
			"created at":         replay.Time(p.CreatedAt),
			"updated at":         replay.Time(p.UpdatedAt),
			"the revision":       replay.Number(p.Revision),
		},
		Texts: replay.Members{
			"the name":   replay.Text(p.Name),
			"the target": replay.Text(p.Target),
		},
	}
}

// record leaves out the instant of the plan, of which no entry tells.
func (r *run) record() replay.Thing {
	return replay.Thing{Facts: replay.Members{
		"the status":         replay.Text(r.Status),
		"the trigger":        replay.Text(r.Trigger),
		"started at":         replay.Time(r.StartedAt),
		"started by":         replay.Text(r.StartedBy),
		"finished at":        replay.Time(r.FinishedAt),
		"the plan":           replay.Hash(r.PlanDigest),
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
