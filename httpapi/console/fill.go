package console

import (
	"bytes"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// A form that was sent into a session that had ended comes back on the page that
// has it. The pages know nothing of that: what was typed is written into the page
// when it is made. All values of a page stand escaped in quotes, so that a tag ends
// at its first ">".
var (
	formPattern     = regexp.MustCompile(`(?s)<form[^>]*>.*?</form>`)
	inputPattern    = regexp.MustCompile(`<input[^>]*>`)
	textareaPattern = regexp.MustCompile(`(?s)(<textarea[^>]*>)(.*?)(</textarea>)`)
	selectPattern   = regexp.MustCompile(`(?s)(<select[^>]*>)(.*?)(</select>)`)
	optionPattern   = regexp.MustCompile(`(?s)<option([^>]*)>(.*?)</option>`)
	selectedPattern = regexp.MustCompile(` selected(="")?`)
	checkedPattern  = regexp.MustCompile(` checked(="")?`)
	valuePattern    = regexp.MustCompile(` value="[^"]*"`)
)

// attribute is the value of an attribute of a tag; "" if it has none.
func attribute(tag, name string) string {
	_, rest, ok := strings.Cut(tag, " "+name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	if !ok {
		return ""
	}
	return html.UnescapeString(value)
}

// refill is the page with what was typed in its form again or, if that form is not
// on it, the page that tells what was typed.
func (v *visit) refill(page, name string) (string, error) {
	if filled, ok := filled(page, *v.unsent); ok {
		return filled, nil
	}
	for _, field := range sortedNames(v.unsent.fields) {
		if value := strings.Join(v.unsent.fields[field], ", "); value != "" && field != "revision" {
			v.shell.Lost = append(v.shell.Lost, option{field, value})
		}
	}
	var b bytes.Buffer
	err := v.console.pages.render(&b, name, v.shell)
	return b.String(), err
}

func sortedNames(values url.Values) (names []string) {
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// filled finds the form that is sent to the same address, with the same hidden
// values, and fills it.
func filled(page string, form unsent) (string, bool) {
	for _, at := range formPattern.FindAllStringIndex(page, -1) {
		was := page[at[0]:at[1]]
		action, _, _ := strings.Cut(attribute(was[:strings.Index(was, ">")+1], "action"), "?")
		if action != form.path || !sameHidden(was, form.fields) {
			continue
		}
		before := page[:at[0]]
		if opener := strings.LastIndex(before, "<details"); opener >= 0 && !strings.Contains(before[opener:], "</details>") {
			before = before[:opener] + "<details open" + before[opener+len("<details"):]
		}
		return before + fillForm(was, form.fields) + page[at[1]:], true
	}
	return page, false
}

// sameHidden reports whether what a form says without being asked is what was sent.
func sameHidden(form string, typed url.Values) bool {
	for _, tag := range inputPattern.FindAllString(form, -1) {
		name := attribute(tag, "name")
		if attribute(tag, "type") == "hidden" && name != "once" && name != "revision" && !slices.Contains(typed[name], attribute(tag, "value")) {
			return false
		}
	}
	return true
}

func fillForm(form string, typed url.Values) string {
	form = inputPattern.ReplaceAllStringFunc(form, func(tag string) string { return fillInput(tag, typed) })
	form = textareaPattern.ReplaceAllStringFunc(form, func(tag string) string {
		parts := textareaPattern.FindStringSubmatch(tag)
		if values, ok := typed[attribute(parts[1], "name")]; ok {
			return parts[1] + "\n" + html.EscapeString(values[0]) + parts[3]
		}
		return tag
	})
	return selectPattern.ReplaceAllStringFunc(form, func(tag string) string {
		parts := selectPattern.FindStringSubmatch(tag)
		values, ok := typed[attribute(parts[1], "name")]
		if !ok {
			return tag
		}
		return parts[1] + optionPattern.ReplaceAllStringFunc(parts[2], func(tag string) string { return fillOption(tag, values) }) + parts[3]
	})
}

// fillInput fills a field. The revision is that of the page the form was on, so
// that whatever happened since is a conflict, as it would have been then.
func fillInput(tag string, typed url.Values) string {
	name := attribute(tag, "name")
	values, ok := typed[name]
	switch kind := attribute(tag, "type"); {
	case kind == "checkbox" || kind == "radio":
		tag = checkedPattern.ReplaceAllString(tag, "")
		if is := attribute(tag, "value"); slices.Contains(values, is) || is == "" && slices.Contains(values, "on") {
			tag = strings.TrimSuffix(tag, ">") + " checked>"
		}
		return tag
	case !ok || kind == "file" || kind == "password" || kind == "hidden" && name != "revision":
		return tag
	}
	tag = valuePattern.ReplaceAllString(tag, "")
	return strings.TrimSuffix(tag, ">") + ` value="` + html.EscapeString(values[0]) + `">`
}

func fillOption(tag string, values []string) string {
	parts := optionPattern.FindStringSubmatch(tag)
	attributes := selectedPattern.ReplaceAllString(parts[1], "")
	value := html.UnescapeString(parts[2])
	if strings.Contains(attributes, ` value="`) {
		value = attribute(attributes, "value")
	}
	if slices.Contains(values, value) {
		attributes += " selected"
	}
	return "<option" + attributes + ">" + parts[2] + "</option>"
}
