package engine

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"strongroom/audit"
)

// history is what the entries about one document say of it.
type history struct {
	created  audit.Entry
	updated  audit.Entry // the last that changed metadata, versions or archived state
	versions []saidVersion
	current  uint64 // the number of the current version
	owner    string
	revision uint64
	archived bool
	deleted  bool
	behind   uint64 // entries not after the head given
}

// saidVersion is a version as its entry tells it.
type saidVersion struct {
	Version
	seq uint64
}

// difference says in what a stored version is not what the log says; "" if in
// nothing the log tells.
func (s *saidVersion) difference(ver *Version) string {
	switch {
	case ver.Number != s.Number:
		return fmt.Sprintf("is stored with the number %d", ver.Number)
	case ver.Digest != s.Digest || ver.Size != s.Size:
		return fmt.Sprintf("its bytes are %s (%d), the log says %s (%d)", ver.Digest, ver.Size, s.Digest, s.Size)
	case ver.MediaType != s.MediaType:
		return fmt.Sprintf("its media type is %s, the log says %s", ver.MediaType, s.MediaType)
	case ver.Chain != s.Chain || ver.PreviousChain != s.PreviousChain:
		return "its chain is not the one in the log"
	case ver.Discarded != s.Discarded:
		return fmt.Sprintf("discarded is %v, the log says %v", ver.Discarded, s.Discarded)
	case !ver.CreatedAt.Equal(s.CreatedAt) || ver.CreatedBy != s.CreatedBy:
		return "was not made when and by whom the log says"
	}
	return ""
}

// history follows a document's entries from its last to its first.
func (t *tx) history(d *document, head uint64) (*history, error) {
	var entries []audit.Entry
	h := &history{}
	for seq := d.AuditSeq; seq != 0; {
		e, err := audit.ParseEntry(t.get(bucketLog, seqKey(seq)))
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", seq, err)
		}
		if e.Document != d.ID {
			return nil, fmt.Errorf("entry %d is about another document, %q", seq, e.Document)
		}
		if seq <= head {
			h.behind++
		}
		entries = append(entries, e)
		row, err := decodeDetail(t.get(bucketDetail, seqKey(seq)))
		if err != nil || row.prev >= seq {
			return nil, fmt.Errorf("entry %d: %w", seq, errors.Join(err, errDamaged))
		}
		seq = row.prev
	}
	slices.Reverse(entries)
	for i, e := range entries {
		if (i == 0) != (e.Op == audit.OpDocumentCreated) {
			return nil, fmt.Errorf("entry %d, %s, is number %d about the document", e.Seq, e.Op, i+1)
		}
		if err := h.follow(e); err != nil {
			return nil, fmt.Errorf("entry %d: %w", e.Seq, err)
		}
	}
	return h, nil
}

// follow takes one more entry into account.
func (h *history) follow(e audit.Entry) error {
	if h.deleted {
		return errors.New("is about a document that was deleted before")
	}
	switch e.Op {
	case audit.OpDocumentCreated:
		h.created = e
		h.addVersion(e)
	case audit.OpDocumentVersionAdded:
		h.addVersion(e)
	case audit.OpDocumentArchived:
		h.archived = true
	case audit.OpDocumentUnarchived:
		h.archived = false
	case audit.OpDocumentReverted:
		if err := h.discard(e); err != nil {
			return err
		}
	case audit.OpDocumentUpdated:
	case audit.OpDocumentDeleted:
		h.deleted = true
	default: // leaves the revision
		return nil
	}
	h.revision++
	h.updated = e
	if owner, ok := e.Facts["owner"].AsText(); ok {
		h.owner = owner
	}
	if revision, ok := e.Facts["revision"].AsNumber(); ok && revision != h.revision {
		return fmt.Errorf("has revision %d, counted are %d", revision, h.revision)
	}
	return nil
}

func (h *history) addVersion(e audit.Entry) {
	s := saidVersion{seq: e.Seq, Version: Version{
		DocumentID: e.Document, Number: e.Version, CreatedAt: e.Time, CreatedBy: e.Actor,
	}}
	digest, _ := e.Facts["digest"].AsText()
	s.Digest.UnmarshalText([]byte(digest))
	size, _ := e.Facts["size"].AsNumber()
	s.Size = int64(size)
	s.MediaType, _ = e.Facts["mediaType"].AsText()
	chain, _ := e.Facts["chain"].AsText()
	s.Chain.UnmarshalText([]byte(chain))
	if n := len(h.versions); n > 0 {
		s.PreviousChain = h.versions[n-1].Chain
	}
	h.versions = append(h.versions, s)
	h.current = s.Number
}

