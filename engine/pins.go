package engine

import (
	"bytes"
	"sync"
)

// pins keep the bytes that a running backup has yet to copy: a purge leaves
// them, and the backup purges them when it ends. Blobs are copied in the order
// of their digests, so those up to the last one copied are free again.
type pins struct {
	mu     sync.Mutex // a leaf lock
	held   bool
	copied *Digest // the last; nil: none yet
	later  []Digest
}

func (p *pins) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held, p.copied = true, nil
}

func (p *pins) passed(d Digest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.copied = &d
}

// hold says whether a digest must stay, and notes it for the end.
func (p *pins) hold(d Digest) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.held || p.copied != nil && bytes.Compare(d[:], p.copied[:]) <= 0 {
		return false
	}
	p.later = append(p.later, d)
	return true
}

// waiting says whether anything is held back.
func (p *pins) waiting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.later) > 0
}

// end lets go and returns what was held back.
func (p *pins) end() []Digest {
	p.mu.Lock()
	defer p.mu.Unlock()
	later := p.later
	p.held, p.later = false, nil
	return later
}
