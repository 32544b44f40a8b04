package verifier

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"strongroom/audit"
)

// Sentences returns what is proved, a sentence each: first what the entry says.
func (a Answer) Sentences() []string {
	e := a.entry
	first := "entry"
	if a.Log.Size != 1 {
		first = fmt.Sprintf("%d entries", a.Log.Size)
	}
	said := []string{
		a.subject(),
		fmt.Sprintf("Entry %d of the log %s says so: %s, written at %s by %s.", e.Seq, plain(a.Log.Origin), e.Op, audit.FormatTime(e.Time), by(e)),
		fmt.Sprintf("The log has signed its first %s, this one among them: it cannot be taken out or changed unseen.", first),
	}
	for _, w := range a.Witnesses {
		said = append(said, fmt.Sprintf("Witness %s signed the same at %s.", plain(w.Name), w.Time))
	}
	if len(a.Witnesses) == 0 {
		said = append(said, "No witness that you trust has signed: that everybody is shown the same log is its own word.")
	}
	return said
}

// Limits returns what is not proved, a sentence each.
func (a Answer) Limits() []string {
	bound := ", and no witness bounds it."
	if len(a.Witnesses) > 0 {
		first := slices.MinFunc(a.Witnesses, func(x, y Witness) int { return strings.Compare(x.Time, y.Time) })
		bound = fmt.Sprintf("; that the entry was there by %s is the word of a witness.", first.Time)
		const second = len("2026-11-21T17:36:01") // witnesses know no smaller part
		if first.Time[:second] < audit.FormatTime(a.entry.Time)[:second] {
			bound += " That is before the time of the entry: one of the two clocks is wrong."
		}
	}
	not := []string{
		"Who made the content, and whether it is true.",
		"That nobody else has it, or had it before.",
		"When it happened. The time is that of the vault's clock" + bound,
		fmt.Sprintf("What came after entry %d: a newer version, or the end of this one.", a.Log.Size),
	}
	if digest, _ := a.entry.Facts["digest"].AsText(); digest != "" && a.File == nil {
		not = append(not, "That a file you have is this one: none was compared.")
	}
	return not
}

// subject says what the entry says.
func (a Answer) subject() string {
	e := a.entry
	which := fmt.Sprintf("ersion %d of document %s", e.Version, e.Document)
	digest, _ := e.Facts["digest"].AsText()
	bytes := "the digest " + digest
	if size, ok := e.Facts["size"].AsNumber(); ok {
		bytes = counted(size, "byte") + " with " + bytes
	}
	switch {
	case digest != "" && e.Op == audit.OpDocumentTextSet && a.File != nil:
		return fmt.Sprintf("%s is the text given for v%s: %s.", plain(a.File.Name), which, bytes)
	case digest != "" && e.Op == audit.OpDocumentTextSet:
		return fmt.Sprintf("Text was given for v%s: %s.", which, bytes)
	case digest != "" && a.File != nil:
		return fmt.Sprintf("%s is v%s, byte for byte: %s.", plain(a.File.Name), which, bytes)
	case digest != "":
		return fmt.Sprintf("V%s has %s.", which, bytes)
	case e.Op == audit.OpDocumentDeleted:
		versions, _ := e.Facts["versions"].AsNumber()
		certificate, _ := e.Facts["certificate"].AsText()
		return fmt.Sprintf("Document %s was deleted, with %s. The digest of its certificate is %s.", e.Document, counted(versions, "version"), certificate)
	}
	said := fmt.Sprintf("The vault noted %s", e.Op)
	if e.Document != "" {
		said += " of document " + e.Document
	}
	if e.Version != 0 {
		said += fmt.Sprintf(", version %d", e.Version)
	}
	return said + "."
}

func by(e audit.Entry) string {
	who := "user " + e.Actor
	switch e.Actor {
	case "system":
		who = "the vault itself"
	case "operator":
		who = "the operator of the vault"
	}
	if e.Key != "" {
		who += " with key " + e.Key
	}
	return who
}

func counted(n uint64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// plain returns text that others wrote in a form that cannot command a terminal, turn
// a line around or hide.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
