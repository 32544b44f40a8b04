package engine_test

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// hostile values of text on one line, and of text that may have lines.
func badLines(most int) []string {
	return append(badProse(most), "two\nlines", "a\ttab", "a\rreturn")
}

func badProse(most int) []string {
	return []string{"nul\x00", "\x1b[2Jescape", "delete\x7f", "next\u0085line", "\xff\xfe", "cut \xe2\x82", strings.Repeat("x", most+1), strings.Repeat("€", most+1)}
}

func goodLine(most int) string { return strings.Repeat("€", most) }

// refused is one call with a value that cannot be accepted.
type refused struct {
	field string
	value any
	err   error
}

func TestValuesThatCannotBeAccepted(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	k.Define(engine.BooleanField, "kept")
	d := k.CreateFrom(engine.NewDocument{Name: "subject", Tags: []string{"kept"}, ExternalID: "taken", CustomFields: map[string]any{"kept": true}}, "text")
	user, _ := k.Person("Somebody", engine.AccessUpload)
	head := k.Head()
	var all []refused
	for _, list := range [][]refused{
		newDocuments(k), patches(k, d.ID), newVersions(k, d.ID), accounts(k, user.UserID), queries(k, d.ID),
	} {
		all = append(all, list...)
	}
	for _, r := range all {
		if r.err == nil {
			t.Errorf("%s %.80q was accepted", r.field, fmt.Sprint(r.value))
			continue
		}
		wantField(t, r.err, r.field)
		if len(r.err.Error()) > 2_000 {
			t.Errorf("%s %.80q: the message has %d bytes", r.field, fmt.Sprint(r.value), len(r.err.Error()))
		}
	}
	if k.Head() != head {
		t.Errorf("something was written: the head is %d, was %d", k.Head().Seq, head.Seq)
	}
	if is, err := k.Document(t.Context(), d.ID); err != nil || !reflect.DeepEqual(is, d) {
		t.Errorf("%+v, was %+v", is, d)
	}
	if blobs := files(t, filepath.Join(k.Dir, "blobs")); len(blobs) != 1 {
		t.Errorf("left behind: %v", blobs)
	}
}

// each tries bad values of text in fields with their greatest lengths.
func each(fields map[string]int, bad func(int) []string, try func(field, value string) error) (list []refused) {
	for field, most := range fields {
		for _, value := range bad(most) {
			list = append(list, refused{field, value, try(field, value)})
		}
	}
	return list
}

func badTags() map[string][]string {
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprint("tag", i)
	}
	return map[string][]string{
		"tags[0]": {""}, "tags[1]": {"a", "  "}, "tags[2]": {"a", "b", "key:"}, "tags": many,
	}
}

var oddTags = []string{":value", "key:  ", ":", "a,b", "key:a,b", "key:*", "key: *", "new\nline", "nul\x00", "\xff", strings.Repeat("x", 101)}

func badFields() map[string]any {
	type own string
	return map[string]any{
		"": 1, "1a": 1, "a b": 1, "a.b": 1, "ä": 1, "a\n": 1, strings.Repeat("a", 65): 1,
		"list": []any{1}, "object": map[string]any{"a": 1}, "bytes": []byte("x"), "own": own("x"), "time": time.Now(),
		"nan": math.NaN(), "inf": math.Inf(1), "ninf": math.Inf(-1), "long": json.Number(strings.Repeat("1", 65)),
		"hex": json.Number("0x10"), "word": json.Number("one"), "empty": json.Number(""), "blank": json.Number(" 1"), "after": json.Number("1 "),
		"line": json.Number("1\n"), "plus": json.Number("+1"), "zero": json.Number("01"), "huge": json.Number("1e999"), "true": json.Number("true"), "quoted": json.Number(`"1"`),
		"nul": "a\x00b", "utf8": "\xff", "text": strings.Repeat("x", 4_001),
	}
}

func manyFields() map[string]any {
	m := map[string]any{}
	for i := range 101 {
		m[fmt.Sprint("f", i)] = i
	}
	return m
}

