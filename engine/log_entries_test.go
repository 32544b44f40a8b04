package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// writing changes a document until the function returned is called.
func writing(t *testing.T, k *enginetest.Kit, d engine.Document) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	for c := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				name := fmt.Sprint(c, " ", i)
				if _, _, err := k.UpdateDocument(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.DocumentPatch{Name: &name}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	return func() { close(done); wg.Wait() }
}

func TestEntriesWhileOthersWrite(t *testing.T) {
	k := enginetest.New(t)
	stop := writing(t, k, k.Create("contract", "text"))
	defer stop()
	for range 2000 {
		if _, err := k.Entries(t.Context(), engine.EntryQuery{After: k.Head().Seq - 1}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnExportEndsWhereItsEntrySays(t *testing.T) {
	k := enginetest.New(t)
	on := true
	if _, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{AuditReads: &on}); err != nil {
		t.Fatal(err)
	}
	stop := writing(t, k, k.Create("contract", "text"))
	defer stop()
	for range 50 {
		e, err := k.Export(t.Context(), k.Admin, k.Head().Seq)
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		if err := e.WriteLog(t.Context(), &log); err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(strings.TrimSuffix(log.String(), "\n"), "\n")
		last, err := audit.ParseEntry([]byte(strings.TrimSuffix(lines[len(lines)-1], "\n") + "\n"))
		if err != nil || last.Op != audit.OpAuditExported || last.Seq != e.Head.Seq || last.Seq != e.Receipt.Seq {
			t.Fatalf("the export ends with %+v, its head is %v: %v", last, e.Head, err)
		}
		if through, _ := last.Facts["through"].AsNumber(); through != e.Head.Seq {
			t.Fatalf("through %d, exported to %d", through, e.Head.Seq)
		}
	}
}

func TestAfterTheEndThereIsNothing(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("contract", "text")
	for _, document := range []string{"", d.ID} {
		if page, err := k.Entries(t.Context(), engine.EntryQuery{After: k.Head().Seq, DocumentID: document}); err != nil || len(page.Items) != 0 || page.NextAfter != 0 {
			t.Errorf("after the head: %v, %v", page, err)
		}
	}
	for _, after := range []uint64{k.Head().Seq + 10, 1 << 53, math.MaxUint64} { // of another log
		for _, document := range []string{"", d.ID} {
			_, err := k.Entries(t.Context(), engine.EntryQuery{After: after, DocumentID: document})
			wantIs(t, err, engine.ErrLogBehind)
		}
		for _, audited := range []bool{false, true} {
			if _, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{AuditReads: &audited}); err != nil {
				t.Fatal(err)
			}
			if after > 1<<50 {
				_, err := k.Export(t.Context(), k.Admin, after)
				wantIs(t, err, engine.ErrLogBehind)
			}
		}
	}
}

func TestAnActorHasOneSpelling(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("contract", "text")
	lower := k.Admin
	lower.UserID, lower.KeyID = strings.ToLower(lower.UserID), strings.ToLower(lower.KeyID)
	got, err := rename(k, lower, d.ID, "renamed", engine.Condition{})
	if err != nil || got.UpdatedBy != k.Admin.UserID {
		t.Errorf("%q, %v", got.UpdatedBy, err)
	}
	page, err := k.Entries(t.Context(), engine.EntryQuery{ActorID: lower.UserID})
	if err != nil || len(page.Items) != 2 || page.Items[1].Key != k.Admin.KeyID {
		t.Errorf("%+v, %v", page, err)
	}
	grace, _ := k.Person("Grace", engine.AccessUpload)
	grace.KeyID = k.Admin.KeyID
	if _, err := rename(k, grace, d.ID, "with another's key", engine.Condition{}); !errors.Is(err, engine.ErrInvalidToken) {
		t.Error(err)
	}
}

func TestAKeyEndsBeforeTheYear10000(t *testing.T) {
	k := enginetest.New(t)
	at := time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600))
	if _, _, _, err := k.CreateKey(t.Context(), k.Admin, engine.NewKey{Name: "long", ExpiresAt: at}); !errors.Is(err, engine.ErrInvalid) {
		t.Error(err)
	}
}
