package cli

import (
	"errors"
	"strings"
	"testing"
	"time"

	"strongroom/audit"
)

func TestFlagsStandAnywhere(t *testing.T) {
	var got []string
	parse := func(args ...string) (string, []string) {
		f := (&Program{Env: func(string) string { return "" }}).newFlagSet(command{name: "x"})
		a := f.set.String("a", "", "")
		operands, err := f.parse(args)
		if err != nil {
			t.Fatal(err)
		}
		return *a, operands
	}
	for _, args := range []string{"--a 1 x y", "x --a 1 y", "x y -a=1", "--a 1 -- x y", "x --a=1 -- y"} {
		a, operands := parse(strings.Fields(args)...)
		if got = operands; a != "1" || strings.Join(got, " ") != "x y" {
			t.Errorf("%s: a is %q, operands %q", args, a, got)
		}
	}
	if _, operands := parse("x", "--", "--a"); strings.Join(operands, " ") != "x --a" {
		t.Errorf("after --: %q", operands)
	}
}

func TestSizes(t *testing.T) {
	for s, want := range map[string]int64{
		"1": 1, "1048576": 1 << 20, "64KiB": 64 << 10, "64kib": 64 << 10, "1GiB": 1 << 30, "2 GB": 2e9, "1TB": 1e12, "10kB": 1e4, "5B": 5,
	} {
		var b bytesValue
		if err := b.Set(s); err != nil || int64(b) != want {
			t.Errorf("%s is %d, %v; want %d", s, b, err, want)
		}
	}
	for _, s := range []string{"", "0", "-1", "GiB", "1.5GiB", "1XB", "9223372036854775807TiB", "0x10"} {
		var b bytesValue
		if err := b.Set(s); err == nil {
			t.Errorf("%q is accepted as %d", s, b)
		}
	}
	one := bytesValue(1 << 30)
	if one.String() != "1GiB" {
		t.Errorf("1 GiB prints as %s", one.String())
	}
}

// TestExpiry holds that a day ends where the vault is, an hour early or late where
// the clocks change.
func TestExpiry(t *testing.T) {
	for _, c := range []struct{ given, zone, want string }{
		{"2030-12-31", "UTC", "2031-01-01T00:00:00.000Z"},
		{"2030-12-31", "America/Los_Angeles", "2031-01-01T08:00:00.000Z"},
		{"2030-12-31", "Asia/Tokyo", "2030-12-31T15:00:00.000Z"},
		{"2027-03-27", "Europe/Berlin", "2027-03-27T23:00:00.000Z"},
		{"2027-03-28", "Europe/Berlin", "2027-03-28T22:00:00.000Z"},
	} {
		location, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		var e expiryValue
		if err := e.Set(c.given); err != nil || audit.FormatTime(e.endIn(location)) != c.want {
			t.Errorf("%s in %s ends at %s, %v; want %s", c.given, c.zone, audit.FormatTime(e.endIn(location)), err, c.want)
		}
	}
	for s, want := range map[string]string{
		"2030-12-31T18:00:00Z":      "2030-12-31T18:00:00.000Z",
		"2030-12-31T18:00:00+02:00": "2030-12-31T16:00:00.000Z",
	} {
		var e expiryValue
		if err := e.Set(s); err != nil || audit.FormatTime(e.time) != want {
			t.Errorf("%s is %s, %v; want %s", s, audit.FormatTime(e.time), err, want)
		}
	}
}

// FuzzSize holds that a size that is accepted is above 0 and prints as itself.
func FuzzSize(f *testing.F) {
	for _, s := range []string{"1", "64KiB", "1GiB", "2 GB", "9223372036854775807", "0", "-1kB", "1e3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var b, again bytesValue
		if b.Set(s) != nil {
			return
		}
		if err := again.Set(b.String()); b <= 0 || err != nil || again != b {
			t.Errorf("%q is %d, prints as %s, which is %d, %v", s, int64(b), b.String(), int64(again), err)
		}
	})
}

// FuzzAdmin holds that what is refused is wrong usage, and that names and
// addresses come out without what only marks them off.
func FuzzAdmin(f *testing.F) {
	for _, s := range []string{"Ada", "Ada Lovelace <ada@example.com>", " <x>", "a<b", "a<b>c", "<", ">", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		user, err := parseAdmin(s)
		if usage := (*usageError)(nil); err != nil && !errors.As(err, &usage) {
			t.Errorf("%q: %v", s, err)
		}
		if err == nil && (user.Name == "" || strings.ContainsAny(user.Name, "<") || strings.Contains(user.Email, ">")) {
			t.Errorf("%q is %+v", s, user)
		}
	})
}