func (h *history) discard(e audit.Entry) error {
	numbers, _ := e.Facts["discarded"].AsTexts()
	for _, text := range numbers {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil || n == 0 || n > uint64(len(h.versions)) {
			return fmt.Errorf("discards version %q", text)
		}
		h.versions[n-1].Discarded = true
	}
	h.current = e.Version
	return nil
}

// accounts replays the entries about users and keys, and counts those about
// documents.
func (c *checker) accounts() error {
	users, keys := map[string]audit.Facts{}, map[string]audit.Facts{}
	revoked := map[string]bool{}
	err := c.each(bucketLog, func(_ *tx, k, line []byte) error {
		e, err := audit.ParseEntry(line)
		if err != nil || e.Seq > c.e.Head.Seq {
			return err
		}
		if e.Document != "" {
			c.entries++
		}
		user, _ := e.Facts["user"].AsText()
		key, _ := e.Facts["key"].AsText()
		switch e.Op {
		case audit.OpUserCreated, audit.OpUserUpdated:
			users[user] = e.Facts
		case audit.OpKeyCreated:
			keys[key] = e.Facts
		case audit.OpKeyRotated:
			successor, _ := e.Facts["successor"].AsText()
			keys[successor] = e.Facts
			old := audit.Facts{"user": e.Facts["user"], "access": e.Facts["access"], "expires": e.Facts["until"]}
			keys[key] = old
		case audit.OpKeyRevoked:
			revoked[key] = true
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("replay the log: %w", err)
	}
	if err := c.users(users); err != nil {
		return err
	}
	return c.keys(keys, revoked)
}

func (c *checker) users(said map[string]audit.Facts) error {
	err := c.each(bucketUsers, func(t *tx, k, value []byte) error {
		u, err := decodeUser(id(k), value)
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return nil
		}
		if u.Email != "" && !bytes.Equal(t.get(bucketEmails, emailKey(u.Email)), k) {
			c.find(0, CodeIndex, "user %s is not found by e-mail address", u.ID)
		}
		if c.since(u.UpdatedAt.UnixMilli()) {
			delete(said, u.ID)
			return nil
		}
		facts, ok := said[u.ID]
		if !ok {
			c.find(0, CodeState, "user %s is not in the log", u.ID)
			return nil
		}
		delete(said, u.ID)
		for name, value := range u.facts() {
			is, _ := value.AsText()
			if was, _ := facts[name].AsText(); is != was {
				c.find(0, CodeState, "user %s: %s is %s, the log says %s", u.ID, name, is, was)
			}
		}
		return nil
	})
	for _, missing := range sortedKeys(said) {
		c.find(0, CodeState, "user %s of the log is missing", missing)
	}
	return err
}

func (c *checker) keys(said map[string]audit.Facts, revoked map[string]bool) error {
	err := c.each(bucketKeys, func(t *tx, at, value []byte) error {
		k, err := decodeKey(id(at), value)
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return nil
		}
		facts, ok := said[k.ID]
		delete(said, k.ID)
		if c.since(max(k.CreatedAt.UnixMilli(), k.RevokedAt.UnixMilli(), k.ExpiresAt.UnixMilli())) {
			return nil
		}
		if !ok {
			c.find(0, CodeState, "key %s is not in the log", k.ID)
			return nil
		}
		user, _ := facts["user"].AsText()
		access, _ := facts["access"].AsText()
		expires, _ := facts["expires"].AsText()
		if k.UserID != user || k.Access.String() != access || factTime(k.ExpiresAt) != expires || k.RevokedAt.IsZero() == revoked[k.ID] {
			c.find(0, CodeState, "key %s is not what the log says", k.ID)
		}
		return nil
	})
	for _, missing := range sortedKeys(said) {
		c.find(0, CodeState, "key %s of the log is missing", missing)
	}
	return err
}

// since says whether something of this instant may have been written after the
// head that is verified, by who works meanwhile.
func (c *checker) since(ms int64) bool {
	return ms >= c.e.Head.Time.UnixMilli() && c.v.Head().Seq > c.e.Head.Seq
}