func newDocuments(k *enginetest.Kit) (list []refused) {
	create := func(n engine.NewDocument) error {
		u := k.Upload("bytes of a document that is refused")
		defer u.Discard()
		_, _, err := k.CreateDocument(k.TB.Context(), k.Admin, n, u)
		return err
	}
	list = each(map[string]int{"name": 255, "externalId": 200, "product": 200, "templateId": 200, "agreementId": 200, "label": 200}, badLines, func(field, value string) error {
		n := engine.NewDocument{Name: "n"}
		switch field {
		case "name":
			n.Name = value
		case "externalId":
			n.ExternalID = value
		case "product":
			n.Product = value
		case "templateId":
			n.TemplateID = value
		case "agreementId":
			n.AgreementID = value
		case "label":
			n.Version.Label = value
		}
		return create(n)
	})
	for _, n := range []engine.NewDocument{{}, {Name: "  "}, {Name: " \t "}} {
		list = append(list, refused{"name", n.Name, create(n)})
	}
	for _, category := range []string{"unknown", "Contract", " contract", "contract\x00", "\xff", strings.Repeat("x", 100)} {
		list = append(list, refused{"category", category, create(engine.NewDocument{Name: "n", Category: category})})
	}
	for _, owner := range []string{"x", engine.NewID(), "operator", k.Admin.KeyID, k.Admin.UserID + "0", "\xff"} {
		list = append(list, refused{"ownerId", owner, create(engine.NewDocument{Name: "n", OwnerID: owner})})
	}
	for field, tags := range badTags() {
		list = append(list, refused{field, tags, create(engine.NewDocument{Name: "n", Tags: tags})})
	}
	for _, tag := range oddTags {
		list = append(list, refused{"tags[0]", tag, create(engine.NewDocument{Name: "n", Tags: []string{tag}})})
	}
	for key, value := range badFields() {
		list = append(list, refused{"customFields." + key, value, create(engine.NewDocument{Name: "n", CustomFields: map[string]any{key: value}})})
	}
	return append(list, refused{"customFields", "101", create(engine.NewDocument{Name: "n", CustomFields: manyFields()})})
}

func patches(k *enginetest.Kit, id string) (list []refused) {
	patch := func(p engine.DocumentPatch) error {
		_, _, err := k.UpdateDocument(k.TB.Context(), k.Admin, id, engine.Condition{}, p)
		return err
	}
	list = each(map[string]int{"name": 255, "externalId": 200}, badLines, func(field, value string) error {
		if field == "name" {
			return patch(engine.DocumentPatch{Name: &value})
		}
		return patch(engine.DocumentPatch{ExternalID: &value})
	})
	list = append(list, each(map[string]int{"description": 10_000}, badProse, func(_, value string) error {
		return patch(engine.DocumentPatch{Description: &value})
	})...)
	empty, other, unknown := "", "another", "unknown"
	blank := " \t"
	list = append(list,
		refused{"name", empty, patch(engine.DocumentPatch{Name: &empty})},
		refused{"name", blank, patch(engine.DocumentPatch{Name: &blank})},
		refused{"externalId", other, patch(engine.DocumentPatch{ExternalID: &other})},
		refused{"externalId", empty, patch(engine.DocumentPatch{ExternalID: &empty})},
		refused{"category", unknown, patch(engine.DocumentPatch{Category: &unknown})},
		refused{"ownerId", unknown, patch(engine.DocumentPatch{OwnerID: &unknown})},
		refused{"customFields", "101", patch(engine.DocumentPatch{CustomFields: manyFields()})},
		refused{"tags", "101 with those there are", patch(engine.DocumentPatch{AddTags: badTags()["tags"][:100]})},
	)
	for field, tags := range badTags() {
		list = append(list, refused{field, tags, patch(engine.DocumentPatch{Tags: &tags})})
	}
	for _, tag := range oddTags {
		list = append(list, refused{"addTags[0]", tag, patch(engine.DocumentPatch{AddTags: []string{tag}})})
		list = append(list, refused{"removeTags[0]", tag, patch(engine.DocumentPatch{RemoveTags: []string{tag}})})
	}
	for key, value := range badFields() {
		list = append(list, refused{"customFields." + key, value, patch(engine.DocumentPatch{CustomFields: map[string]any{key: value}})})
	}
	return list
}

func newVersions(k *enginetest.Kit, id string) (list []refused) {
	add := func(n engine.NewVersion) error {
		u := k.Upload("bytes of a version that is refused")
		defer u.Discard()
		_, _, err := k.AddVersion(k.TB.Context(), k.Admin, id, engine.Condition{}, n, u)
		return err
	}
	list = each(map[string]int{"fileName": 255, "label": 200}, badLines, func(field, value string) error {
		if field == "label" {
			return add(engine.NewVersion{Label: value})
		}
		return add(engine.NewVersion{FileName: value})
	})
	list = append(list, each(map[string]int{"comment": 2_000}, badProse, func(_, value string) error {
		return add(engine.NewVersion{Comment: value})
	})...)
	for _, name := range []string{"a/b", "../../etc/passwd", `a\b`, `C:\x`, "/", ".", ".."} {
		list = append(list, refused{"fileName", name, add(engine.NewVersion{FileName: name})})
	}
	for _, media := range []string{"pdf", "text/plain\r\nX: y", `text/plain; name="a"`, "text/ä", "text/<b>", "text/a&b", `text/a\b`, "text/\x7f", "\xff/x", "text/" + strings.Repeat("x", 251)} {
		list = append(list, refused{"mediaType", media, add(engine.NewVersion{MediaType: media})})
	}
	return list
}

