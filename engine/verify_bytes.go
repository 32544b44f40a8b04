package engine

import (
	"errors"
	"fmt"

	"strongroom/blobstore"
)

// absent are bytes that were not there when they were looked for.
type absent struct {
	seq    uint64
	what   string // needs them
	digest Digest
}

// bytesOf looks for the bytes that something needs.
func (c *checker) bytesOf(seq uint64, what any, digest Digest, size int64) {
	is, err := c.v.blobs.Stat(digest)
	switch {
	case c.o.lost[digest]:
	case errors.Is(err, blobstore.ErrNotFound):
		c.absent = append(c.absent, absent{seq, fmt.Sprint(what), digest})
	case err != nil:
		c.find(seq, CodeBlob, "%s: its bytes cannot be looked at: %v", what, err)
	case is != size:
		c.find(seq, CodeBlob, "%s: its blob has %d bytes, its record says %d", what, is, size)
	}
}

// missingBytes reports the bytes that were missing, and still are and are needed:
// what was deleted since its transaction began is not, or has come back for
// another.
func (c *checker) missingBytes() error {
	for _, of := range c.absent {
		if lost, err := c.lost(of.digest); err != nil {
			return err
		} else if lost {
			c.find(of.seq, CodeBlob, "%s: its bytes %s are missing", of.what, of.digest)
		}
	}
	return nil
}

// lost looks again for bytes that were not there.
func (c *checker) lost(d Digest) (bool, error) {
	if needed, err := c.needed(d); err != nil || !needed {
		return false, err
	}
	if _, err := c.v.blobs.Stat(d); err == nil {
		return false, nil
	}
	return c.needed(d)
}

func (c *checker) needed(d Digest) (bool, error) {
	return view(c.v, func(t *tx) (bool, error) { return t.needed(d), nil })
}

// bytes reads every blob. Blobs that nobody needs are no finding: they are
// uploads on their way, or what Sweep has yet to find.
func (c *checker) bytes() error {
	if !c.o.Bytes {
		return nil
	}
	var digests []Digest
	err := c.v.blobs.Each(c.ctx, func(d blobstore.Digest, _ int64) error {
		digests = append(digests, d)
		return nil
	})
	if errors.Is(err, blobstore.ErrForeign) {
		c.find(0, CodeBlob, "%v", err)
	} else if err != nil {
		return fmt.Errorf("list the blobs: %w", err)
	}
	for _, d := range digests {
		c.progress(c.report.Blobs, uint64(len(digests)))
		_, err := c.v.blobs.Check(c.ctx, d)
		switch {
		case err == nil:
			if err := c.v.heal(d); err != nil {
				return err
			}
		case c.ctx.Err() != nil:
			return c.ctx.Err()
		default:
			missed := c.needed
			if errors.Is(err, blobstore.ErrNotFound) {
				missed = c.lost
			}
			if missed, unknown := missed(d); unknown != nil {
				return unknown
			} else if missed {
				what, unknown := c.v.of(d, err)
				if unknown != nil {
					return unknown
				}
				c.find(0, CodeBlob, "%s", what)
			}
		}
		c.report.Blobs++
	}
	return nil
}
