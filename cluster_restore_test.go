package main

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/blobstore/s3"
	"strongroom/engine/cluster"
)

// TestPointInTime restores a vault from the store as it was at seconds of its history
// that a client has noted, on both sides of a takeover.
func TestPointInTime(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for seconds to pass")
	}
	moments := 3
	if *soaking {
		moments = 20
	}
	f := newFleet(t, 2)
	type moment struct {
		at   time.Time
		head audit.Receipt
	}
	var all []moment
	for i := range moments {
		if i == moments/2 {
			owner := f.owner()
			owner.stop()
			f.awaitChange(owner.others()...)
			owner.start()
		}
		f.members[i%2].server.upload(t, f.key, fmt.Sprintf("%d.txt", i), fmt.Sprint("moment ", i))
		head, err := headOf(t.Context(), f.key, f.owner().where())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, moment{time.Now(), head})
		wait(t.Context(), 1100*time.Millisecond) // an instant is a second
	}
	for _, m := range f.members {
		m.stop()
	}
	for i, m := range all {
		data := f.restore(m.at)
		head, err := audit.ParseHead(mustRun(t, "verify", "--bytes", "--data", data))
		if err != nil {
			t.Fatal(err)
		}
		// Beside what there was, it says that it was restored.
		if head.Seq <= m.head.Seq || head.Seq > m.head.Seq+3 {
			t.Errorf("moment %d: entry %d was the last, restored is %d", i, m.head.Seq, head.Seq)
		}
		checkReceipts(t, data, []*loader{{receipts: []audit.Receipt{m.head}}})
	}
}

// restore makes a data directory with the vault main as it was in the store at an
// instant.
func (f *fleet) restore(at time.Time) (data string) {
	f.t.Helper()
	data = f.t.TempDir()
	if err := os.Mkdir(filepath.Join(data, "vaults"), 0o700); err != nil {
		f.t.Fatal(err)
	}
	var key [32]byte
	text, err := os.ReadFile(f.file("store.key"))
	if err == nil {
		_, err = hex.Decode(key[:], text)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	blobs, err := s3.OpenBlobs(s3.BlobsConfig{Store: f.objects(), Dir: f.t.TempDir()})
	if err != nil {
		f.t.Fatal(err)
	}
	c := cluster.Config{Objects: f.objects(), Dir: filepath.Join(data, "vaults", "main"), Server: "restore", SealKey: &key, Blobs: blobs, Log: f.t.Logf}
	if err := cluster.Restore(f.t.Context(), c, at); err != nil {
		f.t.Fatalf("restore as of %s: %v", at, err)
	}
	return data
}

// TestColdServer holds that a machine with nothing on its disk joins, serves, burns,
// and comes back; and that one which takes over with an empty disk has everything.
func TestColdServer(t *testing.T) {
	onlySoaking(t)
	f := newFleet(t, 1)
	s := f.startSoak(1)
	wait(t.Context(), time.Second)
	first, second := f.members[0], f.add()
	for range 2 {
		second.start()
		f.level(second)
		f.awaitChange(second)
		if code, _, err := f.try(t.Context(), http.DefaultClient, "GET", second.where()+"/v1/documents", "", "Strongroom-At-Least", "1"); err != nil || code != http.StatusOK {
			t.Errorf("a list of the second server: %d, %v", code, err)
		}
		second.kill()
		second.burn()
	}
	// Both are gone, and both disks with them.
	first.kill()
	first.burn()
	killed := time.Now()
	second.start()
	t.Logf("an empty machine owns the vault after %v", f.awaitChange(second).Sub(killed).Round(time.Millisecond))
	first.start()
	f.level(first)
	if owner := f.owner(); owner != second {
		t.Errorf("%s owns the vault", owner.name)
	}
	s.end()
}
