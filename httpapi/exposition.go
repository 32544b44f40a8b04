package httpapi

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"strongroom/engine"
)

// Exposition is a page of metrics in the text format that Prometheus and its
// kin read (version 0.0.4). Families are written one after the other, each with
// all of its samples.
type Exposition struct {
	b      bytes.Buffer
	family string
}

// expositionMedia is the media type of a page.
const expositionMedia = "text/plain; version=0.0.4; charset=utf-8"

// Family begins a family of samples. Kind is counter, gauge or histogram; the
// name of a counter ends in _total, and units are seconds and bytes.
func (e *Exposition) Family(name, kind, help string) {
	e.family = name
	e.b.WriteString("# HELP " + name + " " + strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(help) + "\n")
	e.b.WriteString("# TYPE " + name + " " + kind + "\n")
}

// Sample writes a sample of the family. Labels are names and values in turn;
// they must be few and bounded: never a user, a key or a document.
func (e *Exposition) Sample(value float64, labels ...string) { e.sample("", value, labels) }

// Histogram writes the samples of a distribution.
func (e *Exposition) Histogram(d engine.Distribution, labels ...string) {
	within := append(labels[:len(labels):len(labels)], "le", "")
	for i, bound := range d.Bounds {
		within[len(within)-1] = number(bound)
		e.sample("_bucket", float64(d.UpTo[i]), within)
	}
	within[len(within)-1] = "+Inf"
	e.sample("_bucket", float64(d.Count), within)
	e.sample("_sum", d.Sum, labels)
	e.sample("_count", float64(d.Count), labels)
}

var labelValue = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func (e *Exposition) sample(suffix string, value float64, labels []string) {
	e.b.WriteString(e.family + suffix)
	separator := "{"
	for i := 0; i+1 < len(labels); i += 2 {
		e.b.WriteString(separator + labels[i] + `="` + labelValue.Replace(strings.ToValidUTF8(labels[i+1], "\uFFFD")) + `"`)
		separator = ","
	}
	if len(labels) > 1 {
		e.b.WriteByte('}')
	}
	e.b.WriteString(" " + number(value) + "\n")
}

func number(value float64) string {
	if math.IsInf(value, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(value, 'g', -1, 64)
}
