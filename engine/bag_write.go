package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"strongroom/audit"
	"strongroom/engine/internal/bag"
	"strongroom/engine/internal/check"
)

// What a bag holds, below its directory:
//
//	index.html                        for people: opened from disk, it lists everything
//	README.txt                        what is where, and how to check it
//	bagit.txt, bag-info.txt, manifest-sha256.txt, tagmanifest-sha256.txt
//	proofs/README.txt                 what the proofs are, and how they are checked
//	proofs/verifier.html              the page that checks them
//	proofs/checkpoint.txt             what the vault signed
//	proofs/<id>/NNNN.tlog-proof       that the log has the entry which made a version
//	data/documents/…/<name> (<id>)/   NNNN-<file name> each version, document.json, history.json
//	data/certificates/<id>/           certificate.json, history.json of what is deleted
//	data/documents.json, .csv         metadata of all; data/versions.csv, holds.csv, history.csv
//	data/log.jsonl, details.jsonl     the exact lines of the log about them, in order
//	data/problems.csv                 what could not be exported as it should be
//
// Each document is read for itself, and its bytes without a transaction: what happens
// meanwhile is in the log, and what is gone by then is told in problems.csv.

// bagWriter writes one bag.
type bagWriter struct {
	*Bag
	ctx    context.Context
	out    *bag.Writer
	names  people
	seqs   seqSet // of entries that concern it
	tables map[string]*table
	index  *table
	all    *table // documents.json
	proofs bagProofs

	versions, problems, deleted int
	size                        int64
}

// Write writes the bag as a ZIP file. It reads as it goes and keeps nothing in
// memory but the ids of the documents. Where settings.AuditReads is on, each version
// has an entry document.downloaded. After an error what was written is no ZIP file.
func (b *Bag) Write(ctx context.Context, to io.Writer) (err error) {
	w := &bagWriter{Bag: b, ctx: ctx, names: people{}}
	if w.out, err = bag.New(to, b.Name(), b.At, b.v.spool); err != nil {
		return err
	}
	defer w.discard()
	if err := w.open(); err != nil {
		return err
	}
	if err := w.sign(); err != nil {
		return err
	}
	for _, doc := range b.ids {
		if err := errors.Join(ctx.Err(), b.v.store.CheckReserve()); err != nil {
			return err
		}
		if err := w.document(doc); err != nil {
			return fmt.Errorf("export document %s: %w", doc, err)
		}
	}
	if err := w.close(); err != nil {
		return fmt.Errorf("end an export: %w", err)
	}
	return nil
}

func (w *bagWriter) discard() {
	w.out.Discard()
	for _, t := range w.tables {
		t.spool.Close()
	}
}

// document writes one document.
func (w *bagWriter) document(doc id) error {
	d, err := view(w.v, func(t *tx) (*bagged, error) { return t.bagged(doc, w.names) })
	if err != nil {
		return err
	}
	seqs, last, err := w.history(doc)
	if err != nil {
		return err
	}
	dir := "data/certificates/" + d.Document.ID
	if d.Certificate == nil {
		dir = d.Document.directory()
		if err := w.bytes(doc, d, dir, last); err != nil {
			return err
		}
	} else {
		w.deleted++
		if err := w.json(dir+"/certificate.json", d.Certificate); err != nil {
			return err
		}
		if d.Certificate.AuditSeq > w.Seq {
			w.problem(d.Document.ID, 0, "deleted while it was exported; its certificate is here")
		}
	}
	if err := w.json(dir+"/document.json", d); err != nil {
		return err
	}
	if err := w.prove(d.Document.ID); err != nil {
		return err
	}
	if err := w.add(dir+"/history.json", w.historyJSON(d.Document.ID, seqs)); err != nil {
		return err
	}
	for _, h := range d.Holds {
		w.tables["holds.csv"].row(h.ID, d.Document.ID, d.Document.Name, h.Matter, string(h.Status), h.Reason, h.PlacedAt, h.PlacedBy, h.PlacedName, h.ReleasedAt, h.ReleasedBy, h.ReleaseReason)
	}
	return w.tell(d, dir)
}

