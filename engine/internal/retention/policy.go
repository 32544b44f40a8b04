// Package retention is the rules by which a vault keeps documents and disposes
// of them.
package retention
