package engine_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"

	"go.etcd.io/bbolt"
)

// asFormat2 makes of a closed vault one that an earlier version has written: its
// entries have none of the facts that bind what this version binds.
func asFormat2(t *testing.T, dir string) {
	t.Helper()
	facts := regexp.MustCompile(`"(?:secret|snapshot|drafts|subjects)":"[0-9a-f]{64}",?`)
	chain := regexp.MustCompile(`"prev":"[0-9a-f]*"`)
	spoil(t, dir, func(b *bbolt.Tx) error {
		rows, prev := b.Bucket([]byte("log")), ""
		for seq := uint64(1); rows.Get(engine.SeqKey(seq)) != nil; seq++ {
			line := facts.ReplaceAll(bytes.Clone(rows.Get(engine.SeqKey(seq))), nil)
			line = bytes.Replace(line, []byte(`,}`), []byte(`}`), 1)
			line = bytes.Replace(line, []byte(`"format":4`), []byte(`"format":2`), 1)
			line = chain.ReplaceAll(line, []byte(`"prev":"`+prev+`"`))
			hash := sha256.Sum256(line)
			prev = hex.EncodeToString(hash[:])
			if err := rows.Put(engine.SeqKey(seq), line); err != nil {
				return err
			}
		}
		return b.Bucket([]byte("meta")).Put([]byte("format"), []byte("2"))
	})
}

// TestAMigrationOfMuch: what does not fit into one line is told by as many entries
// as it takes, in one transaction.
func TestAMigrationOfMuch(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	var key engine.Key
	for n := range 1_200 {
		var err error
		key, _, _, err = k.CreateKey(ctx, k.Admin, engine.NewKey{Name: fmt.Sprint("key ", n)})
		must(t, err)
	}
	hook, _ := subscribe(k, engine.NewWebhook{URL: "https://example.com"})
	before := k.Head().Seq
	must(t, k.Close())
	asFormat2(t, k.Dir)

	v := open(t, k.Dir)
	verified(t, v)
	head := v.Head()
	if n := head.Seq - before; n < 2 || n > 4 {
		t.Errorf("%d entries", n)
	}
	for seq := before + 1; seq <= head.Seq; seq++ {
		e, err := v.Entry(ctx, seq)
		must(t, err)
		part, _ := e.Facts["part"].AsNumber()
		if first := seq == before+1; e.Op != audit.OpVaultMigrated || first != (part == 0) || !first && part != seq-before {
			t.Errorf("%+v", e)
		}
	}
	must(t, v.Close())
	for name, change := range map[string]func(*bbolt.Tx) error{
		"the secret of a key":     edit("keys", engine.KeyOf(key.ID), func(_, b []byte) []byte { b[5] ^= 1; return b }),
		"the secret of a webhook": edit("webhooks", engine.KeyOf(hook.ID), func(_, b []byte) []byte { b[len(b)-10] ^= 1; return b }),
	} {
		good := readFile(t, filepath.Join(k.Dir, "rows.db"))
		spoil(t, k.Dir, change)
		if found := findings(k.Dir, engine.VerifyOptions{}); len(found) == 0 {
			t.Errorf("%s: not found", name)
		}
		must(t, os.WriteFile(filepath.Join(k.Dir, "rows.db"), good, 0o600))
	}
	v = open(t, k.Dir)
	if v.Head() != head {
		t.Errorf("opened once more: %+v, was %+v", v.Head(), head)
	}
	verified(t, v, head)
}

// TestVerifyKnowsTheHead: a last line that was changed under a vault in use is not
// the one that it has written.
func TestVerifyKnowsTheHead(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	k.Create("contract", "text")
	must(t, k.Lend(func(b *bbolt.Tx) error {
		rows, last := b.Bucket([]byte("log")), engine.SeqKey(k.Head().Seq)
		line := bytes.Clone(rows.Get(last))
		if err := rows.Put(last, bytes.Replace(line, []byte(`"key":"0`), []byte(`"key":"1`), 1)); err != nil {
			return err
		}
		report, err := k.Verify(t.Context(), engine.VerifyOptions{})
		if err != nil || len(report.Findings) != 1 || report.Findings[0].Code != audit.CodeHead {
			t.Errorf("%+v, %v", report.Findings, err)
		}
		return rows.Put(last, line)
	}))
}
