package audit

import (
	"errors"
	"testing"
)

func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "contract": "contract", "a b": "a%20b", `Zoë & <co> "\%`: "Zo%C3%AB%20%26%20%3Cco%3E%20%22%5C%25", "-_.~": "-_.~",
	} {
		if got := Escape(text); got != want {
			t.Errorf("%q is spelled %s, want %s", text, got, want)
		}
		if got, err := Unescape(want); err != nil || got != text {
			t.Errorf("%s is read as %q, %v", want, got, err)
		}
		if _, err := (Facts{"f": Text(Escape(text))}).MarshalJSON(); err != nil {
			t.Error(err)
		}
	}
	for _, wrong := range []string{"%", "%2", "%zz", "%c3%ab", "%61", "a b", "ë"} {
		if got, err := Unescape(wrong); !errors.Is(err, ErrSyntax) {
			t.Errorf("%s is read as %q, %v", wrong, got, err)
		}
	}
}
