package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"strongroom/engine"
)

// twoWitnesses are one that signs and one that is away.
type twoWitnesses struct{}

func (twoWitnesses) Witness(ctx context.Context, v *engine.Vault) (Witnessing, error) {
	c, err := v.Checkpoint(ctx)
	return Witnessing{c, false, []WitnessSaid{{Name: "near", At: time.Unix(1_800_000_000, 0)}, {Name: "far", Err: errors.New("nobody answers")}}}, err
}

func TestWitnessesAreAskedOnRequest(t *testing.T) {
	k := newKit(t, Options{Witnesses: twoWitnesses{}})
	var w WitnessedLog
	resp, body := k.do("admin", "POST", "/v1/log/witnesses", nil)
	if err := json.Unmarshal([]byte(body), &w); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s %s: %v", resp.Status, body, err)
	}
	if w.Size == 0 || !strings.Contains(w.Checkpoint, "\n\n\u2014 ") || w.Enough || len(w.Witnesses) != 2 || time.Time(w.Witnesses[0].At).IsZero() || w.Witnesses[0].Error != "" ||
		!time.Time(w.Witnesses[1].At).IsZero() || w.Witnesses[1].Error != "nobody answers" {
		t.Errorf("%+v", w)
	}
	for _, token := range []string{"upload", "view"} {
		if resp, _ := k.do(token, "POST", "/v1/log/witnesses", nil); resp.StatusCode != 403 {
			t.Errorf("with access %s: %s", token, resp.Status)
		}
	}
	without := New(nil, Options{})
	for _, rt := range without.table {
		if rt.pattern == "/v1/log/witnesses" {
			t.Error("without witnesses there is the route that asks them")
		}
	}
}
