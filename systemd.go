package main

import (
	_ "embed"
	"io"
)

//go:embed .release/strongroom.service
var systemdUnit string

// printSystemdUnit prints the unit file that release builds are accompanied by.
func (p *program) printSystemdUnit() error {
	_, err := io.WriteString(p.stdout, systemdUnit)
	return err
}
