package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"time"

	"strongroom/audit"
)

// A log is written one entry after the other: Next spells the line, the
// caller stores it, and keeps the head for the next one.
func ExampleHead_Next() {
	var head audit.Head
	stamp := audit.Stamp{Time: time.Date(2026, 11, 21, 17, 36, 1, 123e6, time.UTC), Actor: "operator"}
	line, head, err := head.Next(stamp, audit.Event{
		Op:    audit.OpVaultCreated,
		Facts: audit.Facts{"vault": audit.Text("01JD6QGZ3MZ4Y8T6V1E9B7K2RW"), "format": audit.Number(1)},
	}, audit.Hash{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s%s", line, head.Text())
	// Output:
	// {"seq":1,"prev":"","time":"2026-11-21T17:36:01.123Z","actor":"operator","key":"","op":"vault.created","document":"","version":0,"facts":{"format":1,"vault":"01JD6QGZ3MZ4Y8T6V1E9B7K2RW"},"detail":""}
	// strongroom audit head 01JD6QGZ3MZ4Y8T6V1E9B7K2RW
	// 1 2026-11-21T17:36:01.123Z
	// 7067254c4b876a8cf27a161526271d7ec6a33bc66df22be898e2514ac3e771fd
}

// A head that was printed and kept elsewhere shows that the end of a log was
// cut off, which the log alone cannot.
func ExampleVerify() {
	var head audit.Head
	var lines [][]byte
	stamp := audit.Stamp{Time: time.Date(2026, 11, 21, 17, 36, 1, 123e6, time.UTC), Actor: "operator"}
	for _, event := range []audit.Event{
		{Op: audit.OpVaultCreated, Facts: audit.Facts{"vault": audit.Text("01JD6QGZ3MZ4Y8T6V1E9B7K2RW"), "format": audit.Number(1)}},
		{Op: audit.OpSettingsUpdated, Facts: audit.Facts{"changed": audit.Texts("auditReads")}},
		{Op: audit.OpAuditExported, Facts: audit.Facts{"after": audit.Number(0), "through": audit.Number(2)}},
	} {
		line, next, err := head.Next(stamp, event, audit.Hash{})
		if err != nil {
			log.Fatal(err)
		}
		lines, head = append(lines, line), next
	}
	kept, err := audit.ParseHead(head.Text())
	if err != nil {
		log.Fatal(err)
	}

	cut := bytes.Join(lines[:2], nil)
	report, err := audit.Verify(context.Background(), bytes.NewReader(cut), audit.VerifyOptions{})
	fmt.Println(report.Entries, len(report.Findings), err)
	report, err = audit.Verify(context.Background(), bytes.NewReader(cut), audit.VerifyOptions{Heads: []audit.Head{kept}})
	fmt.Println(report.Entries, report.Findings[0].Seq, report.Findings[0].Code, err)
	// Output:
	// 2 0 <nil>
	// 2 3 cut_tail <nil>
}

// The chain of a version is computed from what the API says of it.
func ExampleVersionChain() {
	chain := audit.VersionChain(audit.Hash{}, "01JD6R0V5XJ8M2H4Q7Z9C3E6TB", 1,
		"sha256:4366abd558e2246e334eab59e2d2fd052e7f2ff59953e5f28759199581661fa8", 13, "text/plain",
		time.Date(2026, 11, 21, 17, 36, 3, 125e6, time.UTC), "01JD6QGZ3NQ5C3W0XHDA4M8V2E")
	fmt.Println(chain)
	// Output: 0a249da7b36f0ab3ccf248e60c74448a94580a0af6c44493247192de9bc127e2
}
