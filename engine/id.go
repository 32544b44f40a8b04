package engine

import (
	"fmt"

	"strongroom/engine/internal/store"

	"github.com/oklog/ulid/v2"
)

type id = store.ID

// NewID returns a fresh ULID for things the vault does not store, such as the
// id of a request. What is stored gets its id in its transaction.
func NewID() string { return ulid.Make().String() }

// UUID returns an id, in either spelling, in the 36 lower-case characters of a
// UUID. ok is false for what is no id.
func UUID(s string) (uuid string, ok bool) {
	i, ok := store.ParseID(s)
	if !ok {
		return "", false
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", i[:4], i[4:6], i[6:8], i[8:10], i[10:]), true
}
