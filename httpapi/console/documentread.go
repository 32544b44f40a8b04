package console

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"strongroom/engine"
	"strongroom/httpapi"
)

// maxPreview is how much of a text a page shows.
const maxPreview = 64 << 10

// pictures are the kinds of files that a page shows as pictures: those that browsers
// draw and that say nothing to them beside.
var pictures = map[string]bool{"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true, "image/avif": true}

// pdfs are the names that PDFs are sent by. Whether it is one, its pages tell.
var pdfs = map[string]bool{"application/pdf": true, "application/x-pdf": true, "text/pdf": true}

func mediaKind(mediaType string) string {
	kind, _, _ := strings.Cut(mediaType, ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// readPreview shows what a page can show: pictures by their address, and the
// beginning of a text. Where reading is an entry of the log, a text is shown by
// its download alone.
func (v *visit) readPreview(s *sheet) error {
	if pictures[mediaKind(s.Current.MediaType)] {
		s.Preview = "picture"
		return nil
	}
	s.Paged = v.console.options.Pictures != nil && pdfs[mediaKind(s.Current.MediaType)]
	settings, err := v.vault.Settings(v.ctx())
	if s.Unread = settings.AuditReads; err != nil || s.Unread {
		return err
	}
	text, why, err := v.textOf(*s.Current)
	if err != nil {
		return err
	}
	if s.NoText = why; why != "" || text == "" {
		return nil
	}
	s.Preview, s.PreviewText = "text", text
	if s.PreviewCut = len(text) > maxPreview; s.PreviewCut {
		s.PreviewText = strings.ToValidUTF8(text[:maxPreview], "")
	}
	return nil
}

// plain: it is UTF-8, but for a character that is cut at its end.
func plain(b []byte) bool {
	for cut := 0; cut < utf8.UTFMax && cut <= len(b); cut++ {
		if utf8.Valid(b[:len(b)-cut]) {
			return bytes.IndexByte(b, 0) < 0
		}
	}
	return false
}

// textOf is the text of a version: what search has read in it or, of a file that is
// text, the file. why says that there is none. Where reading is an entry of the log, it
// has its entry before this returns.
func (v *visit) textOf(ver engine.Version) (text, why string, err error) {
	if kind := mediaKind(ver.MediaType); (strings.HasPrefix(kind, "text/") && kind != "text/html" || kind == "application/json") && ver.TextSize == 0 {
		_, content, _, err := v.vault.OpenContent(v.ctx(), v.actor, ver.DocumentID, ver.Number)
		if err != nil {
			return "", "Its bytes cannot be read.", nil // the download says more, and all else can be read
		}
		defer content.Close()
		b, err := io.ReadAll(io.LimitReader(content, maxText))
		if err != nil {
			return "", "Its bytes cannot be read.", nil
		}
		// What is in another charset, or no text at all, search has read by what it is.
		if v.console.options.Search == nil || plain(b) {
			return strings.ToValidUTF8(string(b), "\uFFFD"), "", nil
		}
	}
	if v.console.options.Search == nil {
		return "", "This server reads no text in files of this kind.", nil
	}
	text, state, err := v.console.options.Search.Text(v.ctx(), v.vault, ver)
	switch {
	case err != nil:
		return "", "", err
	case state.State == "waiting":
		return "", "Its text is being read. Look again in a moment.", nil
	case state.State == "none" && text == "":
		return "", "There is no text in it that can be read here.", nil
	case state.State == "failed" && text == "":
		return "", "Its text could not be read: " + state.Reason, nil
	}
	return text, "", v.vault.RecordShown(v.ctx(), v.actor, []engine.Document{{ID: ver.DocumentID, Current: &ver}})
}

// maxText is how much of a text is read to be compared.
const maxText = 4 << 20

func download(v *visit) (answer, error) {
	q := v.r.URL.Query()
	if q.Get("draft") == "1" {
		return v.openDraft()
	}
	version, content, err := v.open(q.Get("n"))
	if err != nil {
		return answer{}, err
	}
	return v.sendContent(version, content), nil
}

// open opens the bytes of a version; "" is the current one.
func (v *visit) open(n string) (engine.Version, io.ReadSeekCloser, error) {
	var number uint64
	d, err := v.vault.Document(v.ctx(), v.id("id"))
	switch {
	case err != nil:
		return engine.Version{}, nil, err
	case n != "":
		number, err = versionNumber(n)
	case d.Current == nil:
		err = engine.ErrDocumentDeleted
	default:
		number = d.Current.Number
	}
	if err != nil {
		return engine.Version{}, nil, err
	}
	version, content, _, err := v.vault.OpenContent(v.ctx(), v.actor, v.id("id"), number)
	return version, content, err
}

func (v *visit) sendContent(version engine.Version, content io.ReadSeekCloser) answer {
	return answer{raw: func(w http.ResponseWriter) {
		defer content.Close()
		httpapi.DescribeContent(w.Header(), version, false)
		http.ServeContent(w, v.r, "", version.CreatedAt, content)
	}}
}

// picture is a version as a page shows it. Only what browsers draw and do not run is
// sent so, by the kind that was written down for it; whatever the bytes are, they have
// no rights here.
func picture(v *visit) (answer, error) {
	version, content, err := v.open(v.r.URL.Query().Get("n"))
	if err != nil {
		return answer{}, err
	}
	kind := mediaKind(version.MediaType)
	if !pictures[kind] {
		content.Close()
		return answer{}, errNoPage
	}
	return answer{raw: func(w http.ResponseWriter) {
		defer content.Close()
		httpapi.DescribeContent(w.Header(), version, true)
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
		w.Header().Set("Cache-Control", "private, no-store")
		http.ServeContent(w, v.r, "", version.CreatedAt, content)
	}}, nil
}
