package engine

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"strings"
	"time"

	"strongroom/audit"
	"strongroom/audit/verifier"
	"strongroom/engine/internal/bag"
	"strongroom/engine/internal/store"
)

// table is a file of a bag that grows with each document, and so waits in a spool
// until all are written. The first error stays.
type table struct {
	spool bag.Spool
	to    *bufio.Writer
	csv   *csv.Writer // nil: it has no rows
	err   error
}

func (t *table) row(cells ...string) {
	if t.err == nil {
		t.err = t.csv.Write(bag.Cells(cells...))
	}
}

// done is what was written, to be read.
func (t *table) done() (bag.Spool, error) {
	if t.csv != nil {
		t.csv.Flush()
		if t.err == nil {
			t.err = t.csv.Error()
		}
	}
	if err := t.to.Flush(); t.err == nil {
		t.err = err
	}
	return t.spool, t.err
}

// bagTables are the tables of a bag with their columns.
var bagTables = []struct{ name, columns string }{
	{"documents.csv", "id name path status category ownerId owner tags externalId product templateId agreementId description versions holds restricted createdAt createdBy updatedAt updatedBy customFields folder"},
	{"versions.csv", "documentId number current discarded digest size mediaType fileName comment label createdAt createdBy createdByName chain file problem"},
	{"holds.csv", "id documentId document matter status reason placedAt placedBy placedByName releasedAt releasedBy releaseReason"},
	{"history.csv", "documentId seq time op actor actorName version facts detail"},
	{"problems.csv", "documentId version problem"},
}

func (w *bagWriter) open() error {
	w.tables = map[string]*table{}
	for _, t := range append(bagTables[:len(bagTables):len(bagTables)], []struct{ name, columns string }{{"index.html", ""}, {"documents.json", ""}}...) {
		spool, err := w.v.spool()
		if err != nil {
			return err
		}
		made := &table{spool: spool, to: bufio.NewWriter(spool)}
		if w.tables[t.name] = made; t.columns != "" {
			made.csv = csv.NewWriter(made.to)
			made.csv.UseCRLF = true // RFC 4180
			made.row(strings.Fields(t.columns)...)
		}
	}
	w.index, w.all = w.tables["index.html"], w.tables["documents.json"]
	return nil
}

// tell adds a document to the tables and to the index.
func (w *bagWriter) tell(d *bagged, dir string) error {
	fields := []byte("{}")
	if d.Document.CustomFields != nil {
		fields, _ = json.Marshal(d.Document.CustomFields) // text, numbers and flags
	}
	doc := &d.Document
	w.tables["documents.csv"].row(doc.ID, doc.Name, doc.Path, string(doc.Status), doc.Category, doc.OwnerID, doc.OwnerName, strings.Join(doc.Tags, " "), doc.ExternalID,
		doc.Product, doc.TemplateID, doc.AgreementID, doc.Description, counted(doc.VersionCount), counted(doc.HoldCount), fmt.Sprint(doc.Restricted),
		doc.CreatedAt, doc.CreatedName, doc.UpdatedAt, doc.UpdatedName, string(fields), dir)
	line, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	if w.all.err == nil {
		_, w.all.err = fmt.Fprintf(w.all.to, "%s%s", separator(w.all), line)
	}
	if w.index.err == nil {
		w.index.err = bagRow.Execute(w.index.to, bagRowData{Document: doc, Versions: d.newest(), More: len(d.Versions) > newestShown, Deleted: d.Certificate != nil, Dir: href(dir)})
	}
	return nil
}

// separator is what stands before a line of a JSON array.
func separator(t *table) string {
	if at, err := t.spool.Seek(0, io.SeekCurrent); err == nil && at == 0 && t.to.Buffered() == 0 {
		return "[\n"
	}
	return ",\n"
}

// newestShown is how many versions of a document the index links to.
const newestShown = 20

// newest are the last versions, the newest first.
func (d *bagged) newest() (versions []bagLink) {
	for i := len(d.Versions) - 1; i >= 0 && len(versions) < newestShown; i-- {
		ver := &d.Versions[i]
		versions = append(versions, bagLink{Version: ver, Href: href(ver.File), Evidence: ver.active()})
	}
	return versions
}

