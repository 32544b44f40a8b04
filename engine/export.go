package engine

import (
	"context"
	"io"

	"strongroom/audit"
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
// then the last one exported. It needs admin access.
func (v *Vault) Export(ctx context.Context, actor Actor, after uint64) (*Export, error) {
	_, receipt, err := update(v, ctx, actor, func(t *tx) (struct{}, audit.Event, error) {
		var none struct{}
		if err := t.may(AccessAdmin); err != nil {
			return none, audit.Event{}, err
		}
		s, err := t.settings()
		if err != nil || !s.AuditReads {
			return none, audit.Event{}, err
		}
		t.note()
		return none, audit.Event{
			Op:    audit.OpAuditExported,
			Facts: audit.Facts{"after": audit.Number(after), "through": audit.Number(t.seq())},
		}, nil
	})
	if err != nil {
		return nil, err
	}
	return &Export{Head: v.Head(), Receipt: receipt, v: v, after: after}, nil
}

// exportPage is how many entries are copied out of one transaction.
const exportPage = 2_000

// WriteLog writes the exact lines. It may be called more than once.
func (e *Export) WriteLog(ctx context.Context, w io.Writer) error {
	return e.pages(ctx, w, bucketLog, func(b []byte, _ uint64, line []byte) ([]byte, error) {
		return append(b, line...), nil
	})
}

// WriteDetails writes the details that still exist, a line each: seq, salt and
// the exact bytes hashed.
func (e *Export) WriteDetails(ctx context.Context, w io.Writer) error {
	return e.pages(ctx, w, bucketDetail, func(b []byte, seq uint64, value []byte) ([]byte, error) {
		row, err := decodeDetail(value)
		if err != nil || row.salt == nil {
			return b, err
		}
		return audit.DetailRow{Seq: seq, Salt: [saltSize]byte(row.salt), Detail: row.detail}.Append(b)
	})
}

// pages copies rows up to the head, a page in each transaction, and writes
// between transactions: a slow reader stalls nobody.
func (e *Export) pages(ctx context.Context, w io.Writer, bucket []byte, spell func(b []byte, seq uint64, row []byte) ([]byte, error)) error {
	for next := e.after + 1; next <= e.Head.Seq; {
		page, err := view(e.v, func(t *tx) (page []byte, err error) {
			c := t.bucket(bucket).Cursor()
			looked := 0
			for k, row := c.Seek(seqKey(next)); ; k, row = c.Next() {
				if k == nil || seqOf(k) > e.Head.Seq {
					next = e.Head.Seq + 1
					return page, nil
				}
				if looked == exportPage {
					next = seqOf(k)
					return page, nil
				}
				looked++
				if page, err = spell(page, seqOf(k), row); err != nil {
					return nil, err
				}
			}
		})
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := w.Write(page); err != nil {
			return err
		}
	}
	return nil
}
