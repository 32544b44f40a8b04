package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// history is what the entries about one document say of it.
type history struct {
	created  audit.Entry
	updated  audit.Entry // the last that changed metadata, versions or archived state
	versions []saidVersion
	current  uint64 // the number of the current version
	owner    string
	metadata map[string]any // as flatten has it
	erased   bool           // a detail is gone, so metadata and the free text of versions are not known
	revision uint64
	fence    uint64 // of the last lock, or its breaking
	holder   string // who acquired the last lock, if it was not released or broken
	archived bool
	deleted  bool
	// retainUntil is what was stamped last.
	retainUntil time.Time
	// obligations are those of the document, by id.
	obligations map[string]*saidObligation
	holds       map[string]*saidHold // by id, those released too
	erasures    map[string]saidErasing
	told        uint64 // the last entry with a detail that an erasure erases; 0: none is left
	behind      uint64 // entries not after the head given
}

// saidVersion is a version as its entry tells it.
type saidVersion struct {
	Version
	seq    uint64
	erased bool // its detail is gone
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
	case !ver.CreatedAt.Equal(s.CreatedAt) || ver.CreatedBy != s.CreatedBy:
		return "was not made when and by whom the log says"
	case ver.Discarded != s.Discarded:
		return "is discarded, or not, other than the log says"
	case !s.erased && (ver.FileName != s.FileName || ver.Comment != s.Comment || ver.Label != s.Label):
		return "its file name, comment or label is not the one in the log"
	}
	return ""
}

// history follows a document's entries from its last to its first.
func (t *tx) history(d *document, head uint64) (*history, error) {
	type link struct {
		audit.Entry
		detail []byte // a view
	}
	var links []link
	h := &history{metadata: map[string]any{}, obligations: map[string]*saidObligation{}, holds: map[string]*saidHold{}, erasures: map[string]saidErasing{}}
	for seq := d.AuditSeq; seq != 0; {
		e, err := audit.ParseEntry(t.Get(bucketLog, store.SeqKey(seq)))
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", seq, err)
		}
		if e.Document != d.ID {
			return nil, fmt.Errorf("entry %d is about another document, %q", seq, e.Document)
		}
		if seq <= head {
			h.behind++
		}
		row, err := store.DecodeDetail(t.Get(bucketDetail, store.SeqKey(seq)))
		if err != nil || row.Prev >= seq {
			return nil, fmt.Errorf("entry %d: %w", seq, errors.Join(err, errDamaged))
		}
		links = append(links, link{e, row.Detail})
		seq = row.Prev
	}
	slices.Reverse(links)
	for i, e := range links {
		if (i == 0) != (e.Op == audit.OpDocumentCreated) {
			return nil, fmt.Errorf("entry %d, %s, is number %d about the document", e.Seq, e.Op, i+1)
		}
		told, err := readDetail(e.Entry, e.detail)
		if err == nil {
			err = h.follow(e.Entry, told)
		}
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		if e.detail != nil && !e.Op.Kept() {
			h.told = e.Seq
		}
	}
	return h, nil
}

