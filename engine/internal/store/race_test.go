//go:build race

package store_test

// underRace: the race detector touches memory in code of its own, where a fault
// in a damaged file's mapping ends the process instead of becoming a panic.
const underRace = true
