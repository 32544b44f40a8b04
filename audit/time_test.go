package audit

import (
	"testing"
	"time"
)

func TestParseTimeIsTheInverseOfFormatTime(t *testing.T) {
	for at := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 10000; at = at.Add(23*time.Hour + 59*time.Minute + 58*time.Second + 999*time.Millisecond) {
		s := FormatTime(at)
		if got, err := ParseTime(s); err != nil || got != at {
			t.Fatalf("ParseTime(%s) = %v, %v", s, got, err)
		}
		if at.Year() > 400 && at.Year() < 1890 {
			at = at.AddDate(100, 0, 0)
		}
	}
}

func TestFormatTimeOfAnyTime(t *testing.T) {
	west := time.FixedZone("", -7*3600-1800)
	for year := -20_000; year < 30_000; year += 7 {
		at := time.Date(year, time.Month(year), year, year, year, year, year*year*1_000_003, west)
		if got, want := FormatTime(at), at.UTC().Format("2006-01-02T15:04:05.000Z"); got != want {
			t.Fatalf("%v is written as %s, not %s", at, got, want)
		}
	}
}

func TestParseTimeRefuses(t *testing.T) {
	const good = "2024-02-29T23:59:59.999Z"
	if _, err := ParseTime(good); err != nil {
		t.Fatal(err)
	}
	for at := range len(good) {
		for c := range 256 {
			s := good[:at] + string([]byte{byte(c)}) + good[at+1:]
			want, err := time.Parse("2006-01-02T15:04:05.000Z", s)
			ok := err == nil && FormatTime(want) == s && want.Year() > 0
			if got, err := ParseTime(s); ok != (err == nil) || ok && got != want {
				t.Fatalf("ParseTime(%q) = %v, %v; want %v, %v", s, got, err, want, ok)
			}
		}
	}
	for _, s := range []string{"", good[:23], good + "Z", "2024-02-29T23:59:59Z", "2024-02-29T23:59:59.99Z",
		"2024-02-29T23:59:59.999+00:00", "2023-02-29T00:00:00.000Z", "1900-02-29T00:00:00.000Z",
		"2024-04-31T00:00:00.000Z", "2024-00-01T00:00:00.000Z", "2024-13-01T00:00:00.000Z",
		"2024-01-00T00:00:00.000Z", "2024-01-01T24:00:00.000Z", "2016-12-31T23:59:60.000Z", "0000-01-01T00:00:00.000Z"} {
		if _, err := ParseTime(s); err == nil {
			t.Errorf("ParseTime(%q) accepts it", s)
		}
	}
}
