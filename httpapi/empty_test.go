package httpapi

import (
	"reflect"
	"testing"
)

// TestEmptyScalars holds that a number or a truth that DocuSign's clients leave
// empty is one they do not give, and that the native routes still refuse it.
func TestEmptyScalars(t *testing.T) {
	s := shapes{}
	s.add(typeOf[lockRequest]())
	body := []byte(`{"lockDurationInSeconds":"","useScratchPad":"","lockedByApp":""}`)
	var in lockRequest
	if err := s.decodeDressed(body, reflect.ValueOf(&in).Elem(), true); err != nil || in.LockDurationInSeconds != nil || in.UseScratchPad || in.LockedByApp == nil {
		t.Errorf("%+v %v", in, err)
	}
	if err := s.decodeDressed([]byte(`{"lockDurationInSeconds":"0"}`), reflect.ValueOf(&in).Elem(), true); err == nil {
		t.Error("a duration of 0 is taken")
	}
	if err := s.decode(body, reflect.ValueOf(&in).Elem(), ""); err == nil {
		t.Error("the native routes take it too")
	}
}
