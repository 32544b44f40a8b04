package browser

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"strongroom/audit/verifier"
)

// TestVerifierByHand checks a proof as somebody does who was sent one: by typing and
// choosing, by keyboard, by dropping files, from disk and from a server; and reads what
// the page says.
func TestVerifierByHand(t *testing.T) {
	b := verifierFromDisk(t)
	axe := axeSource(t)
	d, dir := newDeed(t), t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	proof, hello := file("hello.tlog-proof", d.prove(t, 2, 8)), file("hello.txt", proofFile)
	b.inspect(axe)
	b.says("Still missing: the key of the log, or a policy, and the proof.", "It loads nothing and sends nothing")

	b.tabTo("Key of the log")
	b.fill("Key of the log", " "+d.log.vkey()+"\n") // as it is pasted
	b.tabTo("Or a policy, which names witnesses too")
	b.tabTo("Choose the proof")
	b.files("Choose the proof", proof)
	b.until("the proof to be checked", "document.body.innerText.includes('Version 1 of document')")
	b.says("Proved", "No witness that you trust has signed", "none was compared", "document.created", "The log has signed its first 8 entries")
	b.tabTo("Take the proof away")
	b.tabTo("Choose the document")
	b.files("Choose the document", hello)
	b.until("the document to be compared", "document.body.innerText.includes('hello.txt is version 1 of document "+proofDocument+", byte for byte')")
	b.lacks("none was compared")
	b.inspect(axe)

	b.click("Or a policy")
	b.files("Choose a file with a policy", file("policy.txt", d.policy("both")))
	b.until("the witnesses", "document.body.innerText.includes('Witness harbour signed the same at 2026-11-21T22:26:40.000Z.')")
	b.fill("Policy", strings.Replace(d.policy("both"), d.harbour.vkey(), newNotary("harbour.example/w", 4, 99).vkey(), 1))
	b.until("a witness to be missing", "document.body.innerText.includes('not enough witnesses: 1 of 2')")
	b.says("Not proved")
	b.inspect(axe)
	b.fill("Policy", "quorum both")
	b.until("the policy to be refused", "document.body.innerText.includes('Line 1 of the policy')")
	b.says("Not checked", "Nothing was checked yet.")
	get[any](b, "void (document.getElementById('policy').value = '')")

	b.fill("Key of the log", newNotary(d.log.name, 1, 78).vkey())
	b.until("another key to be refused", "document.body.innerText.includes('No log that you trust has signed this')")
	b.fill("Key of the log", d.log.vkey())
	drop := `(async files => { const t = new DataTransfer(); for (const [name, content] of files) t.items.add(new File([content], name));
 dispatchEvent(new DragEvent('drop', {dataTransfer: t, cancelable: true})); })`
	get[any](b, drop+`([["other.txt", "other"], ["hold.tlog-proof", `+quoted(d.prove(t, 5, 8))+`]])`)
	b.until("what was dropped to be checked", "document.body.innerText.includes('Entry 5 is proved, but it is about no file: it is hold.placed.')")
	b.says("Not this document")
	b.click("Take the document away")
	b.until("the entry alone", "document.body.innerText.includes('The vault noted hold.placed of document "+proofDocument+".')")
	get[any](b, drop+`([["big.bin", "x".repeat(33 << 20)]])`)
	b.until("a large file to be read", "document.body.innerText.includes('Entry 5 is proved')")
	if sum := get[string](b, "given.file.digest"); sum != digestOf(strings.Repeat("x", 33<<20)) {
		t.Errorf("the digest of a large file is %s", sum)
	}
	b.press(kb.Escape)

	// From a server the page is of no origin, may have no crypto.subtle, and works.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", verifier.SecurityPolicy())
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if _, err := w.Write(verifier.Page()); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	b.do(chromedp.Navigate(server.URL))
	if origin := get[string](b, "origin"); origin != "null" {
		t.Errorf("served, the page is of %s", origin)
	}
	b.fill("Key of the log", d.log.vkey())
	b.files("Choose the proof", proof)
	b.until("the proof to be checked", "document.body.innerText.includes('Version 1 of document')")
}
