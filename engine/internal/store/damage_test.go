package store_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"strongroom/engine/internal/store"
)

// lie writes over the first row of every leaf page that says so: where its key
// and value stand.
func lie(t *testing.T, path, row string, element [16]byte) {
	t.Helper()
	file, err := os.ReadFile(path)
	must(t, err)
	page := int(binary.NativeEndian.Uint32(file[24:]))
	lied := false
	for at := 2 * page; at+page <= len(file); at += page {
		const isLeaf = 2
		if binary.NativeEndian.Uint16(file[at+8:]) == isLeaf && strings.Contains(string(file[at:at+page]), row) {
			copy(file[at+16:], element[:])
			lied = true
		}
	}
	if !lied {
		t.Fatal("no page holds the row")
	}
	must(t, os.WriteFile(path, file, 0o600))
}

// element is a row's place on a leaf page as bbolt spells it.
func element(flags, at, key, value uint32) (e [16]byte) {
	for i, n := range []uint32{flags, at, key, value} {
		binary.NativeEndian.PutUint32(e[4*i:], n)
	}
	return e
}

// A page that lies of where its rows stand stops the store with an error, in
// whatever way bbolt falls over it.
func TestAPageThatLiesIsDamage(t *testing.T) {
	if underRace {
		t.Skip("a fault under the race detector ends the process")
	}
	for name, e := range map[string][16]byte{
		"far out of the file":  element(0, 1<<30, 1, 1),
		"longer than anything": element(0, 0xf0000000, 8, 8),
		"a value of that kind": element(0, 16, 8, 0xf0000000),
	} {
		for call, use := range map[string]func(k *kit) error{
			"read": func(k *kit) error {
				_, err := store.Read(k.Store, true, func(t *store.Tx) (int, error) {
					n := 0
					c := t.Cursor(notes)
					for key, value := c.First(); key != nil; key, value = c.Next() {
						for _, b := range append([]byte(string(key)), value...) {
							n += int(b)
						}
					}
					return n, nil
				})
				return err
			},
			"write": func(k *kit) error {
				return k.submit(func(t *store.Tx) (store.Record, error) {
					t.Put(notes, []byte("note 0000"), []byte(string(t.Get(notes, []byte("note 0000")))))
					return noted(), nil
				})
			},
		} {
			t.Run(name+", "+call, func(t *testing.T) {
				k := newKit(t)
				for n := range 40 {
					must(t, k.submit(put(fmt.Sprintf("note %04d", n), strings.Repeat("text ", 100))))
				}
				k.close()
				lie(t, k.path(), "note 0000", e)
				k.open()
				err := use(k)
				down, ok := errors.AsType[*store.UnavailableError](err)
				if !ok || down.Reason != store.ReasonDamaged || !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), k.path()) {
					t.Errorf("got %v", err)
				}
				if err := k.Ready(); !errors.Is(err, store.ErrDamaged) {
					t.Errorf("the store goes on: %v", err)
				}
			})
		}
	}
}

// What goes wrong in the caller's own code is its panic, and no damage.
func TestAPanicOfTheCallerIsNoDamage(t *testing.T) {
	k := newKit(t)
	for name, wrong := range map[string]func(t *store.Tx){
		"index": func(t *store.Tx) { _ = make([]int, 1)[t.Last()+1] },
		"nil":   func(*store.Tx) { var n *store.Call; n.Err = nil },
		"own":   func(*store.Tx) { panic("assertion of mine") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			store.Read(k.Store, false, func(t *store.Tx) (int, error) { wrong(t); return 0, nil })
		}()
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic in a step", name)
				}
			}()
			k.submit(func(t *store.Tx) (store.Record, error) { wrong(t); return store.Record{}, nil })
		}()
	}
	must(t, k.Ready())
	must(t, k.submit(put("a", "")))
}