// history finds the entries about a document, up to the one the bag tells of, and
// the last version they made.
func (w *bagWriter) history(doc id) (seqs []uint64, last uint64, err error) {
	chain, err := w.v.chain(w.ctx, doc.String(), 0)
	if err != nil {
		return nil, 0, err
	}
	slices.Reverse(chain)
	end, _ := slices.BinarySearch(chain, w.Seq+1)
	seqs = chain[:end]
	w.proofs.made = map[uint64]uint64{}
	for rest := seqs; len(rest) > 0; {
		entries, err := w.v.entriesOf(rest)
		if err != nil {
			return nil, 0, err
		}
		for _, e := range entries {
			w.seqs.add(e.Seq)
			if e.Op == audit.OpDocumentCreated || e.Op == audit.OpDocumentVersionAdded {
				last = max(last, e.Version)
				w.proofs.made[e.Version] = e.Seq
			}
		}
		rest = rest[len(entries):]
	}
	return seqs, last, nil
}

// historyJSON spells entries, with their details, and adds them to the table of all.
func (w *bagWriter) historyJSON(documentID string, seqs []uint64) io.Reader {
	before, over := "[\n", false
	return &pages{fill: func() ([]byte, error) {
		if over {
			return nil, w.ctx.Err()
		}
		entries, err := w.v.entriesOf(seqs)
		if err != nil {
			return nil, err
		}
		var page bytes.Buffer
		for _, e := range entries {
			facts, _ := e.Facts.MarshalJSON() // they were read from a line, so they can be printed
			name, _ := view(w.v, func(t *tx) (string, error) { return w.names.of(t, e.Actor), nil })
			line, err := json.Marshal(baggedEntry{e.Seq, audit.FormatTime(e.Time), e.Op, e.Actor, name, e.Key, e.Version, facts, e.Detail, e.Hash})
			if err != nil {
				return nil, err
			}
			page.WriteString(before)
			page.Write(line)
			before = ",\n"
			w.tables["history.csv"].row(documentID, strconv.FormatUint(e.Seq, 10), audit.FormatTime(e.Time), string(e.Op), e.Actor, name, counted(e.Version), string(facts), string(e.Detail))
		}
		if seqs = seqs[len(entries):]; len(seqs) == 0 {
			over = true
			page.WriteString(strings.TrimPrefix(before, ",") + "]\n")
		}
		return page.Bytes(), nil
	}}
}

type baggedEntry struct {
	Seq       uint64          `json:"seq"`
	Time      string          `json:"time"`
	Op        audit.Op        `json:"op"`
	Actor     string          `json:"actor"`
	ActorName string          `json:"actorName"`
	Key       string          `json:"key"`
	Version   uint64          `json:"version"`
	Facts     json.RawMessage `json:"facts"`
	Detail    json.RawMessage `json:"detail,omitempty"`
	Hash      audit.Hash      `json:"hash"`
}

// bytes writes the versions of a document, as far as the last.
func (w *bagWriter) bytes(doc id, d *bagged, dir string, last uint64) error {
	for next := uint64(1); next <= last; {
		page, err := w.v.versionsFrom(doc, next, last, w.names)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			w.problem(d.Document.ID, next, "deleted while it was exported, this version and those after it")
			return nil
		}
		if err := w.v.recordReads(w.ctx, w.actor, doc, page); err != nil {
			return err
		}
		for i := range page {
			if err := w.version(d.Document.ID, &page[i], dir); err != nil {
				return err
			}
			page[i].row(w.tables["versions.csv"], d.Document.ID)
		}
		d.Versions = append(d.Versions, page...)
		next = page[len(page)-1].Number + 1
	}
	return nil
}

func (w *bagWriter) version(documentID string, ver *baggedVersion, dir string) error {
	file, err := w.v.LogReader().open(ver.Digest)
	if err != nil {
		if errors.Is(err, ErrVersionNotFound) {
			ver.Problem = "its bytes are not there"
			if _, deleted := w.v.Version(w.ctx, documentID, ver.Number); deleted != nil {
				ver.Problem = "deleted while it was exported"
			}
		} else {
			ver.Problem = "its bytes cannot be read"
		}
		w.problem(documentID, ver.Number, ver.Problem)
		return w.ctx.Err()
	}
	defer file.Close()
	ver.File = dir + "/" + ver.name()
	written, err := w.out.Add(ver.File, ver.Size, packed(ver), &patient{w.ctx, file})
	switch broken := (*bag.BrokenError)(nil); {
	case errors.As(err, &broken) || w.ctx.Err() != nil:
		return errors.Join(w.ctx.Err(), err)
	case err != nil:
		ver.Problem = fmt.Sprintf("its bytes cannot be read beyond the first %d", written.Size)
	case Digest(written.Digest) != ver.Digest:
		ver.Problem = "its bytes are damaged: they are not those of its digest"
	}
	if ver.Problem != "" {
		w.problem(documentID, ver.Number, ver.Problem)
	}
	w.versions++
	w.size += written.Size
	return nil
}

