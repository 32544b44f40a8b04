package console

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"strongroom/engine"
	"strongroom/httpapi"
)

// leafWidth is how wide the picture of a page is, in pixels.
const leafWidth = 1200

// leafed is the page on which somebody leafs through a PDF.
type leafed struct {
	engine.Document
	Version    uint64
	Page, Of   int
	Wrong      string // why there is no picture
	Before     string // the address of the page before; "": there is none
	After      string
	Text       string // of the whole file
	NoText     string
	TextCut    bool
	PictureURL string
}

// leafThrough shows a page of a version as a picture, with the text beside it.
func leafThrough(v *visit) (answer, error) {
	d, version, number, err := v.leaf()
	if err != nil {
		return answer{}, err
	}
	_, pages, err := v.pictureOf(version, number)
	unreadable, _ := errors.AsType[*httpapi.UnreadableError](err)
	body := leafed{Document: d, Version: version.Number, Page: number, Of: pages}
	switch {
	case unreadable != nil:
		body.Wrong = unreadable.Reason
	case err != nil:
		return answer{}, err
	}
	at := func(number int) string {
		return v.Path("documents", d.ID, "pages") + "?" + url.Values{"n": {strconv.FormatUint(version.Number, 10)}, "p": {strconv.Itoa(number)}}.Encode()
	}
	if number > 1 {
		body.Before = at(number - 1)
	}
	if number < pages {
		body.After = at(number + 1)
	}
	body.PictureURL = v.Path("documents", d.ID, "pages", "picture") + "?" + url.Values{"n": {strconv.FormatUint(version.Number, 10)}, "p": {strconv.Itoa(number)}}.Encode()
	if body.Text, body.NoText, err = v.textOf(version); err != nil {
		return answer{}, err
	}
	if body.TextCut = len(body.Text) > maxPreview; body.TextCut {
		body.Text = strings.ToValidUTF8(body.Text[:maxPreview], "")
	}
	return page("leaf", d.Name, body), nil
}

// pagePicture is the picture of a page.
func pagePicture(v *visit) (answer, error) {
	_, version, number, err := v.leaf()
	if err != nil {
		return answer{}, err
	}
	png, _, err := v.pictureOf(version, number)
	if err != nil {
		return answer{}, err
	}
	return answer{raw: func(w http.ResponseWriter) {
		h := w.Header()
		h.Set("Content-Type", "image/png")
		h.Set("Content-Length", strconv.Itoa(len(png)))
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "private, no-store")
		w.Write(png)
	}}, nil
}

// leaf reads which page of which version is asked for.
func (v *visit) leaf() (d engine.Document, version engine.Version, number int, err error) {
	q := v.r.URL.Query()
	if v.console.options.Pictures == nil {
		return d, version, 0, errNoPage
	}
	if d, err = v.vault.Document(v.ctx(), v.id("id")); err != nil {
		return d, version, 0, err
	}
	if d.Current == nil {
		return d, version, 0, engine.ErrDocumentDeleted
	}
	number = 1
	if p := q.Get("p"); p != "" {
		if number, err = strconv.Atoi(p); err != nil || number < 1 {
			return d, version, 0, httpapi.ErrPageNotFound
		}
	}
	n := d.Current.Number
	if q.Get("n") != "" {
		if n, err = versionNumber(q.Get("n")); err != nil {
			return d, version, 0, err
		}
	}
	version, err = v.vault.Version(v.ctx(), d.ID, n)
	return d, version, number, err
}

// pictureOf makes the picture, and records that it is shown if the settings say so.
func (v *visit) pictureOf(version engine.Version, number int) (png []byte, pages int, err error) {
	png, pages, err = v.console.options.Pictures(v.ctx(), v.vault, v.actor, version, number, leafWidth)
	if err == nil {
		err = v.vault.RecordShown(v.ctx(), v.actor, []engine.Document{{ID: version.DocumentID, Current: &version}})
	}
	return png, pages, err
}
