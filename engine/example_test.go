package engine_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"strongroom/engine"
)

// A vault is made, somebody is let in, and a contract is kept, edited under a
// lock, held, and proved to be what it was.
func Example() {
	parent, err := os.MkdirTemp("", "example")
	check(err)
	defer os.RemoveAll(parent)
	ctx := context.Background()

	vault, err := engine.Create(filepath.Join(parent, "acme"), engine.Options{})
	check(err)
	defer vault.Close()

	// The operator lets the first person in. The token is shown this once.
	ada, _, err := vault.CreateUser(ctx, engine.Operator(), engine.NewUser{Name: "Ada", Access: engine.AccessAdmin})
	check(err)
	_, secret, _, err := vault.CreateKey(ctx, engine.Operator(), engine.NewKey{Name: "laptop", UserID: ada.ID})
	check(err)
	actor, err := vault.Authenticate(ctx, secret.Reveal())
	check(err)

	// Bytes are staged first, then a document is made of them.
	upload, err := vault.Stage(ctx, strings.NewReader("The price is 100.\n"), 1<<30)
	check(err)
	defer upload.Discard()
	document, receipt, err := vault.CreateDocument(ctx, actor, engine.NewDocument{
		Name: "Lease", Category: "contract", Version: engine.NewVersion{FileName: "lease.txt", MediaType: "text/plain"},
	}, upload)
	check(err)
	fmt.Println(document.Name, "is version", document.Current.Number, "- and on record:", receipt.Seq > 0)

	// A lock keeps others away. Its token goes with each change.
	lock, _, err := vault.AcquireLock(ctx, actor, document.ID, engine.Condition{}, engine.NewLock{Duration: 5 * time.Minute})
	check(err)
	held := engine.Condition{LockToken: lock.Token}
	changed, err := vault.Stage(ctx, strings.NewReader("The price is 120.\n"), 1<<30)
	check(err)
	defer changed.Discard()
	document, _, err = vault.AddVersion(ctx, actor, document.ID, held, engine.NewVersion{FileName: "lease.txt"}, changed)
	check(err)
	_, _, err = vault.ReleaseLock(ctx, actor, document.ID, held, true)
	check(err)
	fmt.Println(document.Name, "is version", document.Current.Number)

	// A legal hold stands in the way of deletion.
	_, _, err = vault.PlaceHold(ctx, actor, document.ID, engine.Condition{}, engine.NewHold{Reason: "Acme against Doe", Matter: "Doe"})
	check(err)
	_, _, err = vault.DeleteDocument(ctx, actor, document.ID, engine.Condition{Reason: "tidying up"})
	fmt.Println(err)

	// Everything is compared with the log, the bytes too.
	report, err := vault.Verify(ctx, engine.VerifyOptions{Bytes: true})
	check(err)
	fmt.Println(report.Documents, "document,", report.Versions, "versions,", len(report.Findings), "findings")

	// Output:
	// Lease is version 1 - and on record: true
	// Lease is version 2
	// 1 active legal holds keep this document
	// 1 document, 2 versions, 0 findings
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
