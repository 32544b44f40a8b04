package engine

import (
	"context"
	"fmt"
	"io"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// Export is a stretch of the log, from after one entry up to a head fixed when
// it began. It holds no transaction open: what is behind the head never
// changes but by erasure, so it is read a page at a time.
type Export struct {
	Head    audit.Head
	Receipt Receipt // of audit.exported, if settings.AuditReads is on
	v       *Vault
	after   uint64
}

// Export fixes the head up to which entries are given. With
// settings.AuditReads on it first writes the entry audit.exported, which is
// then the last one exported. It needs admin access. *LogBehindError if the log
// does not have the entry after which it is to begin.
func (v *Vault) Export(ctx context.Context, actor Actor, after uint64) (*Export, error) {
	at, receipt, err := update(v, ctx, actor, func(t *tx) (time.Time, audit.Event, error) {
		if err := t.may(AccessAuditor); err != nil {
			return t.Now(), audit.Event{}, err
		}
		if after >= t.Seq() {
			return t.Now(), audit.Event{}, errBeyond
		}
		s, err := t.settings()
		if err != nil || !s.AuditReads {
			return t.Now(), audit.Event{}, err
		}
		t.Note()
		return t.Now(), audit.Event{
			Op:    audit.OpAuditExported,
			Facts: audit.Facts{"after": audit.Number(after), "through": audit.Number(t.Seq())},
		}, nil
	})
	if err != nil {
		return nil, v.behind(ctx, after, err)
	}
	head := v.Head()
	if receipt.Seq != 0 {
		head = audit.Head{Vault: v.ID(), Seq: receipt.Seq, Hash: receipt.Hash, Time: at}
	}
	return &Export{Head: head, Receipt: receipt, v: v, after: after}, nil
}

// WriteLog writes the exact lines. It may be called more than once.
func (e *Export) WriteLog(ctx context.Context, w io.Writer) error {
	_, err := io.Copy(w, e.log(ctx))
	return err
}

// WriteDetails writes the details that still exist, a line each: seq, salt and
// the exact bytes hashed.
func (e *Export) WriteDetails(ctx context.Context, w io.Writer) error {
	_, err := io.Copy(w, e.details(ctx))
	return err
}

func (e *Export) log(ctx context.Context) io.Reader {
	return &rowReader{ctx: ctx, e: e, bucket: bucketLog, next: e.after + 1,
		spell: func(b []byte, _ uint64, line []byte) ([]byte, error) { return append(b, line...), nil }}
}

func (e *Export) details(ctx context.Context) *rowReader {
	return &rowReader{ctx: ctx, e: e, bucket: bucketDetail, next: e.after + 1,
		spell: func(b []byte, seq uint64, value []byte) ([]byte, error) {
			row, err := store.DecodeDetail(value)
			if err != nil || row.Salt == nil {
				return b, err
			}
			return audit.DetailRow{Seq: seq, Salt: [store.SaltSize]byte(row.Salt), Detail: row.Detail}.Append(b)
		}}
}

// A page of an export is copied out of one transaction: so many rows, or a
// little more than so many bytes.
const (
	exportRows  = 2_000
	exportBytes = 1 << 20
)

// rowReader reads the rows of a bucket keyed by seq, up to the export's head,
// a page in each transaction: a slow reader stalls nobody.
type rowReader struct {
	ctx    context.Context // of the call that reads; the reader ends with it
	e      *Export
	bucket []byte
	next   uint64
	spell  func(b []byte, seq uint64, row []byte) ([]byte, error)
	page   []byte // what is left of it
	spare  []byte // its memory
}

func (r *rowReader) Read(p []byte) (int, error) {
	for len(r.page) == 0 {
		if err := r.ctx.Err(); err != nil {
			return 0, err
		}
		if r.next > r.e.Head.Seq {
			return 0, io.EOF
		}
		page, err := view(r.e.v, r.fill)
		if err != nil {
			return 0, err
		}
		r.page, r.spare = page, page
	}
	n := copy(p, r.page)
	r.page = r.page[n:]
	return n, nil
}

func (r *rowReader) fill(t *tx) (page []byte, err error) {
	page = r.spare[:0]
	c := t.Cursor(r.bucket)
	k, row := c.Seek(store.SeqKey(r.next))
	for looked := 0; k != nil; looked++ {
		if len(k) != 8 || store.SeqOf(k) < r.next {
			return nil, fmt.Errorf("%w: %s has the key %.80x after %d", errDamaged, r.bucket, k, r.next)
		}
		if store.SeqOf(k) > r.e.Head.Seq {
			break
		}
		if looked == exportRows || len(page) >= exportBytes {
			return page, nil
		}
		if page, err = r.spell(page, store.SeqOf(k), row); err != nil {
			return nil, err
		}
		r.next = store.SeqOf(k) + 1
		k, row = c.Next()
	}
	r.next = r.e.Head.Seq + 1
	return page, nil
}

// WriteTo lets io.Copy hand over whole pages.
func (r *rowReader) WriteTo(w io.Writer) (written int64, err error) {
	var none [0]byte
	for {
		if _, err := r.Read(none[:]); err == io.EOF {
			return written, nil
		} else if err != nil {
			return written, err
		}
		n, err := w.Write(r.page)
		written += int64(n)
		if err != nil {
			return written, err
		}
		r.page = nil
	}
}
