//go:build race

package worker

// shadow is how many times the memory a process takes that counts what each byte
// of it was touched by, as race detectors do.
const shadow = 8
