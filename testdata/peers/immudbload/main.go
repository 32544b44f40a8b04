// Command immudbload loads an immudb, by its own client, as its standard input says.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log"
	mrand "math/rand/v2"
	"net"
	"os"
	"strconv"

	"github.com/codenotary/immudb/pkg/api/schema"
	immudb "github.com/codenotary/immudb/pkg/client"

	"strongroom/testdata/peers/load"
)

func main() {
	address := flag.String("address", "127.0.0.1:3322", "of the immudb")
	sync := flag.Int64("sync", 1, "how many milliseconds immudb waits for company before it syncs")
	flag.Parse()
	ctx := context.Background()
	s := &store{record: make([]byte, 512), blobs: load.NewBlobs()}
	rand.Read(s.record)
	var err error
	if s.ImmuClient, err = open(ctx, *address, *sync); err != nil {
		log.Fatal(err)
	}
	if err := load.Serve(ctx, s, os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// open makes a database that syncs as often as is said and takes as many clients
// as there are: both are fixed when it is made, at 20 ms and 30 as it comes.
func open(ctx context.Context, address string, sync int64) (immudb.ImmuClient, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "immudbload")
	if err != nil {
		return nil, err
	}
	options := immudb.DefaultOptions().WithAddress(host).WithPort(number).WithDir(dir).WithDisableIdentityCheck(true)
	const name, password, database = "immudb", "immudb", "bench"
	c := immudb.NewClient().WithOptions(options)
	if err := c.OpenSession(ctx, []byte(name), []byte(password), "defaultdb"); err != nil {
		return nil, err
	}
	settings := &schema.DatabaseNullableSettings{
		SyncFrequency:  &schema.NullableMilliseconds{Value: sync},
		MaxConcurrency: &schema.NullableUint32{Value: 256},
	}
	if _, err := c.CreateDatabaseV2(ctx, database, settings); err != nil {
		return nil, err
	}
	if err := c.CloseSession(ctx); err != nil {
		return nil, err
	}
	c = immudb.NewClient().WithOptions(options)
	return c, c.OpenSession(ctx, []byte(name), []byte(password), database)
}

// store is the immudb. A document is a key with 512 bytes, as for etcd.
type store struct {
	immudb.ImmuClient
	blobs   load.Blobs
	records int
	record  []byte
}

func document(n int) []byte { return fmt.Appendf(nil, "documents/%09d", n) }

func (s *store) Seed(ctx context.Context, records int) error {
	const together = 1000
	for s.records < records {
		var puts []*schema.KeyValue
		for range min(together, records-s.records) {
			puts = append(puts, &schema.KeyValue{Key: document(s.records), Value: s.record})
			s.records++
		}
		if _, err := s.SetAll(ctx, &schema.SetRequest{KVs: puts}); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) Prepare(ctx context.Context, work string, clients int) (func(int) error, func() error, error) {
	switch work {
	case "metadata":
		return func(int) error {
			_, err := s.Set(ctx, document(mrand.IntN(s.records)), s.record)
			return err
		}, load.Nothing, nil
	case "upload":
		return func(int) error {
			id := rand.Text()
			_, err := s.SetAll(ctx, &schema.SetRequest{KVs: []*schema.KeyValue{
				{Key: []byte("blobs/" + id), Value: s.blobs.Next()}, {Key: []byte("documents/" + id), Value: s.record},
			}})
			return err
		}, load.Nothing, nil
	}
	return nil, nil, errors.New("there is no such work")
}
