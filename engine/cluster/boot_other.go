//go:build !linux

package cluster

// bootID names the boot of the machine. Nothing does here, so a working copy is not
// trusted after an unclean end.
func bootID() string { return "" }
