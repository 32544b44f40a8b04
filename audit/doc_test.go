package audit

import (
	"bytes"
	"fmt"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// docCode returns the code blocks of the package doc.
func docCode(t *testing.T) []string {
	t.Helper()
	var code []string
	for _, name := range []string{"audit.go", "tree.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		var p comment.Parser
		for _, block := range p.Parse(f.Doc.Text()).Content {
			if c, ok := block.(*comment.Code); ok {
				code = append(code, c.Text)
			}
		}
	}
	return code
}

// docBlock returns the one code block that begins with prefix.
func docBlock(t *testing.T, prefix string) string {
	t.Helper()
	var found []string
	for _, c := range docCode(t) {
		if strings.HasPrefix(c, prefix) {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d code blocks of the package doc begin with %q, want one", len(found), prefix)
	}
	return found[0]
}

// printed is the table of operations as the package doc has it.
func printed() string {
	var b strings.Builder
	wrap := func(name string, words []string, sep string) {
		line := fmt.Sprintf("    %-8s", name)
		for i, w := range words {
			if i < len(words)-1 {
				w += sep
			}
			if len(line)+1+len(w) > 76 {
				b.WriteString(line + "\n")
				line = strings.Repeat(" ", 12)
			}
			line += " " + w
		}
		b.WriteString(line + "\n")
	}
	for _, r := range rules {
		fmt.Fprintf(&b, "%s (%s)\n", r.op, r.subject)
		var facts []string
		for _, f := range r.facts {
			mark := ""
			if f.optional {
				mark = "?"
			}
			facts = append(facts, fmt.Sprintf("%s%s %s", f.name, mark, f.kind))
		}
		wrap("facts", facts, ",")
		if r.detail != "" {
			words := []string{r.detail}
			if !strings.HasPrefix(r.detail, "{") {
				words = strings.Fields(r.detail)
			}
			wrap("detail", words, "")
		}
	}
	return b.String()
}

func TestDocHasTheTableOfOperations(t *testing.T) {
	if got, want := docBlock(t, "vault.created ("), printed(); got != want {
		t.Errorf("the table in the package doc is not that of the code; want\n%s", want)
	}
}

func TestDocExplainsEveryFactAndKind(t *testing.T) {
	var facts, kinds []string
	for _, r := range rules {
		names := make([]string, len(r.facts))
		for i, f := range r.facts {
			names[i] = f.name
			facts = append(facts, f.name)
			kinds = append(kinds, string(f.kind))
		}
		if !slices.IsSorted(names) {
			t.Errorf("%s: the facts are not in order: %v", r.op, names)
		}
	}
	first := func(block string) (words []string) {
		for line := range strings.Lines(block) {
			words = append(words, strings.Fields(line)[0])
		}
		slices.Sort(words)
		return words
	}
	for block, want := range map[string][]string{"access ": facts, "word ": kinds} {
		slices.Sort(want)
		if got, want := first(docBlock(t, block)), slices.Compact(want); !slices.Equal(got, want) {
			t.Errorf("the package doc explains %v, want %v", got, want)
		}
	}
}

func TestDocExampleIsReal(t *testing.T) {
	l := workedExample()
	if got := docBlock(t, `{"seq":1,"prev":`); got != string(l.log()) {
		t.Errorf("the log in the package doc is not\n%s", l.log())
	}
	rows := docBlock(t, `{"seq":1,"salt":`)
	if rows != string(l.rows()) {
		t.Errorf("the details in the package doc are not\n%s", l.rows())
	}
	head, err := ParseHead(docBlock(t, headTitle))
	if err != nil || head != l.head {
		t.Errorf("the head in the package doc is %+v, %v, not\n%s", head, err, l.head.Text())
	}
	o := VerifyOptions{Heads: []Head{head}, Details: strings.NewReader(rows), File: l.doc[testDoc][0].digest}
	r := verify(t, l.log(), o)
	if len(r.Findings) > 0 || r.Head != l.head || r.Entries != 4 || r.Versions != 2 || len(r.Matches) != 1 {
		t.Errorf("Verify reports %+v", r)
	}
}

// shell runs a script from the package doc as a reader would.
func shell(t *testing.T, script string, in []byte) (out string, ok bool) {
	t.Helper()
	for _, tool := range []string{"sh", "sha256sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not on this machine, so the shell loop of the package doc is not tried", tool)
		}
	}
	file := t.TempDir() + "/check.sh"
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", file)
	cmd.Stdin = bytes.NewReader(in)
	got, err := cmd.Output()
	return string(got), err == nil
}

func TestDocShellLoopChecksALog(t *testing.T) {
	script := docBlock(t, "n=0 prev=")
	l := fullLog()
	out, ok := shell(t, script, l.log())
	if want := fmt.Sprintf("%d %s\n", l.head.Seq, l.head.Hash); !ok || out != want {
		t.Errorf("the loop prints %q, %v; want %q", out, ok, want)
	}
	changed := bytes.Replace(l.log(), []byte("operator"), []byte("operater"), 1)
	swapped := bytes.Join([][]byte{l.lines[0], l.lines[2], l.lines[1]}, nil)
	for name, log := range map[string][]byte{
		"changed": changed, "swapped": swapped, "dropped": bytes.Join(l.lines[1:], nil),
		"cut": l.log()[:len(l.log())-1],
	} {
		if out, ok := shell(t, script, log); ok {
			t.Errorf("the loop accepts a log with a line %s: %s", name, out)
		}
	}
}

func TestDocShellComputesAVersionChain(t *testing.T) {
	out, ok := shell(t, docBlock(t, "printf "), nil)
	if want := workedExample().doc[testDoc][0].chain.String(); !ok || !strings.HasPrefix(out, want+" ") {
		t.Errorf("the command prints %q, %v; want %s", out, ok, want)
	}
}
