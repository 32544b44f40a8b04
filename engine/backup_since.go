package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/retention"
	"strongroom/engine/internal/store"
)

// Since is what the log says happened after a backup, and is therefore not in
// the vault restored from it.
type Since struct {
	Head     audit.Head // where the log ends
	Entries  uint64     // after the backup's last
	Ops      map[audit.Op]uint64
	Versions []LostVersion // in order: those that have to be uploaded again
	// Deleted documents that the backup still has; they are there again.
	Deleted []string
	// Erased documents, and users, that the backup still has; they were erased
	// again.
	Erased []string
	// Repeated says how many entries of each operation were put in force again,
	// besides erasures.
	Repeated map[audit.Op]uint64
	Lost     []LostChange // in order: what else is not in the vault again
	Covered  audit.Head   // the last of the heads given that the log has; zero: none was given
	erasures pastErasures
	changes  []pastChange      // those that govern, in order
	deleting map[string]uint64 // policies that came to delete, and the entry no head covers by which they did
}

// LostChange is a change of which the restored vault has nothing, or not all.
type LostChange struct {
	Seq  uint64 // of its entry
	Op   audit.Op
	What string // ids and plain words
}

// LostVersion is a version that the backup lacks, and its bytes.
type LostVersion struct {
	DocumentID string
	Number     uint64
	Digest     string // sha256:<hex>
}

// sinceReader follows a log and gathers what came after a backup.
type sinceReader struct {
	backup audit.Head
	begun  bool // a line was read
	Since
	created map[string]bool       // documents that the backup does not have
	deleted map[string]bool       // documents
	waiting map[string]LostChange // erasures, and documents of erasures, that were not completed
}

// readSince follows a log up to its end, and holds it to be the one that the
// backup is of: line by line one chain, through the backup's last entry. Every
// detail given must be the one that its entry was written with, and every head
// one of its entries.
func (v *Vault) readSince(ctx context.Context, backup audit.Head, o RestoreOptions) (Since, error) {
	s := &sinceReader{backup: backup, created: map[string]bool{}, deleted: map[string]bool{}, waiting: map[string]LostChange{}}
	s.Ops, s.Repeated = map[audit.Op]uint64{}, map[audit.Op]uint64{}
	details, heads := newPastDetails(o.Details), newHeadsKept(o.Heads)
	for lines := bufio.NewReaderSize(o.Log, audit.MaxLine); ; {
		if err := ctx.Err(); err != nil {
			return Since{}, err
		}
		line, err := lines.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			break
		}
		if err != nil && err != io.EOF && !errors.Is(err, bufio.ErrBufferFull) {
			return Since{}, fmt.Errorf("read the log: %w", err)
		}
		e, first, err := s.follow(v, line)
		if err != nil {
			return Since{}, invalid("log", "is not the log of this backup, after entry %d: %v", s.Head.Seq, err)
		}
		if first {
			details.from = e.Seq
			err = heads.before(v, e.Seq)
		}
		var detail []byte
		if err == nil {
			detail, err = details.of(e)
		}
		if err == nil {
			err = heads.meet(s.Head)
		}
		if err == nil && e.Seq > backup.Seq {
			err = s.entry(pastEntry{Entry: e}, detail)
		}
		if err != nil {
			return Since{}, err
		}
	}
	if s.Head.Seq < backup.Seq {
		return Since{}, invalid("log", "ends at entry %d, before the backup, which ends at %d; export it anew", s.Head.Seq, backup.Seq)
	}
	if err := heads.end(s.Head); err != nil {
		return Since{}, err
	}
	s.Covered = heads.last
	return s.result(), nil
}

// follow takes the next line, and says whether it is the log's first.
func (s *sinceReader) follow(v *Vault, line []byte) (e audit.Entry, first bool, err error) {
	e, err = audit.ParseEntry(line)
	if first = !s.begun; err == nil && first {
		s.begun = true
		s.Head, err = v.headBefore(e.Seq, s.backup)
	}
	if err == nil {
		s.Head, err = s.Head.Follow(line)
	}
	if err == nil && s.Head.Seq == s.backup.Seq && s.Head.Hash != s.backup.Hash {
		err = fmt.Errorf("its entry %d is not the backup's last", s.backup.Seq)
	}
	return e, first, err
}

// headBefore is the head that the first line of a log has to follow. A log that
// does not begin with its first entry begins where the backup can vouch for it.
func (v *Vault) headBefore(seq uint64, backup audit.Head) (audit.Head, error) {
	switch {
	case seq <= 1:
		return audit.Head{}, nil
	case seq-1 > backup.Seq:
		return audit.Head{}, fmt.Errorf("it begins at entry %d, and the backup ends at %d: export it from there", seq, backup.Seq)
	}
	return view(v, func(t *tx) (audit.Head, error) {
		e, err := t.entry(seq - 1)
		return audit.Head{Vault: v.ID(), Seq: e.Seq, Hash: e.Hash, Time: e.Time}, err
	})
}

