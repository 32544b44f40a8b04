// Package store is the machinery below the engine: it keeps rows and the audit log
// in one file, rows.db, with a write-ahead log in front of it, the directory wal, and
// lands changes there in groups. It knows buckets,
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
// transaction and one sync: whoever finds nobody leading leads the group,
// and nobody is answered before the group is on disk. See [Store.Submit].
//
// On disk is a group once its record is synced: its rows, put and deleted, and the
// small uploads that it carries, written to the log one behind the other. bbolt's own commit,
// beside that, syncs nothing; rows.db is a view of the log, which land.go brings up to it. Now and
// then [Store.Checkpoint], or a writer when the log is long, makes the view durable, and
// names it: what the log has from before is not needed any more. After any end but
// [Store.Close], Open goes back to the named view and reads the log from there. Why that is
// exactly what was acknowledged stands in checkpoint.go.
//
// Close ends the log, so that a vault at rest is rows.db alone. What changes rows.db
// without a group, a migration, a compaction, an overwriting of what was erased, does
// so while there is no log, by bbolt's own syncs.
//
// # Reading
//
// [Read] runs a closure in a read transaction. It sees only what is on
// disk: a transaction that began while a group was landing waits for its record. Views
// from a transaction end with it.
//
// # Time
//
// A transaction has one instant, [Tx.Now], in milliseconds. It never runs back
// and never stands still: see [Clock]. Nothing else in the engine reads a clock.
//
// # Failing
//
// What is refused is refused before the record: if there is no space for it, or for
// rows.db to grow by what it holds, the group did not happen, and the store goes on.
// From the first byte of the record on the outcome of a failure is unknown, one of lack of space
// too, as it is if a checkpoint fails to sync; and a damaged page says that nothing can be
// trusted: the store then refuses everything, with an [UnavailableError], until it is
// opened again, which decides by the log.
package store
