// Package engine keeps documents in a vault, which is a directory, and can prove
// what was done with them. A host is a program that embeds it: it calls [Create]
// or [Open], and then the methods of [Vault]. There is no service to run.
//
// # The model
//
// A vault is one organization. It shares nothing with another vault.
//
// A [Document] has metadata and one or more versions. A [Version] is bytes, named
// by their SHA-256, with a number that counts from 1. It never changes. Each
// version's chain hash covers all before it.
//
// A [Lock] is a lease: one user edits one document with one key, and proves it by
// a token. A lock may have a scratchpad, where changes wait until they are saved.
//
// A [Hold] is a legal hold. While a document bears one, nobody archives or
// disposes of it. A [Policy] of retention says after how long documents are
// archived or deleted, and may protect them until then. A [Run] does what is due.
// An [Erasure] removes documents, or a person, for good. Hold beats retention, and
// retention beats deletion.
//
// An [Obligation] is something that somebody is to do because of a document, by a
// day. A [Field] defines a custom field of documents.
//
// The log has an [Entry] for each change. The entries are one hash chain, which
// package audit specifies; [Vault.Verify] compares it with everything else the
// vault holds. [Vault.Head] is the last entry: print it and keep it elsewhere, and
// a log that was cut or rewritten is found out.
//
// # The one way to write
//
// Every change takes the same way. It looks up the actor, asks the guards, writes,
// and adds its entry, all in one transaction. Changes of callers who come at the
// same time share a commit and its fsync, so many goroutines write faster than one.
// That fsync is of one record of the write-ahead log, the directory wal, which has all
// rows of the commit, and the bytes of its uploads of 256 KiB or less. The database,
// rows.db, is synced later, by Sweep or by a writer when the log is long; until then [Open] reads what
// the log has beyond it, after whatever end there was but Close.
//
// A change returns what it made, a [Receipt] and an error. A receipt names the
// entry; the zero Receipt says that nothing was written, because what was asked
// for held already. When a change returns, all of it is on disk: the bytes, the
// record and the entry. That is so of a refusal too: what it rests on is on disk.
//
// A vault may be at home beyond this machine, in a [Home] such as package
// engine/cluster makes in a store of objects. Then that has the record of a commit
// before the commit is made here, and an answer means that it is there: the directory
// is a working copy. Other machines open the vault with [Options].Follow, and bring it
// further by [Vault.Apply], record by record; each is checked against the log.
//
// Every change is made on an [Actor], the second parameter after the context. A
// change of something with a revision takes a [Condition], after the ids. The
// context may end a call that waits. Once its transaction has begun, the call
// waits for the outcome and returns it.
//
// Bytes come first: [Vault.Stage] reads them, outside of any transaction, and the
// [Upload] goes to [Vault.CreateDocument] or [Vault.AddVersion].
//
// # Who may do what
//
// A [User] has an [Access] level and so has a [Key], which is never above its
// user's. [Vault.Authenticate] turns a key's token into an Actor. A host with a
// login of its own makes the Actor itself, for a user that [Vault.EnsureUser]
// returns. [Operator] and [System] are the two actors that are no user; they are
// for the host's own work.
//
// Changes check access themselves, as it stands at that instant: *[PermissionError].
//
// Reads check nothing. Most take no actor: whoever the host lets read, reads
// everything in the vault. The host must authorize reads. What it reads for somebody
// it reads from [Vault.As], in which whoever is neither admin nor auditor meets nothing
// that is restricted (see [Vault.RestrictDocument]). Reads that take an actor
// do so for these reasons:
//
//   - Lock, Sketch, SketchVersions and OpenSketch check that the actor is an active
//     user with a key that works, and show the token or the scratchpad only to who
//     holds the lock.
//   - OpenContent checks view access only if the setting AuditReads is on: then it
//     writes an entry. Otherwise the host authorizes it too. RecordShown does the
//     same for passages that a search found, before the host shows them.
//   - Expect checks what AddVersion will check.
//   - Disposition, Preview and Export need an auditor or an admin, Backup an admin; they
//     check it.
//
// # What a host must call
//
// The package starts no goroutine. The host calls:
//
//   - [Vault.Sweep], from one goroutine of its own: at the start, when the time it
//     returned has come, and when [Vault.Due] receives. Without it no retention
//     runs, nothing is erased, and nobody is reminded; changes are durable all the same.
//   - [Vault.Scrub], once a second with a budget of bytes, if damaged bytes are to
//     be found before somebody reads them.
//   - [Vault.Close], at the end. Without it nothing is lost, but the next Open has to
//     read the write-ahead log, and Sweep to look at all bytes after it.
//   - [Vault.AcceptClock], when an operator says that the clock is right although
//     the log is ahead of it. Until then, writes are refused and reads go on.
//
// [Vault.Concerns] says what an operator should see to.
//
// Whoever needs to know what happens reads the log, with [Vault.Entries] and
// [Vault.Wait]. The packages engine/search and engine/webhook do.
//
// # Errors
//
// Each kind of error is a variable: ask with [errors.Is] for [ErrLocked],
// [ErrDocumentNotFound] and their like. Those with facts have a type too: get it
// with [errors.AsType] or [errors.As], such as *[LockedError], which says who holds
// the lock. *[InvalidError] lists all values of a call that cannot be accepted. An
// error that is none of these comes from the machine: the disk, mostly.
//
// The comment of a call names the errors that are its own. Beside them, any call
// may return the error of the context, or ErrUnavailable. Any change may return
// *PermissionError, *InvalidError, *PreconditionError, ErrNoSpace, and the errors
// of what it names: it is not found, or *DeletedError. A change that a lock stands
// in the way of may return *LockedError and ErrNotLocked; see [Condition].
//
// A commit for which there is no space is refused before anything of it is written. One that
// fails later may have reached the disk or not. Everybody who waits is
// told so by *[UnavailableError] with [ReasonOutcomeUnknown], and the vault refuses
// everything until it is closed and opened again. Then the log tells what happened.
//
// # Concurrency
//
// All methods of a Vault may be called from many goroutines, but for Sweep, which
// one goroutine calls. An Upload, an Export and an open file belong to one
// goroutine. A directory is open in one process at a time: [ErrVaultInUse].
//
// # Limits
//
// A page of a list has 50 items, or as many as asked for, 500 at most. A call for
// many documents takes [MaxBulk], an erasure [MaxErased]. A name has 255
// characters at most, a description 10,000, a reason or a comment 2,000, and
// most other text 200. A document has 100 tags and 100 custom fields at most, and
// its metadata 256 KiB. A vault has 200 fields, 1,000 policies and 1,000 webhooks and clients
// at most, and a document 1,000 obligations. Versions are as large as the caller
// of Stage and the disk allow. Below a reserve of free space, [Options].ReserveBytes,
// changes are refused with [ErrNoSpace] and reads go on.
//
// Times are UTC, to the millisecond. Within a vault time never runs backwards.
package engine
