package extract

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func b64(s string) string {
	e := base64.StdEncoding.EncodeToString([]byte(s))
	var b strings.Builder
	for len(e) > 76 {
		b.WriteString(e[:76] + "\r\n")
		e = e[76:]
	}
	return b.String() + e
}

// readMail reads a message with all readers of this package.
func readMail(t *testing.T, data string) Result {
	t.Helper()
	got, err := Read(t.Context(), Readers(), file([]byte(data), "message/rfc822", "a.eml"))
	if err != nil || got.Kind != EML {
		t.Fatalf("%+v, %v", got, err)
	}
	return got
}

func hasAll(t *testing.T, got string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
}

func TestMail(t *testing.T) {
	got := readMail(t, crlf(`From: =?utf-8?q?J=C3=B6rg?= Quill <joerg@example.com>
To: "Vault" <vault@example.com>
Subject: =?iso-8859-1?Q?K=FCndi?=
 =?iso-8859-1?Q?gung?= lease
Date: Mon, 2 Feb 2026 10:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="out--er"

preamble
--out--er
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=windows-1251
Content-Transfer-Encoding: quoted-printable

=D1=EA=EB=E0=E4 plainly once
--inner
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

`)+b64("<p>Склад plainly <b>once</b> &amp; more</p>")+crlf(`
--inner--
--out--er
Content-Type: application/octet-stream; name="x"
Content-Disposition: attachment; filename*0*=iso-8859-1''%DCbergabe; filename*1=protokoll.docx
Content-Transfer-Encoding: base64

`)+b64(string(makeDOCX(t, "word/document.xml", body(para("attached words")))))+crlf(`
--out--er
Content-Type: message/rfc822

From: b@example.com
Subject: forwarded subject

forwarded body
--out--er
Content-Type: text/plain
Content-Disposition: attachment; filename="=?utf-8?B?U3RyYcOfZS50eHQ=?="

soft line=
--out--er--
epilogue
`))
	if got.State != Indexed || got.Reason != "" {
		t.Errorf("%+v", got)
	}
	hasAll(t, got.Text, "Jörg Quill", "vault@example.com", "Kündigung lease\n", "Склад plainly once & more", "Übergabeprotokoll.docx", "attached words", "forwarded subject", "forwarded body", "Straße.txt", "soft line=")
	if strings.Count(got.Text, "plainly") != 1 || strings.Contains(got.Text, "preamble") || strings.Contains(got.Text, "epilogue") {
		t.Errorf("%q", got.Text)
	}
}

func TestMailThatIsEncrypted(t *testing.T) {
	for what, c := range map[string]struct{ kind, body string }{
		"PGP":        {`multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b`, "--b\n\nVersion: 1\n--b--"},
		"S/MIME":     {`application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m`, "MIIB"},
		"S/MIME, x-": {`application/x-pkcs7-mime`, "MIIB"},
	} {
		got := readMail(t, "From: a\nTo: b\nSubject: secret matter\nContent-Type: "+c.kind+"\n\n"+c.body)
		if got.State != Failed || got.Reason != ErrEncrypted.Error() || !strings.Contains(got.Text, "secret matter") {
			t.Errorf("%s: %+v", what, got)
		}
	}
	got := readMail(t, "From: a\nTo: b\nSubject: in line\n\nHello\n-----BEGIN PGP MESSAGE-----\n\nhQ\n")
	if !strings.Contains(got.Reason, ErrEncrypted.Error()) || !strings.Contains(got.Text, "in line") {
		t.Errorf("%+v", got)
	}
}

// TestMailThatIsSigned reads what is within a signature.
func TestMailThatIsSigned(t *testing.T) {
	inner := "Content-Type: text/plain\r\n\r\nsigned words"
	der := func(tag byte, content string) string { return string([]byte{tag, byte(len(content))}) + content }
	for what, content := range map[string]string{
		"DER":       der(0x04, inner),
		"in pieces": "\x24\x80" + der(0x04, inner[:20]) + der(0x04, inner[20:]) + "\x00\x00",
	} {
		cms := der(0x30, string(signedData)+der(0xa0, der(0x30, "\x02\x01\x01"+der(0x31, "")+der(0x30, string(plainData)+der(0xa0, content)))))
		got := readMail(t, "From: a\nTo: b\nSubject: c\nContent-Type: application/pkcs7-mime; smime-type=signed-data\nContent-Transfer-Encoding: base64\n\n"+b64(cms))
		if got.State != Indexed || !strings.Contains(got.Text, "signed words") {
			t.Errorf("%s: %+v", what, got)
		}
	}
}

func TestMailbox(t *testing.T) {
	one := "From a@example.com Mon Feb  2 10:00:00 2026\nFrom: a@example.com\nSubject: %s\nDate: x\n\nbody of %s\n\n"
	got, err := Read(t.Context(), Readers(), file(fmt.Appendf(nil, one+one, "first", "first", "second", "second"), "application/mbox", ""))
	if err != nil || got.Kind != EML {
		t.Errorf("%+v, %v", got, err)
	}
	hasAll(t, got.Text, "first\n", "body of first", "second\n", "body of second")
}