func (s *sinceReader) entry(e pastEntry, detail []byte) error {
	s.Entries++
	s.Ops[e.Op]++
	switch e.Op {
	case audit.OpDocumentCreated:
		s.created[e.Document] = true
		fallthrough
	case audit.OpDocumentVersionAdded:
		s.Versions = append(s.Versions, LostVersion{e.Document, e.Version, e.word("digest")})
	case audit.OpDocumentDeleted:
		s.deleted[e.Document] = true
	case audit.OpErasureRequested:
		s.waiting[e.word("erasure")] = LostChange{e.Seq, e.Op, fmt.Sprintf("erasure %s is not completed; ask for it again", e.word("erasure"))}
	case audit.OpErasureDeferred:
		delete(s.waiting, e.word("erasure"))
		s.waiting[e.word("erasure")+e.Document] = LostChange{e.Seq, e.Op,
			fmt.Sprintf("document %s waits to be erased; ask for it again", e.Document)}
	case audit.OpErasureCompleted:
		delete(s.waiting, e.word("erasure"))
		delete(s.waiting, e.word("erasure")+e.Document)
		s.erasures.entry(e.Entry)
	}
	if e.Op == audit.OpRetentionStarted && e.word(factAccepted) != "" {
		return s.accepted(e)
	}
	apply, err := e.again(detail)
	if err != nil {
		return cannotBe(e.Seq, e.Op, err)
	}
	if apply != nil {
		s.changes = append(s.changes, pastChange{e.Seq, e.Op, apply})
	}
	return nil
}

// accepted takes the end of a doubt of the clock into account. One that began
// after the backup is not repeated then.
func (s *sinceReader) accepted(e pastEntry) error {
	before := len(s.changes)
	s.changes = slices.DeleteFunc(s.changes, func(c pastChange) bool { return c.op == audit.OpClockCorrected })
	apply := e.clockAccepted
	if len(s.changes) < before {
		apply = e.doubtEnded
	}
	s.changes = append(s.changes, pastChange{e.Seq, e.Op, apply})
	return nil
}

// result sorts out what is missing, and what is there again: not the versions of
// documents that were deleted since, and no document that came since and went.
func (s *sinceReader) result() Since {
	s.Versions = slices.DeleteFunc(s.Versions, func(v LostVersion) bool { return s.deleted[v.DocumentID] })
	here := func(id string) bool { return !s.created[id] }
	s.Erased = slices.DeleteFunc(s.erasures.erased(), func(id string) bool { return !here(id) })
	for _, doc := range sortedKeys(s.deleted) {
		if _, again := slices.BinarySearch(s.Erased, doc); here(doc) && !again {
			s.Deleted = append(s.Deleted, doc)
		}
	}
	for _, name := range sortedKeys(s.waiting) {
		s.Lost = append(s.Lost, s.waiting[name])
	}
	return s.Since
}

// pastErasures is what a log says of erasures, in its order. It is how those
// after a backup are repeated in the vault restored from it.
type pastErasures struct {
	list []pastErasure
	by   map[string]int // their ids
}

// pastErasure is one that a log names.
type pastErasure struct {
	id, user  string
	documents []pastErased
}

// pastErased is a document that was erased, and when.
type pastErased struct {
	id  string
	seq uint64 // of the entry
	at  time.Time
}

// entry takes an erasure.completed into account. A document may have several in a
// row.
func (p *pastErasures) entry(e audit.Entry) {
	erasureID, _ := e.Facts["erasure"].AsText()
	at, known := p.by[erasureID]
	if !known {
		if p.by == nil {
			p.by = map[string]int{}
		}
		at = len(p.list)
		p.by[erasureID], p.list = at, append(p.list, pastErasure{id: erasureID})
	}
	one := &p.list[at]
	if e.Document == "" {
		one.user, _ = e.Facts["user"].AsText()
	} else if n := len(one.documents); n == 0 || one.documents[n-1].id != e.Document {
		one.documents = append(one.documents, pastErased{e.Document, e.Seq, e.Time})
	}
}

