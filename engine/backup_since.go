package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"strongroom/audit"
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
	Erased   []string
	erasures pastErasures
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
	Since
	created map[string]bool // documents that the backup does not have
	deleted map[string]bool // documents
}

// readSince follows a log up to its end, and holds it to be the one that the
// backup is of: line by line one chain, through the backup's last entry.
func (v *Vault) readSince(ctx context.Context, backup audit.Head, log io.Reader) (Since, error) {
	s := &sinceReader{backup: backup, created: map[string]bool{}, deleted: map[string]bool{}}
	s.Ops = map[audit.Op]uint64{}
	first := true
	for lines := bufio.NewReaderSize(log, audit.MaxLine); ; {
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
		e, err := audit.ParseEntry(line)
		if err == nil && first {
			s.Head, err = v.headBefore(e.Seq, backup)
			first = false
		}
		if err == nil {
			s.Head, err = s.Head.Follow(line)
		}
		if err == nil && s.Head.Seq == backup.Seq && s.Head.Hash != backup.Hash {
			err = fmt.Errorf("its entry %d is not the backup's last", backup.Seq)
		}
		if err != nil {
			return Since{}, invalid("log", "is not the log of this backup, after entry %d: %v", s.Head.Seq, err)
		}
		if e.Seq > backup.Seq {
			s.entry(e)
		}
	}
	if s.Head.Seq < backup.Seq {
		return Since{}, invalid("log", "ends at entry %d, before the backup, which ends at %d; export it anew", s.Head.Seq, backup.Seq)
	}
	return s.result(), nil
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

func (s *sinceReader) entry(e audit.Entry) {
	s.Entries++
	s.Ops[e.Op]++
	switch e.Op {
	case audit.OpDocumentCreated:
		s.created[e.Document] = true
		fallthrough
	case audit.OpDocumentVersionAdded:
		digest, _ := e.Facts["digest"].AsText()
		s.Versions = append(s.Versions, LostVersion{e.Document, e.Version, digest})
	case audit.OpDocumentDeleted:
		s.deleted[e.Document] = true
	case audit.OpErasureCompleted:
		s.erasures.entry(e)
	}
}

// result sorts out what is missing, and what is there again: not the versions of
// documents that were deleted since, and no document that came since and went.
func (s *sinceReader) result() Since {
	s.Versions = slices.DeleteFunc(s.Versions, func(v LostVersion) bool { return s.deleted[v.DocumentID] })
	here := func(id string) bool { return !s.created[id] }
	s.Erased = slices.DeleteFunc(s.erasures.erased(), func(id string) bool { return !here(id) })
	for _, doc := range sortedKeys(s.deleted) {
		if here(doc) && !slices.Contains(s.Erased, doc) {
			s.Deleted = append(s.Deleted, doc)
		}
	}
	return s.Since
}
