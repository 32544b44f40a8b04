// Command etcdload loads an etcd, by its own client, as its standard input says.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log"
	mrand "math/rand/v2"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"strongroom/testdata/peers/load"
)

func main() {
	address := flag.String("address", "127.0.0.1:2379", "of the etcd")
	flag.Parse()
	s := &store{record: make([]byte, 512), blobs: load.NewBlobs()}
	rand.Read(s.record)
	var err error
	if s.Client, err = clientv3.New(clientv3.Config{Endpoints: []string{*address}, DialTimeout: 30 * time.Second}); err != nil {
		log.Fatal(err)
	}
	if err := load.Serve(context.Background(), s, os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// store is the etcd. A document is a key with 512 bytes, which is about what a
// vault keeps of one. All clients share a connection: with one each etcd is slower.
type store struct {
	*clientv3.Client
	blobs   load.Blobs
	records int
	record  []byte
}

func document(n int) string { return fmt.Sprintf("documents/%09d", n) }

func (s *store) Seed(ctx context.Context, records int) error {
	const together = 100 // etcd takes 128 operations in one transaction
	for s.records < records {
		var puts []clientv3.Op
		for range min(together, records-s.records) {
			puts = append(puts, clientv3.OpPut(document(s.records), string(s.record)))
			s.records++
		}
		if _, err := s.Txn(ctx).Then(puts...).Commit(); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) Prepare(ctx context.Context, work string, clients int) (func(int) error, func() error, error) {
	if s.records < clients {
		return nil, nil, errors.New("fewer records than clients")
	}
	// A client has records of its own, so none waits for another's lock.
	mine := func(client int) string { return document(client + clients*mrand.IntN(s.records/clients)) }
	switch work {
	case "metadata":
		return func(client int) error {
			_, err := s.Put(ctx, mine(client), string(s.record))
			return err
		}, load.Nothing, nil
	case "upload":
		return func(client int) error {
			id := rand.Text()
			_, err := s.Txn(ctx).Then(
				clientv3.OpPut("blobs/"+id, string(s.blobs.Next())),
				clientv3.OpPut("documents/"+id, string(s.record)),
			).Commit()
			return err
		}, load.Nothing, nil
	case "lock", "renew":
		return s.leased(ctx, work, clients, mine)
	}
	return nil, nil, errors.New("there is no such work")
}

// leased prepares the work that needs a lease for each client. A lock is a key
// that only one can create, bound to a lease, and two commits; to renew one is a
// keepalive, which etcd does not write to its disk.
func (s *store) leased(ctx context.Context, work string, clients int, mine func(int) string) (func(int) error, func() error, error) {
	leases := make([]clientv3.LeaseID, clients)
	for i := range leases {
		granted, err := s.Grant(ctx, 300)
		if err != nil {
			return nil, nil, err
		}
		leases[i] = granted.ID
	}
	end := func() (err error) {
		for _, lease := range leases {
			_, failed := s.Revoke(ctx, lease)
			err = errors.Join(err, failed)
		}
		return err
	}
	if work == "renew" {
		return func(client int) error {
			_, err := s.KeepAliveOnce(ctx, leases[client])
			return err
		}, end, nil
	}
	return func(client int) error {
		key := "locks/" + mine(client)
		taken, err := s.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
			Then(clientv3.OpPut(key, "token", clientv3.WithLease(leases[client]))).Commit()
		if err != nil {
			return err
		}
		if !taken.Succeeded {
			return fmt.Errorf("%s is locked", key)
		}
		_, err = s.Delete(ctx, key)
		return err
	}, end, nil
}