// href is a path in the bag as a link. Its parts are safe names.
func href(file string) template.URL {
	parts := strings.Split(file, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return template.URL(strings.Join(parts, "/"))
}

type bagLink struct {
	Version  *baggedVersion
	Href     template.URL
	Evidence bool
}

type bagRowData struct {
	Document *baggedDocument
	Versions []bagLink
	More     bool // versions than these
	Deleted  bool
	Dir      template.URL
}

// close writes what waits, the lines of the log, and the end of the bag.
func (w *bagWriter) close() error {
	if w.all.err == nil {
		_, w.all.err = io.WriteString(w.all.to, strings.Repeat("[", btoi(len(w.ids) == 0))+"\n]\n")
	}
	for _, name := range []string{"documents.json", "documents.csv", "versions.csv", "holds.csv", "history.csv", "problems.csv"} {
		spool, err := w.tables[name].done()
		if err != nil {
			return err
		}
		if err := w.out.AddSpool("data/"+name, spool); err != nil {
			return err
		}
	}
	w.seqs.add(w.Receipt.Seq)
	if err := w.add("data/log.jsonl", w.lines(func(b []byte, e *Entry) ([]byte, error) { return append(b, e.Line...), nil })); err != nil {
		return err
	}
	if err := w.add("data/details.jsonl", w.lines(func(b []byte, e *Entry) ([]byte, error) {
		if e.Salt == nil {
			return b, nil
		}
		return audit.DetailRow{Seq: e.Seq, Salt: [store.SaltSize]byte(e.Salt), Detail: e.Detail}.Append(b)
	})); err != nil {
		return err
	}
	if err := w.add("proofs/"+verifier.FileName, bytes.NewReader(verifier.Page())); err != nil {
		return err
	}
	if err := errors.Join(w.page(), w.add("README.txt", strings.NewReader(bagReadme)), w.add("proofs/README.txt", strings.NewReader(w.proofsText()))); err != nil {
		return err
	}
	if note := w.proofs.under.Note; note != nil {
		if err := w.add("proofs/checkpoint.txt", bytes.NewReader(note)); err != nil {
			return err
		}
	}
	return w.out.Close([]bag.Field{
		{Label: "Bag-Software-Agent", Value: "strongroom"}, {Label: "Source-Organization", Value: w.v.name}, {Label: "External-Identifier", Value: w.v.ID()},
		{Label: "External-Description", Value: w.title()}, {Label: "Internal-Sender-Description", Value: fmt.Sprintf("%d documents, %d versions, as of entry %d of the audit log", w.Documents, w.versions, w.Seq)},
		{Label: "Audit-Seq", Value: counted(w.Receipt.Seq)}, {Label: "Audit-Hash", Value: w.Receipt.Hash.String()},
	})
}

// lines reads the entries that concern the bag, in order.
func (w *bagWriter) lines(spell func([]byte, *Entry) ([]byte, error)) io.Reader {
	next := uint64(0)
	return &pages{fill: func() (page []byte, err error) {
		for len(page) == 0 {
			if err := w.ctx.Err(); err != nil {
				return nil, err
			}
			seqs := w.seqs.from(next, maxLimit)
			if len(seqs) == 0 {
				return nil, nil
			}
			entries, err := w.v.entriesOf(seqs)
			if err != nil {
				return nil, err
			}
			for i := range entries {
				if page, err = spell(page, &entries[i]); err != nil {
					return nil, err
				}
				next = entries[i].Seq + 1
			}
		}
		return page, nil
	}}
}

// page writes index.html: its head, the rows that waited, its end.
func (w *bagWriter) page() error {
	zone, err := view(w.v, func(t *tx) (*time.Location, error) { return t.zone() })
	if err != nil {
		return err
	}
	rows, err := w.index.done()
	if err != nil {
		return err
	}
	if _, err := rows.Seek(0, io.SeekStart); err != nil {
		return err
	}
	person, err := view(w.v, func(t *tx) (string, error) { return w.names.of(t, w.actor.UserID), nil })
	if err != nil {
		return err
	}
	if person == "" {
		person = w.actor.UserID
	}
	var head bytes.Buffer
	if err := bagHead.Execute(&head, map[string]any{
		"Title": w.title(), "Vault": w.v.name, "At": w.At.In(zone).Format("2 January 2006, 15:04"), "Zone": zone.String(), "By": person,
		"Documents": w.Documents, "Versions": w.versions, "Bytes": w.size, "Deleted": w.deleted, "Problems": w.problems, "Seq": w.Seq,
	}); err != nil {
		return err
	}
	return w.add("index.html", io.MultiReader(&head, rows, strings.NewReader("</table>\n</main>\n")))
}