func accounts(k *enginetest.Kit, userID string) (list []refused) {
	ctx := k.TB.Context()
	create := func(n engine.NewUser) error { _, _, err := k.CreateUser(ctx, k.Admin, n); return err }
	ensure := func(n engine.NewUser) error { _, _, err := k.EnsureUser(ctx, k.Admin, n); return err }
	update := func(p engine.UserPatch) error {
		_, _, err := k.UpdateUser(ctx, k.Admin, userID, engine.Condition{}, p)
		return err
	}
	key := func(n engine.NewKey) error { _, _, _, err := k.CreateKey(ctx, k.Admin, n); return err }
	settings := func(list []string) error {
		_, _, err := k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{Categories: &list})
		return err
	}
	for _, name := range append(badLines(200), "", " ", "\t") {
		if trimmed := strings.TrimSpace(name); trimmed != name && trimmed != "" {
			continue
		}
		list = append(list,
			refused{"name", name, create(engine.NewUser{Name: name, Access: engine.AccessView})},
			refused{"name", name, update(engine.UserPatch{Name: &name})},
			refused{"name", name, key(engine.NewKey{Name: name})})
	}
	for _, email := range []string{"x", "@", "a@", "@b", "a b@c", "a@b\x00", "a@\xff", "<a@b>", `"a"@b`, "a@b\nc", strings.Repeat("a", 250) + "@b.co"} {
		list = append(list,
			refused{"email", email, create(engine.NewUser{Name: "n", Email: email, Access: engine.AccessView})},
			refused{"email", email, ensure(engine.NewUser{Name: "n", Email: email, Access: engine.AccessView})},
			refused{"email", email, update(engine.UserPatch{Email: &email})})
	}
	for _, access := range []engine.Access{engine.AccessNone, 4, 255} {
		list = append(list,
			refused{"access", access, create(engine.NewUser{Name: "n", Access: access})},
			refused{"access", access, update(engine.UserPatch{Access: &access})})
		if access != engine.AccessNone {
			list = append(list, refused{"access", access, key(engine.NewKey{Name: "n", Access: access})})
		}
	}
	for _, status := range []engine.UserStatus{"", "Active", "gone"} {
		list = append(list, refused{"status", status, update(engine.UserPatch{Status: &status})})
	}
	for _, owner := range []string{"x", engine.NewID(), "operator"} {
		list = append(list, refused{"userId", owner, key(engine.NewKey{Name: "n", UserID: owner})})
	}
	for _, at := range []time.Time{time.Now(), time.Now().Add(-time.Hour), time.Unix(0, 0), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(1<<60, 0), time.Unix(-1<<60, 0)} {
		list = append(list, refused{"expiresAt", at, key(engine.NewKey{Name: "n", ExpiresAt: at})})
	}
	many := make([]string, 201)
	for i := range many {
		many[i] = fmt.Sprint("category", i)
	}
	list = append(list, refused{"categories", "201", settings(many)})
	patch := func(p engine.SettingsPatch) error {
		_, _, err := k.UpdateSettings(ctx, k.Admin, engine.Condition{}, p)
		return err
	}
	for _, word := range []string{"", "Longest", "long", "xx", "EN"} {
		list = append(list,
			refused{"retentionConflict", word, patch(engine.SettingsPatch{RetentionConflict: (*engine.Conflict)(&word)})},
			refused{"searchLanguage", word, patch(engine.SettingsPatch{SearchLanguage: &word})})
	}
	for _, at := range []string{"", "2:00", "24:00", "02:60", "02:00:00", "ab:cd", " 02:00", "02:00\n"} {
		list = append(list, refused{"retentionRunAt", at, patch(engine.SettingsPatch{RetentionRunAt: &at})})
	}
	for _, zone := range []string{"", "Local", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "a\x00b", "posixrules", "posix/Europe/Berlin", "right/UTC", "localtime"} {
		list = append(list, refused{"timeZone", zone, patch(engine.SettingsPatch{TimeZone: &zone})})
	}
	for _, days := range []uint64{0, 366, 1 << 40} {
		list = append(list, refused{"reminderDays[1]", days, patch(engine.SettingsPatch{ReminderDays: &[]uint64{7, days}})})
	}
	list = append(list, refused{"reminderDays", "11", patch(engine.SettingsPatch{ReminderDays: &[]uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}})})
	for _, days := range []uint64{0, 3651} {
		list = append(list, refused{"maxClockGapDays", days, patch(engine.SettingsPatch{MaxClockGapDays: &days})})
	}
	for _, most := range []uint64{0, 100_001} {
		list = append(list, refused{"maxVersions", most, patch(engine.SettingsPatch{MaxVersions: &most})})
	}
	for _, name := range []string{"", "A", "a b", "-a", "a\n", "ä", "\xff", strings.Repeat("a", 51)} {
		list = append(list, refused{"categories[0]", name, settings([]string{name})})
	}
	return list
}