// follow takes one more entry into account.
func (h *history) follow(e audit.Entry, told detail) error {
	if erases := e.Op == audit.OpErasureCompleted; h.deleted != erases {
		if erases {
			return errors.New("erases a document that was not deleted before")
		}
		return errors.New("is about a document that was deleted before")
	}
	switch e.Op {
	case audit.OpDocumentCreated:
		h.created = e
		h.describe(told)
		h.addVersion(e, told)
	case audit.OpDocumentVersionAdded:
		h.addVersion(e, told)
	case audit.OpDocumentArchived:
		if err := h.unheld(); err != nil {
			return err
		}
		h.archived = true
	case audit.OpDocumentUnarchived:
		h.archived = false
	case audit.OpDocumentReverted:
		if err := h.discard(e); err != nil {
			return err
		}
		h.describe(told)
	case audit.OpDocumentUpdated:
		h.describe(told)
	case audit.OpDocumentDeleted:
		if n, _ := e.Facts["obligations"].AsNumber(); n != uint64(len(h.obligations)) {
			return fmt.Errorf("deletes %d obligations, there were %d", n, len(h.obligations))
		}
		if err := h.unheld(); err != nil {
			return err
		}
		h.deleted, h.obligations = true, nil
	case audit.OpObligationCreated, audit.OpObligationUpdated, audit.OpObligationCompleted, audit.OpObligationReopened,
		audit.OpObligationDeleted, audit.OpObligationDueSoon, audit.OpObligationOverdue:
		return h.obligation(e, told)
	case audit.OpHoldPlaced, audit.OpHoldReleased:
		return h.hold(e, told)
	default: // leaves the revision
		h.erasing(e)
		h.lock(e)
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
	if until, ok := e.Facts["retainUntil"].AsText(); ok {
		return h.retain(e, until)
	}
	return nil
}

// retain takes a stamp into account, which only rises.
func (h *history) retain(e audit.Entry, until string) error {
	stamped, err := audit.ParseTime(until)
	if err != nil || stamped.Before(h.retainUntil) {
		return fmt.Errorf("is retained until %s, which was later before: %w", until, errors.Join(err, errDamaged))
	}
	h.retainUntil = stamped
	return nil
}

func (h *history) addVersion(e audit.Entry, told detail) {
	s := saidVersion{seq: e.Seq, erased: told.erased, Version: Version{
		DocumentID: e.Document, Number: e.Version, CreatedAt: e.Time, CreatedBy: e.Actor,
		FileName: told.text("fileName"), Comment: told.text("comment"), Label: told.text("label"),
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
	h.current = e.Version
}

// lock takes an entry about the lock into account. One without a fence is about
// a scratchpad.
func (h *history) lock(e audit.Entry) {
	fence, ok := e.Facts["fence"].AsNumber()
	if !ok {
		return
	}
	h.fence = fence
	switch e.Op {
	case audit.OpLockAcquired:
		h.holder = e.Actor
	case audit.OpLockReleased, audit.OpLockBroken:
		h.holder = ""
	}
}

func (h *history) discard(e audit.Entry) error {
	from, some := e.Facts["discardedFrom"].AsNumber()
	to, _ := e.Facts["discardedTo"].AsNumber()
	if some && (from == 0 || from > to || to > uint64(len(h.versions))) {
		return fmt.Errorf("discards versions %d to %d of %d", from, to, len(h.versions))
	}
	for n := from; some && n <= to; n++ {
		h.versions[n-1].Discarded = true
	}
	h.current = e.Version
	return nil
}

// describe takes over what a detail says of metadata.
func (h *history) describe(told detail) {
	h.erased = h.erased || told.erased
	for name, value := range flatten(told.members) {
		if value == nil {
			delete(h.metadata, name)
		} else {
			h.metadata[name] = value
		}
	}
}

// flatten spells metadata so that it can be compared: custom fields as
// customFields.<key>, tags as one text, members that are empty as nil. What
// describes a version, or is a fact, is left out.
func flatten(members map[string]any) map[string]any {
	flat := make(map[string]any, len(members))
	for name, value := range members {
		switch value := value.(type) {
		case map[string]any:
			for key, v := range value {
				flat[name+"."+key] = v
			}
			continue
		case []any:
			flat[name] = nil
			if len(value) > 0 {
				flat[name] = fmt.Sprintf("%q", value)
			}
			continue
		}
		flat[name] = value
		if name == "editProtected" && value == false || value == "" && !strings.HasPrefix(name, "customFields.") {
			flat[name] = nil
		}
	}
	for _, name := range []string{"fileName", "comment", "label", "ownerId"} {
		delete(flat, name)
	}
	return flat
}

// detail is an entry's detail, read: of an update, what is new.
type detail struct {
	members map[string]any
	erased  bool
}

func (d detail) text(name string) string {
	s, _ := d.members[name].(string)
	return s
}

// readDetail reads the detail of an entry: an object of members, or, in an
// update, of members with what was and what is.
func readDetail(e audit.Entry, text []byte) (detail, error) {
	if text == nil {
		return detail{erased: !e.Detail.IsZero()}, nil
	}
	var d detail
	r := json.NewDecoder(bytes.NewReader(text))
	r.UseNumber()
	if err := r.Decode(&d.members); err != nil {
		return detail{}, fmt.Errorf("its detail: %w", err)
	}
	switch e.Op {
	case audit.OpDocumentUpdated, audit.OpDocumentReverted, audit.OpUserUpdated, audit.OpFieldUpdated, audit.OpSettingsUpdated, audit.OpObligationUpdated,
		audit.OpPolicyUpdated, audit.OpWebhookUpdated:
		for name, value := range d.members {
			change, _ := value.(map[string]any)
			d.members[name] = change["new"]
		}
	}
	return d, nil
}
