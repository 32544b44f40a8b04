package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"strongroom/audit"
)

const usageJSON = "print JSON, one object to a line"

// headRow is a head as the API spells it.
type headRow struct {
	Vault string `json:"vault"`
	Seq   uint64 `json:"seq"`
	Time  string `json:"time"`
	Hash  string `json:"hash"`
	Text  string `json:"text"`
}

func rowOfHead(h audit.Head) headRow {
	return headRow{h.Vault, h.Seq, audit.FormatTime(h.Time), h.Hash.String(), h.Text()}
}

func (f *flagSet) asJSON() *bool {
	return f.set.Bool("json", false, usageJSON)
}

// writeJSON writes a value as one line.
func (p *Program) writeJSON(v any) error { return json.NewEncoder(p.Stdout).Encode(v) }

// answer is a JSON value as it was sent, and what a command needs of it.
type answer[Row any] struct {
	sent json.RawMessage
	row  Row
}

// UnmarshalJSON is part of json.Unmarshaler.
func (a *answer[Row]) UnmarshalJSON(sent []byte) error {
	a.sent = append(json.RawMessage{}, sent...)
	return json.Unmarshal(sent, &a.row)
}

// writeAnswer writes an answer as it was sent, if it is to be JSON, or else the
// one line that a person, or a script, wants of it.
func (p *Program) writeAnswer(sent json.RawMessage, asJSON bool, line string) error {
	if asJSON {
		return p.writeLines([]json.RawMessage{sent})
	}
	_, err := fmt.Fprintln(p.Stdout, line)
	return err
}

// writeLines writes JSON values as they are, one to a line.
func (p *Program) writeLines(items []json.RawMessage) error {
	for _, item := range items {
		if _, err := fmt.Fprintf(p.Stdout, "%s\n", item); err != nil {
			return err
		}
	}
	return nil
}

// writeTable decodes the items of a list and writes them as columns.
func writeTable[Row any](w io.Writer, items []json.RawMessage, header []string, cells func(Row) []string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join(header, "\t"))
	for _, item := range items {
		var row Row
		if err := json.Unmarshal(item, &row); err != nil {
			return err
		}
		line := cells(row)
		for i, cell := range line {
			if line[i] = plain(cell); cell == "" {
				line[i] = "-"
			}
		}
		fmt.Fprintln(table, strings.Join(line, "\t"))
	}
	return table.Flush()
}

// plain returns text that others wrote in a form that cannot command a
// terminal or break a line.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
