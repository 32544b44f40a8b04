// Package store is the machinery below the engine: it keeps rows and the log
// in one file, vault.db, and lands changes there in groups. It knows buckets,
// instants and the head of the log. It never knows a document: what may be
// written, and what a row means, is the engine's.
//
// # Writing
//
// Every change is a [Step]: a closure that gets a transaction, asks its guards,
// writes rows with [Tx.Put] and [Tx.Delete], and returns the [Record] that the
// log keeps of it. The store appends the record in the same transaction, so a
// change and its entry are on disk together or not at all. A step that wrote
// and returned no record, or the other way round, is rolled back: see
// [ErrBreach].
//
// A [Call] is one caller's steps. Calls that wait at the same time share a
// transaction and its two syncs: whoever finds nobody leading leads the group,
// and nobody is answered before the group is on disk. See [Store.Submit].
//
// # Reading
//
// [Read] runs a closure in a read transaction. It sees only what is on
// disk. Views from a transaction end with it.
//
// # Time
//
// A transaction has one instant, [Tx.Now], in milliseconds. It never runs back
// and never stands still: see [Clock]. Nothing else in the engine reads a clock.
//
// # Failing
//
// A commit that fails for lack of space did not happen, and the store goes on.
// Any other failed commit has an unknown outcome, and a damaged page says that
// nothing can be trusted: the store then refuses everything, with an
// [UnavailableError], until it is opened again.
package store
