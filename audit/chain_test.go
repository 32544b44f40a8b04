package audit

import (
	"reflect"
	"testing"
	"time"
)

// The parties of the test log.
const (
	testVault = "01JD6QGZ3MZ4Y8T6V1E9B7K2RW"
	testUser  = "01JD6QGZ3NQ5C3W0XHDA4M8V2E"
	testKey   = "01JD6QGZ3P7K9R2S6T4B0Y1N8F"
	testDoc   = "01JD6R0V5XJ8M2H4Q7Z9C3E6TB"
)

var testStart = time.Date(2026, 11, 21, 17, 36, 1, 123e6, time.UTC)

func TestNextIsWhatFollowReads(t *testing.T) {
	var h Head
	events := []Event{
		{Op: OpVaultCreated, Facts: Facts{"vault": Text(testVault), "format": Number(1)}},
		{Op: OpSettingsUpdated, Facts: Facts{"changed": Texts("a", "b", "[,]")}},
		{Op: OpSettingsUpdated, Facts: Facts{"changed": Texts()}},
		{Op: OpAuditExported, Facts: Facts{"after": Number(0), "through": Number(1<<53 - 1)}},
	}
	for i, e := range events {
		at := testStart.Add(time.Duration(i) * time.Millisecond)
		line, next, err := h.Next(Stamp{at, testUser, testKey}, e, Hash{})
		if err != nil {
			t.Fatal(err)
		}
		followed, err := h.Follow(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if followed != next {
			t.Errorf("Follow gives %+v, Next %+v", followed, next)
		}
		got, err := ParseEntry(line)
		want := Entry{uint64(i + 1), h.Hash, at, testUser, testKey, e.Op, e.Document, e.Version, e.Facts, Hash{}}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("ParseEntry gives %+v, %v; want %+v", got, err, want)
		}
		h = next
	}
}