func queries(k *enginetest.Kit, id string) (list []refused) {
	ctx := k.TB.Context()
	documents := func(q engine.DocumentQuery) error { _, err := k.Documents(ctx, q); return err }
	for _, limit := range []int{-1, 501, math.MaxInt, math.MinInt} {
		p := engine.Paging{Limit: limit}
		_, users := k.Users(ctx, p)
		_, keys := k.Keys(ctx, p)
		_, versions := k.Versions(ctx, id, p)
		_, entries := k.Entries(ctx, engine.EntryQuery{Limit: limit})
		for _, err := range []error{users, keys, versions, entries, documents(engine.DocumentQuery{Paging: p})} {
			list = append(list, refused{"limit", limit, err})
		}
	}
	for _, cursor := range []string{"x", "!!!!", "AAAA", "==", "\xff", "VQ", strings.Repeat("A", 1000)} {
		p := engine.Paging{Cursor: cursor}
		_, users := k.Users(ctx, p)
		_, keys := k.Keys(ctx, p)
		_, versions := k.Versions(ctx, id, p)
		for _, err := range []error{users, keys, versions, documents(engine.DocumentQuery{Paging: p})} {
			list = append(list, refused{"cursor", cursor, err})
		}
	}
	for _, sort := range []engine.Sort{"x", "-", "--name", "name ", "-size"} {
		list = append(list, refused{"sort", sort, documents(engine.DocumentQuery{Sort: sort})})
	}
	for _, status := range []engine.Status{"x", "Active", "active ", "live"} {
		list = append(list, refused{"status", status, documents(engine.DocumentQuery{Status: status})})
	}
	return list
}

func TestValuesAtTheirLimitsAreAccepted(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	tags := badTags()["tags"][:100]
	fields := manyFields()
	delete(fields, "f0")
	for key := range fields {
		k.Define(engine.NumberField, key)
	}
	k.Define(engine.NumberField, "float", "int", "number")
	k.Define(engine.TextField, "text")
	k.Define(engine.BooleanField, "no")
	d := k.CreateFrom(engine.NewDocument{
		Name: goodLine(255), Description: goodLine(10_000), ExternalID: goodLine(200), Product: goodLine(200),
		TemplateID: goodLine(200), AgreementID: goodLine(200), Tags: tags, CustomFields: fields,
		Version: engine.NewVersion{MediaType: "x/" + strings.Repeat("y", 253), FileName: goodLine(255), Comment: goodLine(2_000), Label: goodLine(200)},
	}, "text")
	if len(d.Tags) != 100 || len(d.CustomFields) != 100 || d.Description != goodLine(10_000) {
		t.Errorf("%d tags, %d fields", len(d.Tags), len(d.CustomFields))
	}
	d = k.CreateFrom(engine.NewDocument{Name: "  trimmed \n", Tags: []string{" b : 1 ", "a", "a ", "b:1"}, CustomFields: map[string]any{
		"float": 0.1, "int": 7, "number": json.Number("1e300"), "text": "two\nlines", "no": false, "gone": nil,
	}}, "more")
	if d.Name != "trimmed" || fmt.Sprint(d.Tags) != "[a b:1]" {
		t.Errorf("%q %q", d.Name, d.Tags)
	}
	want := map[string]any{"float": json.Number("0.1"), "int": json.Number("7"), "number": json.Number("1e300"), "text": "two\nlines", "no": false}
	if fmt.Sprint(d.CustomFields) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", d.CustomFields, want)
	}
}
