package extract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/net/html"
)

// maxHTMLTag is how long a tag, or a piece of text without one, may be in bytes: it is
// in memory at once, with some bytes more for each attribute.
const maxHTMLTag = 8 << 20

// htmlFileText reads a page in what it is written in.
func htmlFileText(ctx context.Context, f File, out *Output) error {
	data, err := f.Bytes(ctx)
	if err != nil {
		return err
	}
	return readHTML(ctx, decoded(data, f.MediaType), out)
}

// inline are the elements that do not end a word.
var inline = setOf("a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark nobr q rp rt ruby s samp small span strike strong sub sup time tt u var wbr")

// unshown are those whose text nobody sees.
var unshown = setOf("script style template noembed noframes iframe")

// shownAttributes are read by people, or read out to them.
var shownAttributes = setOf("alt title aria-label placeholder summary label")

// shownMeta are what search engines read of a page's head.
var shownMeta = setOf("description keywords author subject title og:title og:description twitter:title twitter:description dc.title dc.description dc.creator dc.subject")

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// readHTML reads tokens, and makes no tree of them: what repairs badly nested
// elements takes quadratic time, and depth costs nothing here.
func readHTML(ctx context.Context, from io.Reader, out *Output) error {
	z := html.NewTokenizer(from)
	z.SetMaxBuf(maxHTMLTag)
	hidden := "" // the element whose text is not read, and how often it is open
	open := 0
	for n := 0; !out.Full(); n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		kind := z.Next()
		switch kind {
		case html.ErrorToken:
			if err := z.Err(); !errors.Is(err, io.EOF) {
				return fmt.Errorf("%w: %w", ErrMalformed, err)
			}
			return nil
		case html.TextToken:
			if hidden == "" {
				out.Text(string(z.Text()))
			}
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			b, more := z.TagName()
			name := string(b)
			if hidden != "" {
				if name == hidden && kind == html.StartTagToken {
					open++
				} else if name == hidden && kind == html.EndTagToken {
					open--
				}
				if open <= 0 {
					hidden = ""
				}
				continue
			}
			if unshown[name] && kind == html.StartTagToken {
				hidden, open = name, 1
				continue
			}
			gapOf(name, out)
			if more && kind != html.EndTagToken {
				htmlAttributes(z, name, out)
			}
		}
	}
	return nil
}

func gapOf(name string, out *Output) {
	switch {
	case name == "td" || name == "th" || name == "img" || name == "input" || name == "option" || name == "button":
		out.Gap(' ')
	case !inline[name]:
		out.Gap('\n')
	}
}

// htmlAttributes reads those that are shown. Of a million, only the first hundreds
// are looked at.
func htmlAttributes(z *html.Tokenizer, element string, out *Output) {
	var kind, value, content string
	for range 256 {
		k, v, more := z.TagAttr()
		switch key := string(k); {
		case element == "meta" && (key == "name" || key == "property"):
			kind = strings.ToLower(string(v))
		case element == "meta" && key == "content":
			content = string(v)
		case element == "input" && key == "type":
			kind = strings.ToLower(string(v))
		case element == "input" && key == "value":
			value = string(v)
		case shownAttributes[key] && len(v) > 0:
			out.Gap(' ')
			out.Text(string(v))
			out.Gap(' ')
		}
		if !more {
			break
		}
	}
	if element == "meta" && shownMeta[kind] {
		out.Text(content)
		out.Gap('\n')
	}
	if element == "input" && kind != "hidden" && kind != "password" {
		out.Text(value)
		out.Gap(' ')
	}
}
