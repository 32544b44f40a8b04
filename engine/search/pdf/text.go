package pdf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/enums"
	failed "github.com/klippa-app/go-pdfium/errors"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/structs"

	"strongroom/engine/search/extract"
)

// document is an open PDF. It is closed with its instance.
type document struct {
	pdfium.Pdfium
	ref   references.FPDF_DOCUMENT
	form  references.FPDF_FORMHANDLE // "": none
	pages int
}

// open opens a file, with the empty password if it is encrypted.
func open(p pdfium.Pdfium, f extract.File) (*document, error) {
	opened, err := p.OpenDocument(&requests.OpenDocument{FileReader: io.NewSectionReader(f, 0, f.Size), FileReaderSize: f.Size})
	switch {
	case errors.Is(err, failed.ErrPassword), errors.Is(err, failed.ErrSecurity):
		return nil, extract.ErrEncrypted
	case err != nil:
		return nil, fmt.Errorf("%w: %w", extract.ErrMalformed, err)
	}
	d := &document{Pdfium: p, ref: opened.Document}
	count, err := p.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: d.ref})
	if err != nil {
		return nil, err
	}
	d.pages = count.PageCount
	d.openForm()
	return d, nil
}

// openForm makes the values of a form's fields known; scripts do not run. A form
// that cannot be opened costs the values that are painted nowhere.
func (d *document) openForm() {
	info := structs.FPDF_FORMFILLINFO{
		FFI_Invalidate:         func(references.FPDF_PAGE, float64, float64, float64, float64) {},
		FFI_SetCursor:          func(enums.FXCT) {},
		FFI_SetTimer:           func(int, func(int)) int { return 0 },
		FFI_KillTimer:          func(int) {},
		FFI_GetLocalTime:       func() structs.FPDF_SYSTEMTIME { return structs.FPDF_SYSTEMTIME{} },
		FFI_GetPage:            func(references.FPDF_DOCUMENT, int) *references.FPDF_PAGE { return nil },
		FFI_GetRotation:        func(references.FPDF_PAGE) enums.FPDF_PAGE_ROTATION { return 0 },
		FFI_ExecuteNamedAction: func(string) {},
	}
	form, err := d.FPDFDOC_InitFormFillEnvironment(&requests.FPDFDOC_InitFormFillEnvironment{Document: d.ref, FormFillInfo: info})
	if err == nil {
		d.form = form.FormHandle
	}
}

// text reads page by page. A page that cannot be read costs its text; if none can
// be, the file is malformed. If the time is over, the pages that were read are kept.
func (d *document) text(ctx context.Context, out *extract.Output) error {
	var broken error
	read := 0
	for i := 0; i < d.pages && !out.Full(); i++ {
		if ctx.Err() != nil {
			break
		}
		text, err := d.page(i)
		out.Text(text)
		out.Gap('\n')
		if err != nil {
			if broken = err; instanceGone(err) {
				break
			}
			continue
		}
		read++
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && out.String() != "":
		out.Note(fmt.Sprintf("only %d of its %d pages: more take longer than they may", read, d.pages))
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case broken != nil && instanceGone(broken):
		return fmt.Errorf("%w: %w", extract.ErrTooMuch, broken)
	case read == 0 && broken != nil:
		return fmt.Errorf("%w: %w", extract.ErrMalformed, broken)
	}
	return nil
}

// instanceGone: what follows a trap of WebAssembly cannot be trusted.
func instanceGone(err error) bool { return strings.Contains(err.Error(), "wasm") }

// load opens a page; end closes it.
func (d *document) load(index int) (page requests.Page, end func(), err error) {
	loaded, err := d.FPDF_LoadPage(&requests.FPDF_LoadPage{Document: d.ref, Index: index})
	if err != nil {
		return page, nil, err
	}
	end = func() { d.FPDF_ClosePage(&requests.FPDF_ClosePage{Page: loaded.Page}) }
	return requests.Page{ByReference: &loaded.Page}, end, nil
}

