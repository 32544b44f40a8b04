//go:build race

package browser

// raced says that the race detector looks on, under which all takes its time.
const raced = true