// TestAnAttachmentThatFails leaves the text of the others, and is told of.
func TestAnAttachmentThatFails(t *testing.T) {
	got := readMail(t, "From: a\nTo: b\nSubject: c\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nbody words\n--b\nContent-Disposition: attachment; filename=x.docx\n\nPK\x03\x04word/\n"+
		"--b\nContent-Disposition: attachment; filename=y.xlsx\nContent-Transfer-Encoding: base64\n\n"+b64("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....")+"\n--b\n\nlast words\n--b--\n")
	if got.State != Indexed || got.Reason != "not read of what is in it: 2 ("+ErrTruncated.Error()+")" {
		t.Errorf("%+v", got)
	}
	hasAll(t, got.Text, "body words", "last words", "x.docx", "y.xlsx")
}

func TestMailThatBreaksTheRules(t *testing.T) {
	for what, data := range map[string]string{
		"no end":       "From: a\nTo: b\nSubject: c\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nthe words",
		"a bad line":   "From: a\nno field here\nTo: b\nSubject: c\n\nthe words",
		"raw umlauts":  "From: a\nTo: b\nSubject: \xdcbergabe the words\n\nx",
		"broken codes": "From: a\nTo: b\nSubject: c\nContent-Transfer-Encoding: base64\n\ndGhlIHdv!!!cmRz=\n",
		"no boundary":  "From: a\nTo: b\nSubject: c\nContent-Type: multipart/mixed\n\nthe words",
	} {
		if got := readMail(t, data); !strings.Contains(got.Text, "the words") {
			t.Errorf("%s: %+v", what, got)
		}
	}
}

func TestHostileMail(t *testing.T) {
	head := "From: a\nTo: b\nSubject: c\nContent-Type: multipart/mixed; boundary=b\n\n"
	within := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
		}
		return "From: a\nTo: b\nSubject: c\n" + b.String()
	}
	forwarded := strings.Repeat("From: a\nTo: b\nSubject: c\nContent-Type: message/rfc822\n\n", 10_000)
	for what, c := range map[string]struct{ data, reason string }{
		"100,000 parts":          {head + strings.Repeat("--b\n\nx\n", 100_000), "only the first 1000 files in it"},
		"parts within parts":     {within(100_000), "not read of what is in it: 1 (" + ErrTooDeep.Error() + ")"},
		"messages in messages":   {forwarded, "not read of what is in it: 1 (" + ErrTooDeep.Error() + ")"},
		"one field":              {head + "--b\nSubject: " + strings.Repeat("=?utf-8?q?a?= \n ", 1<<18), ""},
		"a field of many lines":  {"From: a\nTo: b\nSubject: c\n" + strings.Repeat(" x\n", 1<<20), ""},
		"parameters":             {"From: a\nTo: b\nSubject: c\nContent-Type: text/plain" + strings.Repeat("; a*1=b", 1<<18), ""},
		"boundaries and no line": {head + strings.Repeat("--b", 1<<20), ""},
	} {
		t.Run(what, func(t *testing.T) {
			endsSoon(t, []byte(c.data), "a.eml")
			if got := readMail(t, c.data); got.Reason != c.reason {
				t.Errorf("%s, %q", got.State, got.Reason)
			}
		})
	}
}

func FuzzEML(f *testing.F) {
	f.Add([]byte("From: a\nSubject: =?utf-8?q?=C3=9C?=\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Transfer-Encoding: base64\n\nYQ==\n--b\nContent-Type: text/html; name*=utf-8''a\n\n<p>c\n--b--"))
	f.Add([]byte("From a\nFrom: a\n\nb\n\nFrom c\nSubject: d\nContent-Type: application/pkcs7-mime\n\nMIIB"))
	fuzz(f, "a.eml")
}

// TestAnAttachmentReadInPart is told of as one that is in the mail, not as the mail.
func TestAnAttachmentReadInPart(t *testing.T) {
	part := Reader{Kind: PDF, Version: 1, Read: func(_ context.Context, _ File, out *Output) error {
		out.Text("first page")
		out.Note("only 1 of its 2 pages")
		return nil
	}}
	data := "From: a\nTo: b\nSubject: c\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n%PDF-1.7\n--b\n\nlast words\n--b--\n"
	got, err := Read(t.Context(), append(Readers(), part), file([]byte(data), "message/rfc822", "a.eml"))
	if err != nil || got.State != Indexed || got.Reason != "not read of what is in it: 1 (only 1 of its 2 pages)" {
		t.Errorf("%+v, %v", got, err)
	}
	hasAll(t, got.Text, "first page", "last words")
}