// flatten paints what is filled in and noted on a page into it. If it cannot, that is
// left. PDFium reads the page once more for it, with its fonts, even for nothing.
func (d *document) flatten(page requests.Page) error {
	if count, err := d.FPDFPage_GetAnnotCount(&requests.FPDFPage_GetAnnotCount{Page: page}); err == nil && count.Count == 0 {
		return nil
	}
	_, err := d.FPDFPage_Flatten(&requests.FPDFPage_Flatten{Page: page, Usage: requests.FPDFPage_FlattenUsageNormalDisplay})
	if err != nil && instanceGone(err) {
		return err
	}
	return nil
}

// page reads what is painted on a page, what is filled in and noted on it too.
func (d *document) page(index int) (string, error) {
	page, end, err := d.load(index)
	if err != nil {
		return "", err
	}
	defer end()
	notes := d.notes(page)
	if err := d.flatten(page); err != nil {
		return "", err
	}
	painted, err := d.painted(page)
	var text strings.Builder
	text.WriteString(painted)
	for _, note := range notes {
		if !strings.Contains(painted, note) {
			text.WriteString("\n" + note)
		}
	}
	return text.String(), err
}

func (d *document) painted(page requests.Page) (string, error) {
	text, err := d.FPDFText_LoadPage(&requests.FPDFText_LoadPage{Page: page})
	if err != nil {
		return "", err
	}
	defer d.FPDFText_ClosePage(&requests.FPDFText_ClosePage{TextPage: text.TextPage})
	count, err := d.FPDFText_CountChars(&requests.FPDFText_CountChars{TextPage: text.TextPage})
	if err != nil || count.Count <= 0 {
		return "", err
	}
	got, err := d.FPDFText_GetText(&requests.FPDFText_GetText{TextPage: text.TextPage, Count: min(count.Count, extract.MaxText)})
	if err != nil {
		return "", err
	}
	return joined.Replace(got.Text), nil
}

// joined joins the words that are divided where a line ends: PDFium writes such a
// hyphen as a character of its own.
var joined = strings.NewReplacer("\x02\r\n", "", "\x02\n", "", "\x02", "", "\ufffe\r\n", "", "\ufffe", "")

const (
	maxNotes = 10_000   // of a page
	maxNote  = 64 << 10 // bytes of all of a page's
)

// notes are the texts of annotations and the values of form fields, as they are
// kept beside what is painted of them.
func (d *document) notes(page requests.Page) (notes []string) {
	count, err := d.FPDFPage_GetAnnotCount(&requests.FPDFPage_GetAnnotCount{Page: page})
	if err != nil {
		return nil
	}
	size := 0
	for i := 0; i < min(count.Count, maxNotes) && size < maxNote; i++ {
		annot, err := d.FPDFPage_GetAnnot(&requests.FPDFPage_GetAnnot{Page: page, Index: i})
		if err != nil {
			continue
		}
		for _, note := range d.note(annot.Annotation) {
			if note = strings.TrimSpace(note); note != "" {
				notes, size = append(notes, note), size+len(note)
			}
		}
		d.FPDFPage_CloseAnnot(&requests.FPDFPage_CloseAnnot{Annotation: annot.Annotation})
	}
	return notes
}

func (d *document) note(a references.FPDF_ANNOTATION) (texts []string) {
	kind, err := d.FPDFAnnot_GetSubtype(&requests.FPDFAnnot_GetSubtype{Annotation: a})
	if err != nil || kind.Subtype == enums.FPDF_ANNOT_SUBTYPE_LINK || kind.Subtype == enums.FPDF_ANNOT_SUBTYPE_POPUP {
		return nil
	}
	if kind.Subtype == enums.FPDF_ANNOT_SUBTYPE_WIDGET && d.form != "" {
		if v, err := d.FPDFAnnot_GetFormFieldValue(&requests.FPDFAnnot_GetFormFieldValue{FormHandle: d.form, Annotation: a}); err == nil && v.FormFieldValue != "Off" {
			return []string{v.FormFieldValue}
		}
		return nil
	}
	if v, err := d.FPDFAnnot_GetStringValue(&requests.FPDFAnnot_GetStringValue{Annotation: a, Key: "Contents"}); err == nil {
		texts = append(texts, v.Value)
	}
	return texts
}
