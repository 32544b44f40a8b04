package audit

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// testLog writes a log as the engine does: an event becomes a line, and its
// detail a row.
type testLog struct {
	head    Head
	lines   [][]byte
	details [][]byte
	doc     map[string][]version
}

type version struct {
	digest string
	size   uint64
	chain  Hash
}

func (l *testLog) add(actor, key string, e Event) {
	at := testStart.Add(time.Duration(l.head.Seq) * 1001 * time.Millisecond)
	row := DetailRow{Seq: l.head.Seq + 1, Detail: e.Detail}
	for i := range row.Salt {
		row.Salt[i] = byte(16*(l.head.Seq+1)) + byte(i)
	}
	var detail Hash
	if e.Detail != nil {
		detail = row.Hash()
		line, err := row.Append(nil)
		if err != nil {
			panic(err)
		}
		l.details = append(l.details, line)
	}
	line, next, err := l.head.Next(Stamp{at, actor, key}, e, detail)
	if err != nil {
		panic(err)
	}
	l.lines, l.head = append(l.lines, line), next
}

// version adds a version of a document; the first creates it.
func (l *testLog) version(id, content, detail string) {
	at := testStart.Add(time.Duration(l.head.Seq) * 1001 * time.Millisecond)
	v := version{digest: fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content))), size: uint64(len(content))}
	if l.doc == nil {
		l.doc = map[string][]version{}
	}
	var prev Hash
	if n := len(l.doc[id]); n > 0 {
		prev = l.doc[id][n-1].chain
	}
	number := uint64(len(l.doc[id]) + 1)
	v.chain = VersionChain(prev, id, number, v.digest, v.size, "text/plain", at, testUser)
	e := Event{
		Op: OpDocumentVersionAdded, Document: id, Version: number, Facts: Facts{"chain": Text(v.chain.String()),
			"digest": Text(v.digest), "mediaType": Text("text/plain"), "size": Number(v.size)},
	}
	if number == 1 {
		e.Op = OpDocumentCreated
		e.Facts["owner"] = Text(testUser)
	}
	if detail != "" {
		e.Detail = []byte(detail)
	}
	l.doc[id] = append(l.doc[id], v)
	l.add(testUser, testKey, e)
}

// remove deletes a document.
func (l *testLog) remove(id string) {
	var certificate []byte
	var last version
	for i, v := range l.doc[id] {
		certificate = AppendCertificate(certificate, uint64(i+1), v.digest, v.size, v.chain)
		last = v
	}
	n := uint64(len(l.doc[id]))
	l.add(testUser, testKey, Event{Op: OpDocumentDeleted, Document: id, Version: n, Facts: Facts{
		"right": Text("manual"), "versions": Number(n), "chain": Text(last.chain.String()),
		"certificate": Text(HashLine(certificate).String())}})
}

func (l *testLog) log() []byte  { return bytes.Join(l.lines, nil) }
func (l *testLog) rows() []byte { return bytes.Join(l.details, nil) }

// workedExample is the log of the package doc.
func workedExample() *testLog {
	l := &testLog{}
	l.add("operator", "", Event{Op: OpVaultCreated,
		Facts: Facts{"vault": Text(testVault), "format": Number(1)}, Detail: []byte(`{"name":"main"}`)})
	l.add("operator", "", Event{Op: OpUserCreated,
		Facts:  Facts{"user": Text(testUser), "access": Text("admin"), "status": Text("active"), "canLock": Text("true")},
		Detail: []byte(`{"name":"Zoë","email":"zoe@example.com"}`)})
	l.version(testDoc, "Hello, vault\n", `{"name":"Greeting","fileName":"hello.txt"}`)
	l.version(testDoc, "Hello again\n", "")
	return l
}

// fullLog has every kind of thing that verification looks at. The detail of
// entry 5 is erased.
func fullLog() *testLog {
	const other = "01JD6R0V5XJ8M2H4Q7Z9C3E6TC"
	l := workedExample()
	l.version(other, "", `{"name":"Empty"}`)
	l.add(testUser, testKey, Event{Op: OpSettingsUpdated, Facts: Facts{"changed": Texts("auditReads", "timeZone")},
		Detail: []byte(`{"auditReads":{"old":false,"new":true}}`)})
	l.version(other, "no longer", "")
	l.add(testUser, testKey, Event{Op: OpDocumentDownloaded, Document: testDoc, Version: 2,
		Facts: Facts{"digest": Text(l.doc[testDoc][1].digest)}})
	l.remove(other)
	l.add("system", "", Event{Op: OpErasureCompleted, Document: other, Facts: Facts{"erasure": Text("E1")}})
	l.details = slices.DeleteFunc(l.details, func(row []byte) bool { return bytes.HasPrefix(row, []byte(`{"seq":5,`)) })
	return l
}

func verify(t *testing.T, log []byte, o VerifyOptions) Report {
	t.Helper()
	r, err := Verify(t.Context(), bytes.NewReader(log), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// codes are the findings in short: "seq code", with commas between.
func codes(r Report) string {
	var s []string
	for _, f := range r.Findings {
		s = append(s, fmt.Sprintf("%d %s", f.Seq, f.Code))
	}
	return strings.Join(s, ", ")
}
