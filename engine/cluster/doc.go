// Package cluster keeps a vault in a store of objects beyond this machine, and lets
// several servers share it. The store is the vault's home; a server's directory is a
// working copy, and may burn.
//
// There is no consensus among servers, and they need not know of one another. What the
// store gives is one promise: of all who put a key that nobody has (object.Condition
// Absent), exactly one does. All else is made of it. Package object tries whether a store
// keeps it, and says what its failures mean.
//
//	commits/0000000000000042   one group of changes, put once, under its number
//	lease                      who owns the vault, renewed every three seconds
//	snapshot                   which snapshot is the newest that is whole
//	snapshots/…                the database at one commit, compressed
//	keys/…                     secrets that the servers share, sealed
//
// # One history
//
// The owner's vault hands over each group of changes before it lands (engine.Home). It
// is put as the object of the next number, if nobody has that number; and the number after
// it only when this one is known to be there, and to be ours. Only then is anybody told.
//
// Each commit carries a random mark, and the mark of the one before. So a number that is
// taken is read back: with our mark it was our own put, whose answer was lost or that was
// carried out twice; with another's, we were replaced, and nothing of the group
// happened. A number that is free after a put that failed proves nothing, since the put may be
// under way: the same bytes are put again, until one of the two is known. While nothing
// is known nobody is answered.
//
// Hence any two who both believe that they own the vault contend for the same next
// number, and at most one goes on. No clock is in this argument, and no lease: a server
// that was stopped for an hour and wakes finds its number taken.
//
// # Taking over
//
// A takeover is itself a commit, of a higher epoch and without changes. The new owner applies
// all commits that there are, and puts its own at the next number. If an older owner has that
// number, by a put that was under way, the group was perhaps acknowledged: it is applied, and
// the next number tried. Once the takeover has a number, whatever the old owner still sends,
// or sent long ago, bears one that is taken. If somebody of the same epoch or a higher one was
// here, this server follows.
//
// # The lease
//
// It keeps servers from taking over from one another all the time, and lets an owner answer
// reads alone. Its owner renews it by Match. Who watches it takes it when it has not
// changed for fifteen seconds of the watcher's own clock: it has seen the same ETag twice,
// and no two renewals are equal. An owner answers as current (Member.Current) for ten
// seconds after its last renewal began, by a clock that runs on while the machine sleeps.
// So it has stopped before another can have begun; clocks are never compared, only the
// seconds of two machines are taken to be of about the same length. An owner that leaves in order gives the
// lease up, and is succeeded at once.
//
// One clock is compared: who would take over must agree with the store to within five
// seconds, since a vault's time never runs back, and one owner far ahead would drag it along.
//
// # What is gone
//
// Old commits are collected: oldest first, none before it is a day old, and none that the
// newest snapshot does not have. A number is free again then, and a server that slept
// meanwhile could put it. So an owner that has put nothing for a minute looks for its last
// commit first, and again when its put succeeded: if that stands, none after it
// was collected, since the oldest go first, and nobody ever had the number. A follower that was
// away for a minute looks likewise, and fetches a snapshot if its place is gone.
//
// A store may lose what it promised: a backup was put back, a disk failed. The lease names a
// commit that stands, each working copy notes where it was, and the snapshot has a number too. If
// any of these is ahead of the commits, or has another mark, the store is refused
// (ErrStoreBehind): to go on would use numbers of the log twice. Listings, which may lag,
// decide nothing.
//
// # Snapshots and erasure
//
// A snapshot is the whole database at one commit, a gzip file, under a name that nothing else
// has. It is read back before the pointer names it, and the pointer is written by Match,
// so what it names is whole, and it names nothing earlier than it did. The
// pointer names the older snapshots too: a vault can be restored to any instant since the oldest
// of them (Restore). It begins with that snapshot, applies the commits after it up to the
// instant, and is a vault of its own then, which says in its log what it is.
//
// What an erasure removes stood in commits and snapshots as well. So when the owner has
// wiped its database, a snapshot of that is taken, all older ones are deleted and all commits
// up to it emptied, whatever their age; then the pointer says up to which entry the store is
// clean, and engine says that the erasure is completed. A crash in between leaves the pointer
// as it was, and the next owner does it again. An emptied commit keeps its header: the number
// must stay taken for a day, as that of any other, since a put that was sent for it may be
// under way. What a replaced server sends late can be a snapshot, under a name of its own: the
// owner deletes it when it next collects, within an hour.
//
// What was deleted and not erased leaves the store with the history, as it leaves backups.
//
//	collected   how far collection and emptying are; a hint that is never ahead
//
// # Working copies
//
// A group lands in the owner's copy after the store has it, so a copy is never ahead. After
// an end that was not in order the vault recovers it by its own log, it is found at some commit,
// and goes on from there; Apply checks each record against the audit log's hashes. One that
// cannot be opened, or does not go on, is fetched anew.
//
// # Roles
//
// Join decides whether this server owns the vault or follows, and that stays so for the
// Member's life. When it is over, Done is closed: Close the member and Join again.
package cluster