// erased returns the documents and users that were erased.
func (p pastErasures) erased() (ids []string) {
	for _, one := range p.list {
		for _, d := range one.documents {
			ids = append(ids, d.id)
		}
		if one.user != "" {
			ids = append(ids, one.user)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// repeatErasures erases again what a log says was erased after a backup, in the
// vault restored from it. That governance protects the documents, or a policy of
// which the log says that it was changed, is no reason not to. What compliance
// protected then is erased only up to the head that covers the log: its end may be
// made up. What was only deferred is not repeated, but said. A document that came
// after the backup is not there, and passed over.
//
// Erased rows stay on free pages: Sweep overwrites them, or Compact leaves them
// behind.
func (v *Vault) repeatErasures(ctx context.Context, s *Since) error {
	for _, one := range s.erasures.list {
		of, ok := store.ParseID(one.id)
		if !ok {
			return invalid("log", "names an erasure %q", one.id)
		}
		if err := v.repeatErasure(ctx, of, one, s.Covered.Seq); err != nil {
			return fmt.Errorf("repeat erasure %s: %w", one.id, err)
		}
	}
	return nil
}

func (v *Vault) repeatErasure(ctx context.Context, of id, one pastErasure, covered uint64) error {
	_, _, err := update(v, ctx, Operator(), func(t *tx) (struct{}, audit.Event, error) {
		event, err := t.renewErasure(of, one)
		return struct{}{}, event, err
	})
	if err != nil {
		return err
	}
	for _, d := range one.documents {
		if err := v.repeatErased(ctx, of, d, covered); err != nil {
			return fmt.Errorf("document %s: %w", d.id, err)
		}
	}
	if user, ok := store.ParseID(one.user); ok {
		return v.repeatErasedUser(ctx, of, user)
	}
	return nil
}

// repeatErasedUser closes a user, as they were when they were erased, and erases
// them. The last admin cannot be closed: Sweep erases them when somebody else is
// one and has done so.
func (v *Vault) repeatErasedUser(ctx context.Context, of, user id) error {
	closed := UserClosed
	_, _, err := v.UpdateUser(ctx, Operator(), user.String(), Condition{}, UserPatch{Status: &closed})
	if errors.Is(err, ErrUserNotFound) || errors.Is(err, ErrLastAdmin) {
		return nil
	}
	if err != nil {
		return err
	}
	return v.eraseUser(ctx, dueErasure{of: of, subject: user})
}

// renewErasure notes an erasure that was asked for after the backup. Nothing is
// known of why and for whom.
func (t *tx) renewErasure(of id, one pastErasure) (audit.Event, error) {
	if _, err := t.erasure(of.String()); !errors.Is(err, ErrErasureNotFound) {
		return audit.Event{}, err
	}
	e, bucket, names := &erasure{id: of}, bucketUsers, []string{one.user}
	if one.user == "" {
		bucket, names = bucketDocuments, nil
		for _, d := range one.documents {
			names = append(names, d.id)
		}
	}
	var subjects []id
	for _, name := range names {
		if key, ok := store.ParseID(name); ok && t.Get(bucket, key[:]) != nil {
			subjects = append(subjects, key)
		}
	}
	if len(subjects) == 0 {
		return audit.Event{}, nil
	}
	e.UserID = one.user
	return t.addErasure(e, subjects), nil
}

// repeatErased erases a document. The log told of the end of its holds before.
func (v *Vault) repeatErased(ctx context.Context, of id, past pastErased, covered uint64) error {
	doc, ok := store.ParseID(past.id)
	if !ok {
		return errDamaged
	}
	left, err := view(v, func(t *tx) (*erasing, error) {
		_, left, err := t.erasing(of, doc)
		if err != nil || left == nil { // it came after the backup, or was erased before
			return nil, err
		}
		d, err := t.documentAt(doc)
		if err != nil || d.deleted {
			return left, err
		}
		if d.unheld() != nil {
			return left, invalid("log", "cannot be worked off: it erases document %s, which bears a legal hold that was never released", past.id)
		}
		return left, t.erasedThen(d, past, covered)
	})
	if err != nil || left == nil {
		return err
	}
	return v.eraseDocuments(ctx, []dueErasure{{of: of, subject: doc, again: true}})
}

// erasedThen refuses an erasure that no head covers, of a document that compliance
// protected at the instant of its entry. That cannot lie ahead.
func (t *tx) erasedThen(d *document, past pastErased, covered uint64) error {
	if past.seq <= covered {
		return nil
	}
	policies, err := t.rulesFor(d)
	if err != nil {
		return err
	}
	at := t.Now()
	if past.at.Before(at) {
		at = past.at
	}
	if retention.ProtectionBy(retention.ProtectCompliance, d.forRules(), policies, at) == nil {
		return nil
	}
	return uncovered([]string{fmt.Sprintf("entry %d erases document %s, which compliance protects", past.seq, past.id)}, past.seq)
}
