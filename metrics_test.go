package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// TestMetricsComeInOneOrder holds that the samples of a family stand in the same
// order on every page, however many vaults there are.
func TestMetricsComeInOneOrder(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for i := range 6 {
		mustRun(t, "init", "--data", data, "--vault", fmt.Sprintf("v%d", 5-i))
	}
	key := strings.TrimSpace(mustRun(t, "init", "--data", data))
	s := startServer(t, data)
	samples := regexp.MustCompile(`(?m)^([a-z_]+(?:\{[^\n]*\})?) .*$`)
	names := func() (all []string) {
		_, page := s.do(t, key, "GET", "/metrics", nil)
		for _, m := range samples.FindAllStringSubmatch(string(page), -1) {
			if strings.Contains(m[1], "vault=") {
				all = append(all, m[1])
			}
		}
		return all
	}
	first := names()
	if second := names(); len(first) < 100 || !slices.Equal(first, second) {
		t.Errorf("%d samples, then %d in another order", len(first), len(second))
	}
}
