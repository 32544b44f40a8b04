package extract

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestHTML(t *testing.T) {
	const page = `<!DOCTYPE html><html><head><title>The &quot;Title&quot;</title><style>p { hidden1: 1 }</style><meta name="description" content="described so">
<meta name=viewport content="hidden2"><script>var hidden3 = "</p>"</script></head><body onload="hidden4()"><h1>One</h1><p>in<b>lin</b>e&nbsp;word<br>line</p><ul><li>first<li>second</ul>
<table><tr><td>cell</td><td>next</td></tr></table><img src="hidden5.png" alt="a picture"><a href="x" title="tip">link</a><!-- hidden6 --><template><div>hidden7<template></template>hidden8</div></template>
<input type=hidden value=hidden9><input value="filled in"><svg><text>drawn</text></svg><p unclosed="`
	got, err := text(t, []byte(page), "a.html")
	if err != nil || strings.Contains(got, "hidden") {
		t.Errorf("%q, %v", got, err)
	}
	for _, want := range []string{"The \"Title\"\n", "described so\n", "One\ninline word\nline\nfirst\nsecond\n", "cell next", "a picture ", "tip link", "filled in", "drawn"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
}

func TestXML(t *testing.T) {
	const data = `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY hidden1 "hidden2">]><a xmlns:x="hidden3" number="INV-1" note='it&apos;s'><!-- hidden4 > --><b>Fish &amp; chips &#x20ac;5</b><c><![CDATA[raw <text> ]]]></c>` +
		`<d e="a>b"/>tail`
	got, err := text(t, []byte(data), "a.xml")
	if err != nil || strings.Contains(got, "hidden") {
		t.Errorf("%q, %v", got, err)
	}
	for _, want := range []string{"INV-1", "it's", "Fish & chips €5\n", "raw <text>", "a>b", "tail"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
}

func TestJSON(t *testing.T) {
	const data = `{"name": "Gr\u00fc\u00dfe \ud83d\ude00", "n": [1, 2.5, true], "path": "a\/b\nc"} {"second":"line"}`
	got, err := text(t, []byte(data), "a.json")
	if want := "name\nGrüße 😀\nn\n1 2.5 true \npath\na/b\nc\nsecond\nline\n"; err != nil || strings.ReplaceAll(got, "\n ", "\n") != want {
		t.Errorf("%q, %v", got, err)
	}
}

// TestHostileMarkup is of what is made to harm: it ends, with what text there is.
func TestHostileMarkup(t *testing.T) {
	if testing.Short() {
		t.Skip("markup of all kinds, larger than is read")
	}
	const n = 1 << 20
	for name, files := range map[string]map[string]string{
		"a.html": {
			"elements within elements": strings.Repeat("<div>", n) + "end",
			"formatting, badly nested": strings.Repeat("<b><i><a>", n/4) + strings.Repeat("</b><p>", n/4),
			"attributes":               "<p " + strings.Repeat("a=b ", n) + ">end",
			"one tag":                  "<p " + strings.Repeat("a ", 16*n),
			"references":               strings.Repeat("&amp;lt;&notanentity", n/4),
			"an open comment":          strings.Repeat("<!--", n),
		},
		"a.xml": {
			"elements within elements": strings.Repeat("<a>", n),
			"attributes":               "<a " + strings.Repeat(`b="c" `, n) + ">",
			"a laugh":                  `<!DOCTYPE a [<!ENTITY b "` + strings.Repeat("&c;", n) + `">]><a>&b;</a>`,
			"a long reference":         "<a>&" + strings.Repeat("x", n),
		},
		"a.json": {
			"lists within lists": strings.Repeat("[", n),
			"an open string":     `{"` + strings.Repeat(`\u`, n),
		},
	} {
		for what, data := range files {
			t.Run(what+" in "+name, func(t *testing.T) { endsSoon(t, []byte(data), name) })
		}
	}
}

// endsSoon fails if a file takes the time of a hundred.
func endsSoon(t *testing.T, data []byte, name string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, err := textOf(ctx, data, name)
	if len(got) > MaxText+utf8.UTFMax || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d bytes of text, %v", len(got), err)
	}
	return got, err
}

func FuzzHTML(f *testing.F) {
	f.Add([]byte(`<p title=a>b<script>c</script>&amp;`))
	fuzz(f, "a.html")
}

func FuzzXMLFile(f *testing.F) {
	f.Add([]byte(`<?xml?><!DOCTYPE a[]><a b="c">&#65;<![CDATA[d]]><!--e-->`))
	fuzz(f, "a.xml")
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"a":["\u00e4\ud83d\ude00\n",1]}`))
	fuzz(f, "a.json")
}
