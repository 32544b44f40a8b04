package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"strongroom/audit"
)

// signer asks for checkpoints while others write, and keeps what it was given.
type signer struct {
	key  string
	dice *rand.Rand
	vkey string             // acknowledged; "": none was yet
	kept []audit.Checkpoint // in order
	ends []int              // how many were kept at each kill
	err  error
}

func (g *signer) work(client *http.Client, url string) {
	defer func() { g.ends = append(g.ends, len(g.kept)) }()
	if g.readKey(client, url) {
		return
	}
	for g.err == nil {
		note, gone := g.get(client, url+"/v1/log/checkpoint")
		if gone || g.err != nil {
			return
		}
		var c audit.Checkpoint
		if c, g.err = audit.OpenCheckpoint(note, g.vkey); g.err != nil {
			return
		}
		if n := len(g.kept); n > 0 && c.Size < g.kept[n-1].Size {
			g.err = fmt.Errorf("%d entries were signed, and then %d", g.kept[n-1].Size, c.Size)
			return
		}
		g.kept = append(g.kept, c)
		time.Sleep(time.Duration(g.dice.IntN(10)) * time.Millisecond) // or the log has little else
	}
}

// readKey holds the server to the key it has named. It reports whether the server is
// gone.
func (g *signer) readKey(client *http.Client, url string) (gone bool) {
	var key struct{ VKey string }
	answer, gone := g.get(client, url+"/v1/log/key")
	if gone || g.err != nil {
		return gone
	}
	if g.err = json.Unmarshal(answer, &key); g.err == nil && g.vkey != "" && g.vkey != key.VKey {
		g.err = fmt.Errorf("the key was %s, is %s", g.vkey, key.VKey)
	}
	g.vkey = key.VKey
	return false
}

// get reports whether the server is gone.
func (g *signer) get(client *http.Client, url string) (body []byte, gone bool) {
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		g.err = err
		return nil, false
	}
	req.Header.Set("Authorization", "Bearer "+g.key)
	resp, err := client.Do(req)
	if err != nil {
		return nil, true
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		return nil, true
	}
	if resp.StatusCode != http.StatusOK {
		g.err = fmt.Errorf("GET %s: %s\n%s", url, resp.Status, body)
	}
	return body, false
}

// check has the server prove, by its tiles, that what it signs now has grown out of
// what it signed last before each kill.
func (g *signer) check(t *testing.T, s *server) {
	t.Helper()
	client := &http.Client{}
	defer client.CloseIdleConnections()
	gone := g.readKey(client, s.url)
	var note []byte
	if !gone && g.err == nil {
		note, gone = g.get(client, s.url+"/v1/log/checkpoint")
	}
	if gone || g.err != nil {
		t.Fatal("no checkpoint after the kills", g.err)
	}
	is, err := audit.OpenCheckpoint(note, g.vkey)
	if err != nil {
		t.Fatal(err)
	}
	hashes := tlog.TileHashReader(tlog.Tree{N: is.Size, Hash: is.Root}, &tiles{read: map[string][]byte{}, get: func(path string) ([]byte, error) {
		body, gone := g.get(client, s.url+"/v1/log/"+path)
		if gone {
			return nil, fmt.Errorf("GET %s: no answer", path)
		}
		return body, g.err
	}})
	for i, end := range g.ends {
		if end == 0 || i > 0 && end == g.ends[i-1] {
			continue
		}
		was := g.kept[end-1]
		proof, err := tlog.ProveTree(is.Size, was.Size, hashes)
		if err == nil {
			err = audit.CheckConsistency(was.Size, was.Root, is.Size, is.Root, proof)
		}
		if err != nil {
			t.Errorf("before kill %d of %d %d entries were signed, now %d: %v", i+1, len(g.ends), was.Size, is.Size, err)
		}
	}
	g.kept = append(g.kept, is)
}

// checkRoots reckons from the exported lines alone each root that was signed.
func (g *signer) checkRoots(t *testing.T, path string) {
	t.Helper()
	log, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	var stored []audit.TreeHash
	read := audit.HashReader(tlog.HashReaderFunc(func(at []int64) (hashes []audit.TreeHash, err error) {
		for _, i := range at {
			hashes = append(hashes, stored[i])
		}
		return hashes, nil
	}))
	lines, size, left := bufio.NewScanner(log), int64(0), g.kept
	lines.Buffer(nil, audit.MaxLine+1)
	for lines.Scan() {
		hashes, err := audit.StoredHashes(size, lines.Bytes(), read)
		if err != nil {
			t.Fatal(err)
		}
		stored, size = append(stored, hashes...), size+1
		for len(left) > 0 && left[0].Size == size {
			if root, err := audit.TreeRoot(size, read); err != nil || root != left[0].Root {
				t.Errorf("the first %d entries are not those that were signed: %v", size, err)
			}
			left = left[1:]
		}
	}
	if err := lines.Err(); err != nil || len(left) > 0 {
		t.Errorf("of a log of %d entries %d checkpoints were signed that are larger: %v", size, len(left), err)
	}
}

// tiles reads each tile once.
type tiles struct {
	read map[string][]byte
	get  func(path string) ([]byte, error)
}

func (c *tiles) Height() int                     { return 8 }
func (c *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (c *tiles) ReadTiles(wanted []tlog.Tile) (data [][]byte, err error) {
	for _, tile := range wanted {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		if c.read[path] == nil {
			if c.read[path], err = c.get(path); err != nil {
				return nil, err
			}
		}
		data = append(data, c.read[path])
	}
	return data, nil
}
