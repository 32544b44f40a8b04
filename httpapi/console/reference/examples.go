package reference

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// members is an object whose members keep their order, as the description has it.
type members []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in their order.
func (m members) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, one := range m {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(one.name)
		value, err := literal(one.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// literal writes JSON without escaping what HTML would mind: the template does that.
func literal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// example is a value as the description's own examples make it. Objects within
// themselves end at within.
func (d *document) example(s schema, within []string) any {
	if len(s.Examples) > 0 {
		return s.Examples[0]
	}
	if name := refName(s.Ref); name != "" {
		if slices.Contains(within, name) {
			return members{}
		}
		return d.example(d.Components.Schemas[name], append(within[:len(within):len(within)], name))
	}
	switch {
	case len(s.Enum) > 0:
		return s.Enum[0]
	case len(s.OneOf) > 0:
		return d.example(s.OneOf[0], within)
	case s.Items != nil:
		return []any{d.example(*s.Items, within)}
	case len(s.Properties) > 0:
		return d.object(s, within, slices.Sorted(maps.Keys(s.Properties)))
	case s.Type == "boolean":
		return false
	case s.Type == "integer" || s.Type == "number":
		return 1
	case s.Type == "object":
		return members{}
	}
	return "…"
}

func (d *document) object(s schema, within, names []string) members {
	out := members{}
	for _, name := range names {
		out = append(out, member{name, d.example(s.Properties[name], within)})
	}
	return out
}

func pretty(v any) string {
	plain, err := literal(v)
	if err != nil {
		return ""
	}
	var b bytes.Buffer
	if json.Indent(&b, plain, "", "  ") != nil {
		return ""
	}
	return b.String()
}

// inPath is a part of a path that stands for a value.
var inPath = regexp.MustCompile(`\{(\w+)\}`)

// curl is a request of a route that can be typed: with the values that must be there,
// and, where none must, with those of the example.
func (d *document) curl(method, path string, op operation) Example {
	var flags strings.Builder
	if method != "GET" && !(method == "POST" && len(op.RequestBody.Content) > 0) {
		flags.WriteString("-X " + method + " ")
	}
	if op.Security == nil || len(*op.Security) > 0 {
		flags.WriteString(`-H "Authorization: Bearer $KEY" `)
	}
	content := op.RequestBody.Content
	switch {
	case content["multipart/form-data"].Schema.Type != nil:
		flags.WriteString("-F file=@agreement.pdf ")
	case content["application/merge-patch+json"].Schema.Ref != "":
		flags.WriteString("-H 'Content-Type: application/merge-patch+json' -d '" + d.small(content["application/merge-patch+json"].Schema, 2) + "' ")
	case content["application/json"].Schema.Ref != "":
		flags.WriteString("-H 'Content-Type: application/json' -d '" + d.small(content["application/json"].Schema, 3) + "' ")
	case content["text/plain"].Schema.Type != nil:
		flags.WriteString("-H 'Content-Type: text/plain' --data-binary @text.txt ")
	}
	values := map[string]string{}
	for _, p := range op.Parameters {
		text, ok := d.example(p.Schema, nil).(string)
		switch {
		case ok && text != "…":
		case p.Name == "n" || p.Name == "seq":
			text = "1"
		case strings.Contains(strings.ToLower(p.Name), "id"):
			text = "01JDE6Z5T3W5M9K2V7Q4X8R1NB"
		default:
			text = p.Name
		}
		values[p.Name] = text
		if p.Required && p.In == "query" {
			path += "?" + p.Name + "=" + text
		}
	}
	return Example{flags.String(), inPath.ReplaceAllStringFunc(path, func(part string) string {
		if v := values[part[1:len(part)-1]]; v != "" {
			return v
		}
		return part
	})}
}

// small is a body with what must be there, or, if nothing must, its first members.
func (d *document) small(s schema, most int) string {
	to := d.Components.Schemas[refName(s.Ref)]
	names := slices.Sorted(slices.Values(to.Required))
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(to.Properties))
		names = names[:min(most, len(names))]
	}
	out, err := literal(d.object(to, []string{refName(s.Ref)}, names))
	if err != nil {
		return "{}"
	}
	return strings.ReplaceAll(string(out), "'", `'\''`)
}
