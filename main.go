// Strongroom is a document vault: one static binary, one data directory, no
// services beside it. It keeps documents with unbroken version chains and can
// prove what happened to them from an append-only, hash-chained audit log.
//
// The program is package httpapi/cli; what must be embedded from the top of the
// repository is handed to it here.
package main

import (
	"embed"

	"strongroom/httpapi/cli"
)

//go:embed .release/strongroom.service
var systemdUnit string

// guideFiles are what the console shows to read.
//
//go:embed README.md audit/README.md engine/README.md httpapi/README.md httpapi/cli/README.md
var guideFiles embed.FS

func main() { cli.Main(systemdUnit, guideFiles) }