// patient reads until the call is over.
type patient struct {
	ctx  context.Context
	from io.Reader
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.from.Read(b)
}

func (w *bagWriter) problem(documentID string, version uint64, what string) {
	w.problems++
	w.tables["problems.csv"].row(documentID, counted(version), what)
}

// counted spells a number, "" for 0.
func counted(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

// row adds a version to the table of all.
func (ver *baggedVersion) row(t *table, documentID string) {
	t.row(documentID, counted(ver.Number), strconv.FormatBool(ver.Current), strconv.FormatBool(ver.Discarded), ver.Digest.String(), strconv.FormatInt(ver.Size, 10),
		ver.MediaType, ver.FileName, ver.Comment, ver.Label, ver.CreatedAt, ver.CreatedBy, ver.CreatedName, ver.Chain.String(), ver.File, ver.Problem)
}

func (w *bagWriter) json(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return w.add(path, bytes.NewReader(append(text, '\n')))
}

func (w *bagWriter) add(path string, from io.Reader) error {
	_, err := w.out.Add(path, -1, false, from)
	return err
}

// How long names of a bag may be, in bytes: with the rest of a path they stay below
// the 260 characters that Windows takes.
const (
	foldersMost  = 80
	folderMost   = 40
	nameMost     = 40
	fileNameMost = 60
)

// directory is where the files of a document lie: by its folder and its name, and by
// its id, which keeps it apart from all others, in any case of letters.
func (d *baggedDocument) directory() string {
	dir := "data/documents"
	left := foldersMost
	for _, folder := range strings.Split(d.Path, "/") {
		name := bag.Name(check.NFC(folder), folderMost)
		if left -= len(name) + 1; d.Path == "" || left < 0 {
			break // document.json has the whole path
		}
		if strings.HasSuffix(name, ")") { // as the directory of a document, which has other files
			name = bag.Name(strings.TrimSuffix(name, ")")+"_", folderMost)
		}
		dir = path.Join(dir, name)
	}
	return fmt.Sprintf("%s/%s (%s)", dir, bag.Name(check.NFC(d.Name), nameMost), d.ID)
}

// name is that of a version's file. What a browser would open as a page, and could
// run as one beside the index, is named as evidence.
func (ver *baggedVersion) name() string {
	file := ver.FileName
	if file == "" {
		file = "content"
	}
	name := fmt.Sprintf("%04d-%s", ver.Number, bag.Name(check.NFC(file), fileNameMost))
	if ver.active() {
		name += ".evidence"
	}
	return name
}

// active says whether the bytes may be a page, or a picture, with scripts.
func (ver *baggedVersion) active() bool {
	switch strings.ToLower(path.Ext(ver.FileName)) {
	case ".html", ".htm", ".xhtml", ".xht", ".shtml", ".svg", ".svgz", ".xml", ".xsl", ".xslt", ".mht", ".mhtml", ".hta", ".js", ".mjs", ".url", ".webloc":
		return true
	}
	media, _, _ := strings.Cut(strings.ToLower(ver.MediaType), ";")
	media = check.Trim(media)
	switch media {
	case "text/html", "text/xml", "application/xml", "multipart/related", "message/rfc822", "text/javascript", "application/javascript":
		return true
	}
	return strings.HasSuffix(media, "+xml")
}

// packed says whether bytes can hardly be made smaller.
func packed(ver *baggedVersion) bool {
	media, _, _ := strings.Cut(strings.ToLower(ver.MediaType), ";")
	kind, sub, _ := strings.Cut(check.Trim(media), "/")
	switch kind {
	case "audio", "video":
		return true
	case "image":
		return !slices.Contains([]string{"bmp", "svg+xml", "tiff", "x-ms-bmp"}, sub)
	case "application":
		return strings.Contains(sub, "zip") || strings.Contains(sub, "openxmlformats") || strings.Contains(sub, "opendocument") || strings.Contains(sub, "compressed") ||
			slices.Contains([]string{"pdf", "x-rar", "vnd.rar", "x-xz", "zstd", "epub+zip", "java-archive"}, sub)
	}
	return false
}
