package engine_test

import (
	"fmt"

	"strongroom/engine"
)

// uuid spells an id as a UUID.
func uuid(s string) string {
	b := engine.KeyOf(s)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
