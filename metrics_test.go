package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDashboard holds that what the dashboard asks for is there, by names that
// say whose they are.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("httpapi", "grafana.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil || len(dashboard.Panels) == 0 {
		t.Fatalf("%d panels, %v", len(dashboard.Panels), err)
	}
	t.Chdir(t.TempDir())
	s := startServer(t, "data")
	_, page := s.do(t, s.firstKey(t), "GET", "/metrics", nil)
	kinds := map[string]string{}
	for _, family := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(string(page), -1) {
		kinds[family[1]] = family[2]
		if !regexp.MustCompile(`^(strongroom|go|process)_`).MatchString(family[1]) {
			t.Errorf("the name %s does not say whose it is", family[1])
		}
	}
	names := regexp.MustCompile(`\bstrongroom_\w+`)
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			for _, name := range names.FindAllString(target.Expr, -1) {
				if kinds[name] == "" && kinds[strings.TrimSuffix(name, "_bucket")] != "histogram" {
					t.Errorf("%s: there is no %s", panel.Title, name)
				}
			}
		}
	}
}
