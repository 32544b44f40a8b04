package oidc

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"strongroom/engine"
)

// Map says what the groups of a provider give. The zero Map gives nobody anything.
type Map struct{ lines []mapped }

// mapped is a line of a map: a group, or everybody, and what it gives in a vault.
type mapped struct {
	group, vault string
	access       engine.Access
}

// everybody is anybody the provider knows.
const everybody = "*"

// ParseMap reads a map. A line is a group and, after a blank, vault:access: what its
// members may do there. A group may have blanks in it; "*" is anybody the provider
// knows; empty lines and those that begin with # are left out. An error names the line.
func ParseMap(r io.Reader) (Map, error) {
	var m Map
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\uFEFF"))
		if line == "" || line[0] == '#' {
			continue
		}
		at := strings.LastIndexAny(line, " \t")
		if at < 0 {
			return Map{}, fmt.Errorf("line %d: want a group and what it gives, such as: legal main:upload", n)
		}
		one := mapped{group: strings.TrimSpace(line[:at])}
		vault, access, ok := strings.Cut(line[at+1:], ":")
		if one.vault = vault; !ok || vault == "" {
			return Map{}, fmt.Errorf("line %d: %q: want vault:access, such as main:upload", n, line[at+1:])
		}
		if err := one.access.UnmarshalText([]byte(access)); err != nil {
			return Map{}, fmt.Errorf("line %d: access %q %w", n, access, err)
		}
		m.lines = append(m.lines, one)
	}
	if err := lines.Err(); err != nil {
		return Map{}, err
	}
	if len(m.lines) == 0 {
		return Map{}, fmt.Errorf("has no line that gives anybody access; write one such as: legal main:upload")
	}
	return m, nil
}

// Vaults are the names of the vaults that the map is about, sorted.
func (m Map) Vaults() (names []string) {
	for _, one := range m.lines {
		names = append(names, one.vault)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// breadth orders accesses: who reads all is wider than who reads some and adds to it.
var breadth = []engine.Access{engine.AccessNone, engine.AccessView, engine.AccessUpload, engine.AccessAuditor, engine.AccessAdmin}

// access is what groups give, by vault: the widest of all that match.
func (m Map) access(groups []string) map[string]engine.Access {
	given := map[string]engine.Access{}
	for _, one := range m.lines {
		if one.group != everybody && !slices.Contains(groups, one.group) {
			continue
		}
		if slices.Index(breadth, one.access) > slices.Index(breadth, given[one.vault]) {
			given[one.vault] = one.access
		}
	}
	return given
}
