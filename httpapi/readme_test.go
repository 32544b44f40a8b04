package httpapi

import (
	"maps"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestREADMEErrors holds that the table in README.md has every error of the API
// with its status, and none that is not there.
func TestREADMEErrors(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, found := strings.Cut(string(readme), "\n## Errors\n")
	if !found {
		t.Fatal("README.md has no chapter of errors")
	}
	chapter, _, _ = strings.Cut(chapter, "\n## ")

	told := map[errorCode]int{}
	codes := regexp.MustCompile("`([A-Z_]+)`")
	for _, row := range regexp.MustCompile(`(?m)^\| (.*?) \| (\d{3}) \|`).FindAllStringSubmatch(chapter, -1) {
		status, err := strconv.Atoi(row[2])
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range codes.FindAllStringSubmatch(row[1], -1) {
			told[errorCode(code[1])] = status
		}
	}
	is := map[errorCode]int{codeInvalidBody: 400, codeInvalidParameter: 400, codeInternal: 500}
	for _, row := range errorTable {
		is[row.code] = row.status
	}
	if !maps.Equal(told, is) {
		for code, status := range is {
			if told[code] != status {
				t.Errorf("%s is %d, and README.md says %d", code, status, told[code])
			}
		}
		for code := range told {
			if is[code] == 0 {
				t.Errorf("README.md has an error %s, and the API has none", code)
			}
		}
	}
	for code, other := range dressCodes {
		for _, name := range []errorCode{code, other.envelope, other.template} {
			if !strings.Contains(chapter, "`"+string(name)+"`") {
				t.Errorf("README.md does not say what %s is in DocuSign's dress", code)
			}
		}
	}
}
