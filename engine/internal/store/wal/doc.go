// Package wal is the log that a group of changes is written to before anything
// else learns of it. A record is on disk when one sequential write and one sync
// are over; the database that it belongs to is brought up to it without any
// sync, and is made durable now and then, by a checkpoint. It knows records,
// segments and the name of a checkpoint. What a row means, and what a view is
// that a checkpoint names, is the caller's.
//
// # The files
//
// A log is a directory:
//
//	checkpoint   what recovery begins with: two slots of 4 KiB
//	*.segment    the records
//
// Without the file checkpoint there is no log: the database stands by itself.
//
// # A record
//
// A record begins at a multiple of 4 KiB of its segment:
//
//	 0   8  "SRWAL\x00\x00\x01"
//	 8  16  the log's salt, new with each log
//	24   8  its number, one more than that of the record before
//	32  32  the sum of the record before; of the first, zeros
//	64   8  the length of the set in bytes
//	72   8  the length of the blobs in bytes
//	80  32  its sum: SHA-256 of the 80 bytes before and the set
//
// then the set (see [Set]), then the bytes of the blobs, which the set names by
// their digests, then zeros. Numbers are big-endian.
//
// A record is written only after the one before is synced. So a record that is
// not whole is the last, and was acknowledged to nobody; one that is not whole
// and has a later one behind it is damage, and recovery refuses it.
//
// # Segments
//
// A segment is written full of zeros and synced before it is used, so that a
// record overwrites blocks the file has already: its sync has no metadata of the
// file system to write. Segments all of whose records lie before the named
// checkpoint are used again.
//
// # The name of a checkpoint
//
// A slot names the first record that recovery needs, and holds what the caller
// calls its view. A new name is written to the slot that does not hold the
// newest, and synced: a crash leaves the one or the other, and both are true
// until the caller is told.
package wal
