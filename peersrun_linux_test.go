package main

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// process is a program that is started for a benchmark and killed with it.
type process struct {
	*exec.Cmd
	said *output // on standard error, and on output unless it is read
	gone chan struct{}
}

// start starts a program, after change has had its way with it.
func start(b *testing.B, change func(*exec.Cmd), program string, args ...string) *process {
	b.Helper()
	p := &process{Cmd: exec.Command(program, args...), said: newOutput(), gone: make(chan struct{})}
	p.Stdout, p.Stderr = p.said, p.said
	p.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if change != nil {
		change(p.Cmd)
	}
	if err := p.Start(); err != nil {
		b.Fatal(err)
	}
	go func() {
		defer close(p.gone)
		p.Wait()
	}()
	b.Cleanup(func() {
		p.Process.Kill()
		<-p.gone
	})
	return p
}

// freeAddress is one of this machine at which nobody listens.
func freeAddress(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// listens waits until somebody listens at the address.
func (p *process) listens(b *testing.B, address string) {
	b.Helper()
	for {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		}
		select {
		case <-p.gone:
			b.Fatalf("%s ended:\n%s", p.Path, p.said)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// rest waits until the process has nearly nothing to do, and half a minute at most.
func (p *process) rest() {
	const look = 200 * time.Millisecond
	before := p.ticks()
	for range int(30 * time.Second / look) {
		time.Sleep(look)
		now := p.ticks()
		if now-before <= 1 {
			return
		}
		before = now
	}
}

// ticks is how many hundredths of a second of processors the process has used.
func (p *process) ticks() int {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Process.Pid))
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return user + system
}

// loaded is a store that a client of testdata/peers loads: its own protocol is
// too much for this module to depend on.
type loaded struct {
	*process // the store
	client   *process
	in       io.Writer
	out      *bufio.Scanner
}

func load(b *testing.B, store *process, client string, args ...string) *loaded {
	b.Helper()
	l := &loaded{process: store}
	l.client = start(b, func(c *exec.Cmd) {
		c.Stdout = nil
		in, err := c.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		out, err := c.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		l.in, l.out = in, bufio.NewScanner(out)
	}, client, args...)
	return l
}

func (l *loaded) say(b *testing.B, format string, args ...any) string {
	b.Helper()
	fmt.Fprintf(l.in, format+"\n", args...)
	if !l.out.Scan() {
		<-l.client.gone
		b.Fatalf("%s ended:\n%s\n%s", l.client.Path, l.client.said, l.process.said)
	}
	return l.out.Text()
}

func (l *loaded) seed(b *testing.B, documents int) { l.say(b, "seed %d", documents) }

func (l *loaded) turn(b *testing.B, work string, clients int, duration time.Duration) float64 {
	b.Helper()
	var done int
	var seconds float64
	said := l.say(b, "turn %s %d %s", work, clients, duration)
	if _, err := fmt.Sscan(said, &done, &seconds); err != nil {
		b.Fatalf("%s says %q", l.client.Path, said)
	}
	return float64(done) / seconds
}

func startEtcd(b *testing.B, dir string) side {
	address, other := freeAddress(b), freeAddress(b)
	p := start(b, nil, *peers.etcd, "--data-dir", dir, "--listen-client-urls", "http://"+address, "--advertise-client-urls", "http://"+address,
		"--listen-peer-urls", "http://"+other, "--quota-backend-bytes", strconv.Itoa(8<<30), "--log-level", "error")
	p.listens(b, address)
	return load(b, p, build(b, "testdata/peers", "./etcdload"), "-address", address)
}

func startImmudb(b *testing.B, dir string) side {
	address := freeAddress(b)
	_, port, _ := net.SplitHostPort(address)
	p := start(b, func(c *exec.Cmd) {
		c.Env = append(os.Environ(), "IMMUDB_WEB_SERVER=false", "IMMUDB_METRICS_SERVER=false", "IMMUDB_PGSQL_SERVER=false", "IMMUDB_ADDRESS=127.0.0.1")
	}, *peers.immudb, "--dir", dir, "--port", port)
	p.listens(b, address)
	return load(b, p, build(b, "testdata/peers", "./immudbload"), "-address", address)
}

// blobs are 64 KiB each, other ones each time, at the price of a random number:
// equal ones cost less on some disks.
type blobs []byte

func newBlobs() blobs {
	b := make(blobs, 8<<20)
	rand.Read(b)
	return b
}

func (b blobs) next() []byte {
	at := mrand.IntN(len(b) - 64<<10)
	return b[at:][:64<<10]
}

// bareDisk is the disk without any store: what each of them could reach at most.
type bareDisk struct {
	f     *os.File
	grows bool // the file does, from turn to turn anew
	blobs
	at int64
}

const bareSize = 256 << 20

// newBareDisk makes a file, and writes it full once if it does not grow: to
// allocate it is not enough, since the first write of a block would change the
// file's metadata too.
func newBareDisk(b *testing.B, path string, grows bool) *bareDisk {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	d := &bareDisk{f: f, grows: grows, blobs: newBlobs()}
	for range bareSize / len(d.blobs) {
		if grows {
			break
		}
		if _, err := f.Write(d.blobs); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	return d
}

// turn overwrites 4 KiB with a sync each, however many clients there are, or, for
// uploads, writes a blob for each client with one sync for all.
func (d *bareDisk) turn(b *testing.B, work string, clients int, duration time.Duration) float64 {
	b.Helper()
	size, together := 4<<10, 1
	if work == "upload" {
		size, together = 64<<10, clients
	}
	done, began := 0, time.Now()
	for time.Since(began) < duration {
		for range together {
			if !d.grows && d.at+int64(size) > bareSize {
				d.at = 0
			}
			if _, err := d.f.WriteAt(d.next()[:size], d.at); err != nil {
				b.Fatal(err)
			}
			d.at += int64(size)
		}
		if err := syscall.Fdatasync(int(d.f.Fd())); err != nil {
			b.Fatal(err)
		}
		done += together
	}
	rate := float64(done) / time.Since(began).Seconds()
	if d.grows {
		d.at = 0
		if err := d.f.Truncate(0); err != nil {
			b.Fatal(err)
		}
	}
	return rate
}

func (d *bareDisk) rest() {}

// forAWhile has so many clients do their work until the time is over, and
// returns how often it was done in a second.
func forAWhile(b *testing.B, clients int, duration time.Duration, do func(client int) error) float64 {
	b.Helper()
	var (
		working sync.WaitGroup
		done    atomic.Int64
		failed  atomic.Bool
		began   = time.Now()
	)
	for client := range clients {
		working.Go(func() {
			n := int64(0)
			for time.Since(began) < duration && !failed.Load() {
				err := do(client)
				if errors.Is(err, errDone) {
					break
				}
				if err != nil {
					if !failed.Swap(true) {
						b.Error(err)
					}
					break
				}
				n++
			}
			done.Add(n)
		})
	}
	working.Wait()
	took := time.Since(began)
	if b.Failed() {
		b.FailNow()
	}
	return float64(done.Load()) / took.Seconds()
}

// startStrongroom starts our server, built of this checkout unless there is a
// program. It is as it comes, but that it does not read what it keeps in the
// background meanwhile, and that one user may have every upload there is.
func startStrongroom(b *testing.B, program, dir string) side {
	if program == "" {
		program = build(b, ".", "strongroom")
	}
	p := start(b, nil, program, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--log-level", "warn", "--scrub-rate", "0", "--max-uploads", "256")
	url := strings.TrimSpace(strings.TrimPrefix(p.said.await(b, p.gone, listening+`\n`), "listening on "))
	s := &server{url: url, data: dir}
	return newVaultSide(b, p, strings.TrimPrefix(url, "http://"), s.firstKey(b))
}
