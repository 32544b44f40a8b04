package audit

import (
	"crypto/sha256"
	"encoding"
	"fmt"
	"hash"
)

// lineages follows the versions of every living document through the log.
type lineages struct {
	of     map[string]*lineage
	count  uint64 // versions seen
	sum    hash.Hash
	buffer []byte
}

// lineage is what is known of a document's versions after the last of them.
type lineage struct {
	number      uint64
	chain       Hash
	certificate []byte // state of the SHA-256 over the certificate's lines
}

func newLineages() *lineages {
	return &lineages{of: map[string]*lineage{}, sum: sha256.New()}
}

// sumState is how long the state of a SHA-256 is.
const sumState = 108

// versionFacts are the facts of entries about versions. What is missing or of
// another kind is zero.
type versionFacts struct {
	chain, certificate       Hash
	digest, mediaType        []byte
	size, restored, versions uint64
	sized                    bool // size is there: it may be 0
}

func readVersionFacts(facts []byte) (v versionFacts) {
	for name, value, rest := walk(facts); name != nil; name, value, rest = walk(rest) {
		switch string(name) {
		case "chain":
			decodeHex(v.chain[:], rawText(value))
		case "certificate":
			decodeHex(v.certificate[:], rawText(value))
		case "digest":
			v.digest = rawText(value)
		case "mediaType":
			v.mediaType = rawText(value)
		case "size":
			v.size, v.sized = rawNumber(value)
		case "restored":
			v.restored, _ = rawNumber(value)
		case "versions":
			v.versions, _ = rawNumber(value)
		}
	}
	return v
}

// entry follows an entry and returns what is wrong with it, "" if nothing is.
// After a wrong entry it goes on from what the entry says, so that one
// mistake is one finding.
func (l *lineages) entry(f *fields) string {
	switch Op(f.op) {
	case OpDocumentCreated:
		return l.created(f)
	case OpDocumentVersionAdded:
		return l.added(f)
	case OpDocumentDeleted:
		return l.deleted(f)
	}
	return ""
}

func (l *lineages) created(f *fields) string {
	if l.of[string(f.document)] != nil {
		return fmt.Sprintf("document %s is created twice", f.document)
	}
	l.sum.Reset()
	d := &lineage{certificate: make([]byte, 0, sumState)}
	l.of[string(f.document)] = d
	return l.version(d, f)
}

func (l *lineages) added(f *fields) string {
	d := l.of[string(f.document)]
	if d == nil {
		return fmt.Sprintf("document %s has no version 1, or is deleted", f.document)
	}
	// The state is one that AppendBinary made; it cannot be refused.
	_ = l.sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(d.certificate)
	return l.version(d, f)
}

// version checks the version of an entry against the lineage, and adds it.
// l.sum stands at the certificate of the versions before.
func (l *lineages) version(d *lineage, f *fields) string {
	v := readVersionFacts(f.facts)
	chain := versionChain(d.chain, f.document, f.version, v.digest, v.size, v.mediaType, f.time(), f.actor)
	var wrong string
	switch {
	case f.version != d.number+1:
		wrong = fmt.Sprintf("document %s: version %d comes after version %d", f.document, f.version, d.number)
	case !isDigest(v.digest) || len(v.mediaType) == 0 || !v.sized:
		wrong = fmt.Sprintf("document %s version %d: the digest, size or media type is missing", f.document, f.version)
	case v.chain != chain:
		wrong = fmt.Sprintf("document %s version %d: its chain is %s, but what the entry says gives %s", f.document, f.version, v.chain, chain)
	case v.restored >= f.version:
		wrong = fmt.Sprintf("document %s version %d restores version %d, which was not there", f.document, f.version, v.restored)
	}
	d.number, d.chain = f.version, v.chain
	l.buffer = appendCertificate(l.buffer[:0], f.version, v.digest, v.size, v.chain)
	l.sum.Write(l.buffer)
	d.certificate, _ = l.sum.(encoding.BinaryAppender).AppendBinary(d.certificate[:0])
	l.count++
	return wrong
}

func (l *lineages) deleted(f *fields) string {
	d := l.of[string(f.document)]
	if d == nil {
		return fmt.Sprintf("document %s has no version 1, or is deleted before", f.document)
	}
	delete(l.of, string(f.document))
	_ = l.sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(d.certificate)
	var certificate Hash
	l.sum.Sum(certificate[:0])
	v := readVersionFacts(f.facts)
	switch {
	case f.version != d.number || v.versions != d.number:
		return fmt.Sprintf("document %s is deleted with version %d the last of %d, but the log has %d", f.document, f.version, v.versions, d.number)
	case v.chain != d.chain:
		return fmt.Sprintf("document %s is deleted with the chain %s, but its last version has %s", f.document, v.chain, d.chain)
	case v.certificate != certificate:
		return fmt.Sprintf("document %s is deleted with the certificate %s, but its versions give %s", f.document, v.certificate, certificate)
	}
	return ""
}
