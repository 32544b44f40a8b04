package cluster

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func sample() commit {
	c := commit{place: place{Commit: 258, Epoch: 7}, Kind: kindGroup, Record: []byte(strings.Repeat("a record of rows. ", 6))}
	for i := range c.Mark {
		c.Mark[i], c.Before[i] = byte(i), byte(0xf0+i)
	}
	return c
}

// What stands in stores is read for ever.
const frozenCommit = "7372636f6d69740100000000000001020000000000000007000102030405060708090a0b0c0d0e0f" +
	"f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff01000000000000006c"

func TestCommitIsFrozen(t *testing.T) {
	b := appendCommit(nil, sample(), newDeflater())
	want, err := hex.DecodeString(frozenCommit)
	if err != nil {
		t.Fatal(err)
	}
	if got := b[:commitSumAt]; !bytes.Equal(got, want) {
		t.Errorf("the header is %x", got)
	}
	if got := hex.EncodeToString(b[commitSumAt:commitHeader]); got != frozenSum {
		t.Errorf("the digest is %s", got)
	}
	// As any other program compresses it: a stored block.
	record := sample().Record
	stored := append(bytes.Clone(b[:commitHeader]), 1, byte(len(record)), 0, ^byte(len(record)), 0xff)
	for _, spelt := range [][]byte{b, append(stored, record...)} {
		got, err := parseCommit(spelt)
		if err != nil || got.place != sample().place || got.Before != sample().Before || got.Kind != kindGroup || !bytes.Equal(got.Record, record) {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

const frozenSum = "b2c088452205cb915f00e0f7b0a0693b09c9f24845366ba518b8829edd722568"

// Whatever byte is another, it is no commit, or the same one.
func TestCommitThatIsDamaged(t *testing.T) {
	b := appendCommit(nil, sample(), newDeflater())
	for at := range b {
		for _, flip := range []byte{1, 0x80, 0xff} {
			bad := bytes.Clone(b)
			bad[at] ^= flip
			if c, err := parseCommit(bad); !errors.Is(err, ErrDamaged) && (at < commitHeader || !bytes.Equal(c.Record, sample().Record)) {
				t.Errorf("byte %d: %+v, %v", at, c, err)
			}
		}
		if _, err := parseCommit(b[:at]); !errors.Is(err, ErrDamaged) {
			t.Errorf("the first %d bytes: %v", at, err)
		}
	}
	if _, err := parseCommit(append(bytes.Clone(b), 0)); !errors.Is(err, ErrDamaged) {
		t.Errorf("with a byte more: %v", err)
	}
}

func TestCommitFollows(t *testing.T) {
	c := sample()
	before := place{c.Commit - 1, c.Before, c.Epoch}
	for _, one := range []struct {
		what string
		turn func(*commit)
		want error
	}{
		{"the next group", func(*commit) {}, nil},
		{"another number", func(c *commit) { c.Commit++ }, ErrForked},
		{"another predecessor", func(c *commit) { c.Before[3]++ }, ErrForked},
		{"a group of a later epoch", func(c *commit) { c.Epoch++ }, ErrForked},
		{"a group of an earlier epoch", func(c *commit) { c.Epoch-- }, ErrForked},
		{"a takeover", func(c *commit) { c.Kind = kindTakeover; c.Epoch += 2 }, nil},
		{"a takeover of the same epoch", func(c *commit) { c.Kind = kindTakeover }, ErrForked},
		{"an emptied one", func(c *commit) { c.Kind = kindErased }, ErrCollected},
	} {
		c := c
		one.turn(&c)
		if err := c.follows(before); !errors.Is(err, one.want) {
			t.Errorf("%s: %v", one.what, err)
		}
	}
}

func FuzzCommit(f *testing.F) {
	z := newDeflater()
	f.Add(appendCommit(nil, sample(), z))
	f.Add(appendCommit(nil, commit{Kind: kindTakeover}, z))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseCommit(b)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Error(err)
			}
			return
		}
		again, err := parseCommit(appendCommit(nil, c, newDeflater()))
		if err != nil || again.place != c.place || again.Before != c.Before || again.Kind != c.Kind || !bytes.Equal(again.Record, c.Record) {
			t.Errorf("%+v became %+v, %v", c, again, err)
		}
	})
}
