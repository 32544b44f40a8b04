package cluster

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
)

// A snapshot is a gzip file of members, each of which holds packBlock bytes of the database, the
// last fewer, and says in its extra field SR how long it is itself. So gunzip makes a
// database of it, and as many cores as there are can pack and unpack it.
const (
	packBlock  = 1 << 20
	packHeader = 10 + 2 + 8        // fixed, length of the extra field, the field
	packMost   = packBlock + 1<<16 // a member; what cannot be compressed grows a little
)

// packExtra is the extra field, with four bytes for the length.
var packExtra = []byte{'S', 'R', 4, 0, 0, 0, 0, 0}

// packed is a block on its way through another goroutine.
type packed struct {
	b   []byte
	err error
}

// packer writes to w what is written to it, packed. It uses half of the cores, since
// who packs has other things to do.
type packer struct {
	block  []byte
	queue  chan chan packed // in order; as long as there are workers
	ended  chan struct{}
	writer sync.Pool

	mu  sync.Mutex // guards err
	err error
}

func newPacker(w io.Writer) *packer {
	p := &packer{queue: make(chan chan packed, max(runtime.GOMAXPROCS(0)/2, 1)), ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		for answer := range p.queue {
			member := <-answer
			if member.err == nil && p.failed() == nil {
				_, member.err = w.Write(member.b)
			}
			if member.err != nil {
				p.fail(member.err)
			}
		}
	}()
	return p
}

func (p *packer) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *packer) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = errors.Join(p.err, err)
}

func (p *packer) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		if err := p.failed(); err != nil {
			return n, err
		}
		if p.block == nil {
			p.block = make([]byte, 0, packBlock)
		}
		took := min(len(b), packBlock-len(p.block))
		p.block = append(p.block, b[:took]...)
		b, n = b[took:], n+took
		if len(p.block) == packBlock {
			p.send()
		}
	}
	return n, nil
}

func (p *packer) send() {
	block, answer := p.block, make(chan packed, 1)
	p.block = nil
	p.queue <- answer
	go func() {
		b, err := p.pack(block)
		answer <- packed{b, err}
	}()
}

func (p *packer) pack(block []byte) ([]byte, error) {
	var out bytes.Buffer
	z, _ := p.writer.Get().(*gzip.Writer)
	if z == nil {
		// As fast as it can: the vault holds its pages meanwhile, and the usual level takes
		// twice as long for a fourteenth fewer bytes.
		z, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is one that there is
	}
	defer p.writer.Put(z)
	z.Reset(&out)
	z.Extra = packExtra
	_, err := z.Write(block)
	if err := errors.Join(err, z.Close()); err != nil {
		return nil, err
	}
	b := out.Bytes()
	binary.LittleEndian.PutUint32(b[packHeader-4:], uint32(len(b)))
	return b, nil
}

// Close writes what is left, and returns when all is written. It does not close w.
func (p *packer) Close() error {
	if len(p.block) > 0 {
		p.send()
	}
	close(p.queue)
	<-p.ended
	return p.failed()
}

// unpacker is what was packed, read from r ahead of who reads it.
type unpacker struct {
	queue chan chan packed
	stop  chan struct{}
	ended chan struct{} // closed when r is not read any more
	block []byte
	err   error
}

func newUnpacker(r io.Reader) *unpacker {
	u := &unpacker{queue: make(chan chan packed, runtime.GOMAXPROCS(0)), stop: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(u.ended)
		defer close(u.queue)
		for {
			member, err := readMember(r)
			answer := make(chan packed, 1)
			select {
			case u.queue <- answer:
			case <-u.stop:
				return
			}
			if err != nil {
				answer <- packed{err: err}
				return
			}
			go func() {
				b, err := unpack(member)
				answer <- packed{b, err}
			}()
		}
	}()
	return u
}

// readMember returns io.EOF where one could begin and none does.
func readMember(r io.Reader) ([]byte, error) {
	header := make([]byte, packHeader)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(header[packHeader-4:])
	if !bytes.Equal(header[12:packHeader-4], packExtra[:4]) || size <= packHeader || size > packMost {
		return nil, fmt.Errorf("%w: a snapshot with a member that is none", ErrDamaged)
	}
	member := append(header, make([]byte, size-packHeader)...)
	_, err := io.ReadFull(r, member[packHeader:])
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return member, err
}

func unpack(member []byte) ([]byte, error) {
	from := bytes.NewReader(member)
	z, err := gzip.NewReader(from)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	block := bytes.NewBuffer(make([]byte, 0, packBlock+bytes.MinRead))
	if _, err := block.ReadFrom(io.LimitReader(z, packBlock+1)); err != nil {
		return nil, err
	}
	if block.Len() > packBlock || from.Len() > 0 {
		return nil, fmt.Errorf("%w: a snapshot with a member of another length than it says", ErrDamaged)
	}
	return block.Bytes(), nil
}

func (u *unpacker) Read(b []byte) (int, error) {
	for len(u.block) == 0 && u.err == nil {
		member := <-<-u.queue
		u.block, u.err = member.b, member.err
	}
	if len(u.block) == 0 {
		return 0, u.err
	}
	n := copy(b, u.block)
	u.block = u.block[n:]
	return n, nil
}

// Close ends the reading ahead, and returns when r is not read any more: whoever waits for
// r ends that first.
func (u *unpacker) Close() {
	close(u.stop)
	<-u.ended
}
