// Package s3test starts a real store that speaks S3, for tests.
//
// Which one is said by STRONGROOM_TEST_S3, the path of a program whose name tells what
// it is: versitygw or minio. Without it the tests are skipped.
// `.ci/run` builds the first.
package s3test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"strongroom/blobstore/s3"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Program is the name of the environment variable.
const Program = "STRONGROOM_TEST_S3"

// Bucket is one that every server has.
const Bucket = "vaults"

const (
	accessKey = "strongroom"
	secretKey = "strongroom-secret"
	patience  = 30 * time.Second // until a server answers
)

// Server is a store of a test's own. Its methods are for one goroutine.
type Server struct {
	URL  string
	Dir  string // where it keeps everything
	Name string // versitygw, minio

	t       testing.TB
	program string
	args    []string
	env     []string
	cmd     *exec.Cmd     // nil: it is not running
	ended   chan struct{} // closed when cmd has been waited for
	log     *output
}

// Start starts a server with an empty Bucket, and ends it with the test. It skips the
// test where there is no program.
func Start(t testing.TB) *Server {
	t.Helper()
	program := os.Getenv(Program)
	if program == "" {
		t.Skip(Program + " names no program")
	}
	s := &Server{t: t, program: program, Name: strings.TrimSuffix(filepath.Base(program), ".exe"), Dir: t.TempDir(), log: &output{}}
	address := freeAddress(t)
	s.URL = "http://" + address
	s.arguments(address)
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("%s says:\n%s", s.Name, s.log.tail())
		}
	})
	s.start()
	s.MakeBucket(Bucket)
	return s
}

func (s *Server) arguments(address string) {
	s.env = append(os.Environ(), "ROOT_ACCESS_KEY="+accessKey, "ROOT_SECRET_KEY="+secretKey,
		"MINIO_ROOT_USER="+accessKey, "MINIO_ROOT_PASSWORD="+secretKey)
	switch s.Name {
	case "versitygw":
		// Attributes beside the objects: not every file system has them of its own.
		objects, attributes, versions := filepath.Join(s.Dir, "objects"), filepath.Join(s.Dir, "attributes"), filepath.Join(s.Dir, "versions")
		for _, dir := range []string{objects, attributes, versions} {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				s.t.Fatal(err)
			}
		}
		s.args = []string{"--port", address, "--quiet", "--keep-alive", "posix", "--sidecar", attributes, "--versioning-dir", versions, objects}
	case "minio":
		s.args = []string{"server", "--quiet", "--address", address, s.Dir}
	default:
		s.t.Fatalf("%s=%s: the program is versitygw or minio", Program, s.program)
	}
}

// Config is how to reach the server, below a prefix of Bucket.
func (s *Server) Config(prefix string) s3.Config {
	return s3.Config{Bucket: Bucket, Prefix: prefix, Endpoint: s.URL, AccessKey: accessKey, SecretKey: secretKey}
}

// Environ is the same by the names of AWS, for a program.
func (s *Server) Environ() []string {
	return []string{"AWS_ENDPOINT_URL=" + s.URL, "AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey, "AWS_REGION=us-east-1"}
}

// Open returns a client for what is below a prefix of Bucket.
func (s *Server) Open(prefix string) *s3.Client {
	s.t.Helper()
	c, err := s3.Open(s.Config(prefix))
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// Pause stops the server in the middle of whatever it does, with its connections
// open, until Resume.
func (s *Server) Pause() { s.t.Helper(); s.signal(pause) }

// Resume has a paused server go on.
func (s *Server) Resume() { s.t.Helper(); s.signal(resume) }

func (s *Server) signal(send func(*os.Process) error) {
	s.t.Helper()
	if s.cmd == nil {
		s.t.Fatal("the server is not running")
	}
	if err := send(s.cmd.Process); errors.Is(err, errors.ErrUnsupported) {
		s.t.Skip("a process cannot be paused here")
	} else if err != nil {
		s.t.Fatal(err)
	}
}

// Kill ends the server without a warning. What it has kept stays.
func (s *Server) Kill() {
	s.t.Helper()
	if s.cmd == nil {
		s.t.Fatal("the server is not running")
	}
	s.stop()
}

// Restart starts it again after Kill, at the same address.
func (s *Server) Restart() {
	s.t.Helper()
	if s.cmd != nil {
		s.t.Fatal("the server is running")
	}
	s.start()
}

func (s *Server) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill() // it may have ended by itself
		<-s.ended
		s.cmd = nil
	}
}

func (s *Server) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.program, s.args...)
	s.cmd.Env, s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.env, s.Dir, s.log, s.log
	dieWithParent(s.cmd)
	cmd, ended, started := s.cmd, make(chan struct{}), make(chan error)
	s.ended = ended
	go func() {
		defer close(ended)
		// The parent that a process dies with is the thread that started it: this one
		// stays until it has.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // killed, as a rule
		}
	}()
	if err := <-started; err != nil {
		s.cmd = nil
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for err := s.answers(ctx); err != nil; err = s.answers(ctx) {
		if ctx.Err() != nil {
			s.t.Fatalf("%s does not answer: %v\n%s", s.Name, err, s.log.tail())
		}
		time.Sleep(20 * time.Millisecond) // it is a process of its own
	}
}

func (s *Server) answers(ctx context.Context) error {
	_, err := s.admin().ListBuckets(ctx)
	return err
}

func (s *Server) admin() *minio.Client {
	client, err := minio.New(strings.TrimPrefix(s.URL, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Region: "us-east-1", BucketLookup: minio.BucketLookupPath, MaxRetries: 1,
		Transport: &http.Transport{DisableKeepAlives: true},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

// MakeBucket makes one more bucket.
func (s *Server) MakeBucket(name string) {
	s.t.Helper()
	s.done("make the bucket "+name, func(ctx context.Context, c *minio.Client) error {
		return c.MakeBucket(ctx, name, minio.MakeBucketOptions{})
	})
}

// SetVersioning has a bucket keep versions, or no more.
func (s *Server) SetVersioning(bucket string, on bool) {
	s.t.Helper()
	s.done("set the versioning of "+bucket, func(ctx context.Context, c *minio.Client) error {
		if on {
			return c.EnableVersioning(ctx, bucket)
		}
		return c.SuspendVersioning(ctx, bucket)
	})
}

func (s *Server) done(what string, do func(context.Context, *minio.Client) error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := do(ctx, s.admin()); err != nil {
		s.t.Fatalf("%s: %v\n%s", what, err, s.log.tail())
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// output keeps the end of what a program says.
type output struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.b.Len() > 256<<10 {
		o.b.Next(128 << 10)
	}
	return o.b.Write(p)
}

func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.b.Bytes()
	return string(b[max(0, len(b)-8<<10):])
}
