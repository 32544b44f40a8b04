package httpapi

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"testing"

	"strongroom/engine"
)

// Each setting that an answer names can be changed, and is answered as it was given.
func TestEverySettingCanBeChanged(t *testing.T) {
	k := newKit(t, Options{})
	given := map[string]any{
		"categories": []any{"lease"}, "retentionConflict": "shortest", "retentionRunAt": "03:30", "timeZone": "Europe/Berlin", "reminderDays": []any{14.0},
		"auditReads": true, "maxClockGapDays": 9.0, "paused": true, "searchLanguage": "de", "maxVersions": 50.0,
		"restrictDeferred": true, "signInByKey": true, "twoPersons": []any{"export"},
	}
	k.vaults["main"].Person("Bert", engine.AccessAdmin)
	_, text := k.do("admin", http.MethodGet, "/v1/settings", nil)
	var are map[string]any
	if err := json.Unmarshal([]byte(text), &are); err != nil {
		t.Fatal(err)
	}
	delete(are, "revision")
	if !slices.Equal(slices.Sorted(maps.Keys(are)), slices.Sorted(maps.Keys(given))) {
		t.Fatalf("the settings are %v", are)
	}
	for name, value := range given {
		body, err := json.Marshal(map[string]any{name: value})
		if err != nil {
			t.Fatal(err)
		}
		answer, text := k.do("admin", http.MethodPatch, "/v1/settings", bytes.NewReader(body), "Content-Type", "application/json")
		var is map[string]any
		if err := json.Unmarshal([]byte(text), &is); err != nil || answer.StatusCode != 200 || !reflect.DeepEqual(is[name], value) {
			t.Errorf("%s: %d %s", body, answer.StatusCode, text)
		}
	}
}
