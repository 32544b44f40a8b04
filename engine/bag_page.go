package engine

import "html/template"

// The page of a bag for people. It is opened from disk: it has no script, and loads
// nothing from anywhere.

var bagHead = template.Must(template.New("head").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{{.Title}}</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { margin: 2rem auto; max-width: 75rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; table-layout: fixed }
th { width: 8rem } th:first-child, th:nth-child(5) { width: auto }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid #8886; overflow-wrap: anywhere }
dt { font-weight: bold } dd { margin: 0 0 .5rem }
small { display: block } .mark { border: 1px solid; border-radius: .3rem; padding: 0 .3rem }
</style>
<main>
<h1>{{.Title}}</h1>
<dl>
<dt>From</dt><dd>The vault {{.Vault}}, as of entry {{.Seq}} of its audit log</dd>
<dt>Made</dt><dd>{{.At}} ({{.Zone}}), by {{.By}}</dd>
<dt>Holds</dt><dd>{{.Documents}} documents, {{.Deleted}} of them deleted; {{.Versions}} versions, {{.Bytes}} bytes</dd>
</dl>
{{if .Problems}}<p><strong>{{.Problems}} things could not be exported as they should be:</strong> <a href="data/problems.csv">problems.csv</a>.</p>
{{end}}<p>Tables: <a href="data/documents.csv">documents</a>, <a href="data/versions.csv">versions</a>, <a href="data/holds.csv">legal holds</a>,
<a href="data/history.csv">history</a>. The lines of the audit log: <a href="data/log.jsonl">log.jsonl</a>. How to check that nothing was changed: <a href="README.txt">README.txt</a>.</p>
<p>Files marked <span class="mark">page</span> came as web pages, or as files that can run as one. They are evidence and not part of this page; their names end in .evidence so that nothing in them runs by a click.</p>
<table>
<tr><th>Document<th>Folder<th>Status<th>Owner<th>Versions, the newest first<th>Records
`))

var bagRow = template.Must(template.New("row").Parse(`<tr><td>{{with .Document}}{{if .Name}}{{.Name}}{{else}}(erased){{end}}<small>{{.ID}}</small>{{range .Tags}} <small>{{.}}</small>{{end}}{{end}}<td>{{.Document.Path}}<td>{{.Document.Status}}{{if .Document.Restricted}}, restricted{{end}}<td>{{.Document.OwnerName}}<td>
{{- range .Versions}}<div>{{if .Version.File}}<a href="{{.Href}}">{{.Version.Number}}: {{or .Version.FileName "content"}}</a>{{else}}{{.Version.Number}}: {{or .Version.FileName "content"}}{{end}}{{if .Evidence}} <span class="mark">page</span>{{end}}{{with .Version.Problem}} <strong>{{.}}</strong>{{end}}<small>{{.Version.CreatedAt}}, {{.Version.CreatedName}}, {{.Version.Size}} bytes</small></div>
{{- else}}{{.Document.VersionCount}}, deleted{{end}}{{if .More}}<small>and earlier ones, in its record</small>{{end}}<td><a href="{{.Dir}}/document.json">record</a> <a href="{{.Dir}}/history.json">history</a>{{if .Deleted}} <a href="{{.Dir}}/certificate.json">certificate</a>{{end}}
`))

const bagReadme = `What this is

An export of documents from a Strongroom vault, as a BagIt bag (RFC 8493). Open
index.html for an overview. The files lie below data/.

  data/documents/      each document: all its versions, document.json with what is
                       known of it, history.json with what happened to it
  data/certificates/   what is left of deleted documents: certificate and history
  data/*.csv           the same as tables; a cell, or a part of one, that a spreadsheet
                       could take for a formula has ' before it
  data/documents.json  what is known of all documents
  data/log.jsonl       the exact lines of the vault's audit log about them, in order,
                       with those of runs of retention, requests for erasure
                       and approvals that they came of
  data/details.jsonl   the details of these lines, with their salts
  data/problems.csv    what could not be exported as it should be

Names are made safe for every file system and cut short. document.json has the
true names, and the path of each file.

How to check it

That nothing was changed since, in this directory:

  sha256sum -c manifest-sha256.txt
  sha256sum -c tagmanifest-sha256.txt

(on macOS shasum -a 256 -c). Any BagIt validator does both. The digest of a
version in versions.csv is the SHA-256 of its file, and stands in the line of the
audit log that made it; each version's chain binds it to those before.

A line of log.jsonl is as it was written. The SHA-256 of a line, its newline
included, is its hash; the next line of the vault's whole log carries that. Whoever
has the whole log, or its head, checks these lines against it.
`

const bagProofs = `Proofs that lines of data/log.jsonl belong to the log of the vault have their
place here. There are none in this export.

verifier.html checks proofs in a browser, opened from disk and with no network.
Whose key it trusts is typed into it: the key is in no export, so that nobody can
send both. Get the page, too, from somebody you trust if that is not who made
this export; its copies are equal byte for byte.
`
