package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"strongroom/audit"
	"strongroom/engine"
)

// book is a vault of lines in memory that is as strict as engine's: each group goes on
// from the last, by number and by hash. It is for tests under synctest's clock, which does
// not run while somebody waits for a mutex, as callers of a real vault do. It
// survives its handles as a disk does.
type book struct {
	mu    sync.Mutex // held for moments
	lines []string   // of groups 1 and up
	head  audit.Hash
	by    *pages // who has it open
}

func (b *book) put(line string) {
	b.lines = append(b.lines, line)
	b.head = sha256.Sum256(append(b.head[:], line...))
}

// pages is an open book.
type pages struct {
	b    *book
	o    engine.Options
	turn chan struct{} // holds a token while nobody writes
	mu   sync.Mutex
	down error
}

func (b *book) Open(_ string, o engine.Options) (vault, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.by != nil {
		return nil, engine.ErrVaultInUse
	}
	b.by = &pages{b: b, o: o, turn: make(chan struct{}, 1)}
	b.by.turn <- struct{}{}
	return b.by, nil
}

// crash closes nothing, and lets another open it.
func (b *book) crash() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.by = nil
}

func (b *book) read() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.lines)
}

func (p *pages) ID() string    { return "book" }
func (p *pages) Wiped() uint64 { return 0 }

func (p *pages) Ready() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.down
}

func (p *pages) stop(reason engine.UnavailableReason, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down == nil {
		p.down = &engine.UnavailableError{Reason: reason, Err: err}
	}
}

func (p *pages) Group() (uint64, error) { return p.Head().Seq, p.Ready() }

func (p *pages) Head() audit.Head {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	return audit.Head{Seq: uint64(len(p.b.lines))}
}

// record spells the next group: its number, the hash before it, its line.
func (p *pages) record(line string) (uint64, []byte) {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	n := uint64(len(p.b.lines)) + 1
	return n, append(append(binary.BigEndian.AppendUint64(nil, n), p.b.head[:]...), line...)
}

func (p *pages) EmptyGroup() (uint64, []byte, error) {
	n, record := p.record("")
	return n, record, p.Ready()
}

// Write is a change: when it returns nil, the line is for ever.
func (p *pages) Write(line string) error {
	<-p.turn
	defer func() { p.turn <- struct{}{} }()
	if err := p.Ready(); err != nil {
		return err
	}
	if p.o.Follow {
		return engine.ErrFollower
	}
	n, record := p.record(line)
	err := p.o.Home.Ship(n, record)
	if err == nil {
		err = p.land(record)
	}
	if err != nil {
		p.stop(engine.ReasonOutcomeUnknown, err)
	}
	return err
}

func (p *pages) land(record []byte) error {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	if p.b.by != p {
		return errors.New("the machine is off")
	}
	n := binary.BigEndian.Uint64(record)
	if n != uint64(len(p.b.lines))+1 || audit.Hash(record[8:40]) != p.b.head {
		return fmt.Errorf("%w: group %d after %d", engine.ErrRecord, n, len(p.b.lines))
	}
	p.b.put(string(record[40:]))
	return nil
}

func (p *pages) Apply(_ context.Context, records ...[]byte) error {
	for _, record := range records {
		if err := p.land(record); err != nil {
			return err
		}
	}
	return nil
}

func (p *pages) CopyDatabase(func(engine.DatabaseCopy) error) error { return errors.ErrUnsupported }

func (p *pages) Close() error {
	<-p.turn // waits for the write that is under way
	defer func() { p.turn <- struct{}{} }()
	p.stop(engine.ReasonClosed, nil)
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	if p.b.by == p {
		p.b.by = nil
	}
	return nil
}
