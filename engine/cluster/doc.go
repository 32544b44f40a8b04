// Package cluster keeps a vault in a store of objects beyond this machine, and lets
// several servers share it.
package cluster
