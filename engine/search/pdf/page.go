package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/enums"
	"github.com/klippa-app/go-pdfium/requests"

	"strongroom/engine/search/extract"
)

// PainterVersion is that of the pictures.
const PainterVersion = 1

// Painter is the sandbox as what makes pictures of pages.
func (s *Sandbox) Painter() extract.Painter {
	return extract.Painter{Version: PainterVersion, Limit: s.Limit(), Paint: s.paint}
}

func (s *Sandbox) paint(ctx context.Context, f extract.File, number, width int) (p extract.Painted, err error) {
	err = s.within(ctx, func(instance pdfium.Pdfium) error {
		d, err := open(instance, f)
		if err != nil {
			return err
		}
		if p.Pages = d.pages; number > d.pages {
			return extract.ErrNoPage
		}
		if p.PNG, err = d.paint(number-1, width); err != nil && instanceGone(err) {
			return fmt.Errorf("%w: %w", extract.ErrTooMuch, err)
		}
		return err
	})
	return p, err
}

// paint paints a page with what is filled in and noted on it, on white.
func (d *document) paint(index, width int) ([]byte, error) {
	page, end, err := d.load(index)
	if err != nil {
		return nil, err
	}
	defer end()
	if err := d.flatten(page); err != nil {
		return nil, err
	}
	w, err := d.FPDF_GetPageWidthF(&requests.FPDF_GetPageWidthF{Page: page})
	if err != nil {
		return nil, err
	}
	h, err := d.FPDF_GetPageHeightF(&requests.FPDF_GetPageHeightF{Page: page})
	if err != nil {
		return nil, err
	}
	size, err := fit(float64(w.PageWidth), float64(h.PageHeight), width)
	if err != nil {
		return nil, err
	}
	bitmap, err := d.FPDFBitmap_Create(&requests.FPDFBitmap_Create{Width: size.X, Height: size.Y})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", extract.ErrTooMuch, err)
	}
	_, err = d.FPDFBitmap_FillRect(&requests.FPDFBitmap_FillRect{Bitmap: bitmap.Bitmap, Width: size.X, Height: size.Y, Color: 0xffffffff})
	if err != nil {
		return nil, err
	}
	_, err = d.FPDF_RenderPageBitmap(&requests.FPDF_RenderPageBitmap{Bitmap: bitmap.Bitmap, Page: page, SizeX: size.X, SizeY: size.Y, Flags: enums.FPDF_RENDER_FLAG_REVERSE_BYTE_ORDER})
	if err != nil {
		return nil, err
	}
	stride, err := d.FPDFBitmap_GetStride(&requests.FPDFBitmap_GetStride{Bitmap: bitmap.Bitmap})
	if err != nil {
		return nil, err
	}
	pixels, err := d.FPDFBitmap_GetBuffer(&requests.FPDFBitmap_GetBuffer{Bitmap: bitmap.Bitmap})
	if err != nil {
		return nil, err
	}
	return encode(pixels.Buffer, stride.Stride, size)
}

// fit is how large the picture of a page is: so wide, as long as follows, and less
// of both if that is more than MaxPixels.
func fit(pageWidth, pageHeight float64, width int) (image.Point, error) {
	if !(pageWidth > 0 && pageHeight > 0) || math.IsInf(pageWidth, 0) || math.IsInf(pageHeight, 0) {
		return image.Point{}, fmt.Errorf("%w: a page of no size", extract.ErrMalformed)
	}
	w := float64(width)
	h := w * pageHeight / pageWidth
	if w*h > extract.MaxPixels {
		shrink := math.Sqrt(extract.MaxPixels / (w * h))
		w, h = w*shrink, h*shrink
	}
	// A line of a page is a pixel wide at least, and then not longer than may be.
	most := float64(extract.MaxPixels)
	w, h = math.Floor(min(max(w, 1), most)), math.Floor(min(max(h, 1), most))
	return image.Pt(int(w), int(h)), nil
}

// encode makes PNG of pixels of four bytes: in gray, where there is nothing else, as
// on most pages, for that is a third.
func encode(pixels []byte, stride int, size image.Point) ([]byte, error) {
	if stride < 4*size.X || len(pixels) < stride*size.Y {
		return nil, errors.New("fewer pixels than there should be")
	}
	gray, colored := image.NewGray(image.Rectangle{Max: size}), false
	for y := 0; y < size.Y && !colored; y++ {
		row := pixels[y*stride : y*stride+4*size.X]
		to := gray.Pix[y*gray.Stride : y*gray.Stride+size.X]
		for x := range to {
			p := row[4*x : 4*x+4]
			p[3] = 0xff // it is unused there
			if to[x] = p[0]; p[0] != p[1] || p[1] != p[2] {
				colored = true
				break
			}
		}
	}
	var picture image.Image = gray
	if colored {
		for i := 3; i < len(pixels); i += 4 {
			pixels[i] = 0xff
		}
		picture = &image.RGBA{Pix: pixels, Stride: stride, Rect: image.Rectangle{Max: size}}
	}
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	err := encoder.Encode(&b, picture)
	return b.Bytes(), err
}
