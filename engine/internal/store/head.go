package store

import (
	"sync"

	"strongroom/audit"
)

// journal is the head of the log in memory, and who waits for it to move. The
// head here is on disk: it moves only after a commit.
type journal struct {
	mu    sync.Mutex // leaf lock
	head  audit.Head
	moved chan struct{} // closed, and made anew, whenever head moves or the store stops
}

func (j *journal) init() { j.moved = make(chan struct{}) }

func (j *journal) move(head audit.Head) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.head = head
	close(j.moved)
	j.moved = make(chan struct{})
}

func (j *journal) wake() {
	j.mu.Lock()
	defer j.mu.Unlock()
	close(j.moved)
	j.moved = make(chan struct{})
}

func (j *journal) state() (audit.Head, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.head, j.moved
}

// Head is the log's last entry on disk.
func (s *Store) Head() audit.Head {
	head, _ := s.journal.state()
	return head
}
