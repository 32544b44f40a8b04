// Package audit is the audit log of a vault: what it looks like, how it is
// written and how anyone can check it. This page is its specification, format
// 1. A verifier can be written from it in any language; a shell will do.
//
// # The chain
//
// A log is a sequence of entries, one for each change, in order. An entry is one
// line of JSON. Its hash is the SHA-256 of that exact line, the newline at its
// end included. The next line carries that hash as prev. The line that is stored
// is the line that is hashed is the line that is exported: nobody puts anything
// into a canonical form.
//
// So a change to any line, a line put in, left out or moved, breaks the chain at
// the line after it, and whoever knows the hash of the last line knows the whole
// log. [Head] is that knowledge; [Head.Next] writes an entry, [Head.Follow]
// checks one, [Verify] checks an export with all that belongs to it.
//
// # The line
//
// An entry has ten members, all of them, in this order, without blanks:
//
//	entry   = `{"seq":` number `,"prev":` hash `,"time":` time
//	          `,"actor":` string `,"key":` string `,"op":` op
//	          `,"document":` string `,"version":` number
//	          `,"facts":` facts `,"detail":` hash `}` newline
//	number  = "0" or decimal digits without a leading zero; below 2^53
//	string  = quote { character } quote
//	hash    = quote 64 hexadecimal digits quote, or `""` for none
//	time    = quote YYYY-MM-DDTHH:MM:SS.mmmZ quote
//	op      = quote words "." words quote
//	words   = word { "_" word }
//	word    = one or more lower-case letters a to z
//	facts   = "{" [ member { "," member } ] "}"
//	member  = quote name quote ":" value
//	name    = a lower-case letter { letter or digit }
//	value   = string or number or list
//	list    = "[" [ string { "," string } ] "]"
//
// A character is printable ASCII, 0x20 to 0x7e, but none of " \ < > &: there is
// nothing to escape, so there is nothing to disagree about. Hexadecimal digits
// are 0 to 9 and a to f; 64 zeros are no hash. A time is UTC, has exactly three
// fraction digits and Z, is a real date of the years 0001 to 9999 and knows no
// leap second. Names in facts rise in byte order, so none occurs twice. A line
// is at most 65,536 bytes, its newline included. What is absent is "", 0 or {}.
// There are no other spellings: a reader refuses them all.
//
//   - seq is 1 for the first entry and one more for each that follows.
//   - prev is the hash of the entry before; of the first entry, "".
//   - time is the instant of the change, never before that of the entry before;
//     equal is allowed.
//   - actor is who did it: the id of a user; system, for schedules; operator,
//     for the person at the machine.
//   - key is the id of the API key used, or of the client whose token was, "" if
//     none was.
//   - op is the operation; see the table.
//   - document is the id of the document it is about, version the number of the
//     version.
//   - facts is what must stay readable for ever. It names no person: ids,
//     numbers, digests, states.
//   - detail is the hash of the detail, kept beside the log; see below.
//
// The first entry is vault.created, and no other is. Its fact vault is the id of
// the vault, so the logs of two vaults cannot be exchanged.
//
// A reader accepts operations and facts that are not in the table as long as
// they are well-formed: a later release may add some. It never changes or
// removes what is there.
//
// # Details
//
// What is personal or free text (names, e-mail addresses, reasons, tags, URLs,
// the old and new values of metadata) is the detail of the entry: a JSON object
// in UTF-8, at most 4 MiB, kept beside the log with a random salt of 16 bytes.
// The detail in the line is
//
//	SHA-256( the 16 bytes of the salt, the exact bytes of the detail )
//
// To erase a person or a document, detail and salt are destroyed: the chain
// still verifies, and nobody can find out by guessing what stood there. A detail
// may be missing only if a later erasure.completed names the entry's document in
// its member document, or the entry's user in its fact user. The details of
// hold.placed, hold.released, policy.created, policy.updated and
// erasure.requested are kept even then: they tell of the hold, the rule and the
// request, and nothing of the document or the user.
//
// An export carries details as one line each, in the order of seq:
//
//	row = `{"seq":` number `,"salt":` quote 32 hexadecimal digits quote
//	      `,"detail":` quote { character or escape } quote `}` newline
//
// The string holds the bytes that were hashed. It has one spelling too: \" and
// \\ and, for the characters below 0x20, \u0000 to \u001f with lower-case
// digits; everything else stands as it is, in UTF-8.
//
// # Versions and certificates
//
// From the log alone one can tell which bytes were current at any instant. A
// version of a document is an entry document.created (version 1) or
// document.version_added, with the facts digest, size and mediaType. Its fact
// chain ties it to the versions before:
//
//	SHA-256( previous chain LF document LF version LF digest LF size LF
//	         mediaType LF time LF actor LF )
//
// where LF is a newline, the previous chain of version 1 is 64 zeros, and the
// rest is as it stands in the entry. When a document is deleted, its last chain
// and the number of versions are facts once more, and so is the certificate, the
// SHA-256 over a line for each version, in order:
//
//	version " " digest " " size " " chain LF
//
// Whoever has a deletion certificate computes this from what it says, and looks
// for it in the log.
//
// # What is bound
//
// What decides who may do what, and is not told in the log, is kept in the vault
// and bound by a digest in the facts of the entry that made or changed it, so that
// a verification of the vault finds every other change to it. Each is a SHA-256
// of exact bytes:
//
//   - secret: of a key, or of the address of a user's calendar, of the SHA-256 of the
//     secret in its token, which is what the vault keeps; of a client, of the SHA-256
//     of its secret; of a webhook, of the bytes it signs with. They are
//     32 and 24 random bytes: nobody finds them by guessing.
//   - password: of the Argon2id hash of the document's edit password, in PHC form,
//     whose salt is in no log.
//   - snapshot and drafts: of the record kept of the document as it was locked, or
//     of the changes that wait in its user's scratchpad. Such a record says what
//     people wrote, so it has 16 random bytes in it: when it is gone, nobody can
//     tell by its digest what it said.
//
// A lock is told in full: by whom, in the members actor and key, and from when
// and how long, in time and seconds.
//
// A vault of an earlier format had none of these facts. Its vault.migrated tells
// what stood then, and takes the place of what the entries before say of it. Where
// the list does not fit into one entry, more follow at once, with the fact part. The
// list state has a text for each thing, of words with a blank between, "-" for
// what is absent:
//
//	key KEY SECRET
//	webhook WEBHOOK SECRET SECRET-BEFORE
//	run RUN AT
//	erasure ERASURE SUBJECTS
//	erasing ERASURE SUBJECT SEQ-OF-DEFERRAL RESUME
//	password DOCUMENT PASSWORD
//	lock DOCUMENT FENCE USER KEY SECONDS UNTIL SCRATCHPAD REVISION LOCKED-BY-APP
//	snapshot DOCUMENT SNAPSHOT
//	drafts DOCUMENT USER DRAFTS REVISION
//
// where REVISION is the document's when the scratchpad was begun, 0 if it is
// empty, and SCRATCHPAD and LOCKED-BY-APP are flags: whether the lock has a
// scratchpad, and whether an application is named. Of erasing, that is only told
// which no entry tells: what was deferred, or begun.
//
// # Checking a log with a shell
//
// This prints the number of entries and the hash of the last, or the first line
// that does not follow:
//
//	n=0 prev=
//	while IFS= read -r line; do
//		n=$((n + 1))
//		case $line in
//		"{\"seq\":$n,\"prev\":\"$prev\","*) ;;
//		*) echo "line $n does not follow" >&2; exit 1 ;;
//		esac
//		prev=$(printf '%s\n' "$line" | sha256sum)
//		prev=${prev%% *}
//	done
//	test -z "$line" || { echo "the last line is cut" >&2; exit 1; }
//	echo "$n $prev"
//
// Run it as sh check.sh <log.jsonl. It checks the chain; a full verifier also
// checks the spelling, the times, the details and the versions.
//
// # An example
//
// A vault, its first user, a document with the content "Hello, vault" and a
// newline, and a second version, "Hello again" and a newline:
//
//	{"seq":1,"prev":"","time":"2026-11-21T17:36:01.123Z","actor":"operator","key":"","op":"vault.created","document":"","version":0,"facts":{"format":1,"vault":"01JD6QGZ3MZ4Y8T6V1E9B7K2RW"},"detail":"f4938dc019b861b85beb221b74cd75e9ac6b9d611cf7a27f108583f4535dbdb8"}
//	{"seq":2,"prev":"7b9c933735adb568bf2e69b0921447c0ea748cd1e799eb8c27cd3858637eba40","time":"2026-11-21T17:36:02.124Z","actor":"operator","key":"","op":"user.created","document":"","version":0,"facts":{"access":"admin","canLock":"true","status":"active","user":"01JD6QGZ3NQ5C3W0XHDA4M8V2E"},"detail":"524591242bb11fe323bbff9a913d0092dc17e0ddc28176f49fc0afc42f83266f"}
//	{"seq":3,"prev":"666bfe10df95eb9324006ff63f5b76501e1952ea50ff00fd5886b212dece072a","time":"2026-11-21T17:36:03.125Z","actor":"01JD6QGZ3NQ5C3W0XHDA4M8V2E","key":"01JD6QGZ3P7K9R2S6T4B0Y1N8F","op":"document.created","document":"01JD6R0V5XJ8M2H4Q7Z9C3E6TB","version":1,"facts":{"chain":"0a249da7b36f0ab3ccf248e60c74448a94580a0af6c44493247192de9bc127e2","digest":"sha256:4366abd558e2246e334eab59e2d2fd052e7f2ff59953e5f28759199581661fa8","mediaType":"text/plain","owner":"01JD6QGZ3NQ5C3W0XHDA4M8V2E","size":13},"detail":"666412866d0697555c2424a36877b3899fc8b446bd5b46d304d9784438e046d4"}
//	{"seq":4,"prev":"5828b772d46e9ba4aa610a3329c08df1baf2a63733dbba3c4c8819a0dd4da33c","time":"2026-11-21T17:36:04.126Z","actor":"01JD6QGZ3NQ5C3W0XHDA4M8V2E","key":"01JD6QGZ3P7K9R2S6T4B0Y1N8F","op":"document.version_added","document":"01JD6R0V5XJ8M2H4Q7Z9C3E6TB","version":2,"facts":{"chain":"ef6267b7fb660931443a28f938554270d30adba124a81d68588fea32b06e748d","digest":"sha256:07305a3200629a7b8a04f77008fa1b1f719fec3b60d4fdf2683ba60cf2956381","mediaType":"text/plain","size":12},"detail":""}
//
// Its details:
//
//	{"seq":1,"salt":"101112131415161718191a1b1c1d1e1f","detail":"{\"name\":\"main\"}"}
//	{"seq":2,"salt":"202122232425262728292a2b2c2d2e2f","detail":"{\"name\":\"Zoë\",\"email\":\"zoe@example.com\"}"}
//	{"seq":3,"salt":"303132333435363738393a3b3c3d3e3f","detail":"{\"name\":\"Greeting\",\"fileName\":\"hello.txt\"}"}
//
// Its head, as it is printed (see [Head.Text]):
//
//	strongroom audit head 01JD6QGZ3MZ4Y8T6V1E9B7K2RW
//	4 2026-11-21T17:36:04.126Z
//	bacdfe8b1b198ecbe42e08542c72754ed0b55576df87554fa22c78149d2066ec
//
// The chain of the first version:
//
//	printf '%s\n' \
//		0000000000000000000000000000000000000000000000000000000000000000 \
//		01JD6R0V5XJ8M2H4Q7Z9C3E6TB 1 \
//		sha256:4366abd558e2246e334eab59e2d2fd052e7f2ff59953e5f28759199581661fa8 \
//		13 text/plain 2026-11-21T17:36:03.125Z 01JD6QGZ3NQ5C3W0XHDA4M8V2E | sha256sum
//
// # What it proves, and what it does not
//
// A chain that verifies proves that no entry was changed, put in, left out or
// moved since, as far as the hash of a later entry was known to somebody else.
// It does not prove by itself that the log is complete or original: whoever
// holds the file can cut off its end, or write it anew from any entry on, and
// the result verifies. What shows that is a hash kept where they cannot reach
// it. So
//
//   - print heads, sign them, send them away, and give them to every
//     verification: a head that is no entry of the log shows a rewriting, one
//     beyond its end a cut;
//   - keep receipts: the answer to every change carries seq and hash of its
//     entry, which is as good as a head.
//
// It does not prove that what an entry says was true; that the clock was right;
// that the actor was the person rather than somebody with their key; or that
// something did not happen because no entry tells of it: reading is logged only
// where the vault is told to.
//
// # The operations
//
// Each operation is given with what document and version hold: none; a document
// and version 0; document? is one that may be absent; a version is a document
// and the number of a version. Then the facts with their kinds, of which those
// with a question mark may be absent, and the members of the detail, all of
// which may be absent, and the detail with them. {member: {old, new}} is an
// object with the members that changed, by name.
//
//	vault.created (none)
//	    facts    format number, vault word
//	    detail   name
//	vault.migrated (none)
//	    facts    format number, from number, part? number, state? list
//	vault.restored (none)
//	    facts    erasures number, head hash, log flag, seq number
//	vault.signer (none)
//	    facts    mldsa? word, vkey word
//	checkpoint.signed (none)
//	    facts    root hash, size number
//	clock.corrected (none)
//	    facts    last time, repeats? number, wall time
//	backup.completed (none)
//	    facts    blobs number, bytes number, head hash, missing? number,
//	             seq number
//	    detail   to
//	audit.exported (none)
//	    facts    after number, through number
//	matter.exported (none)
//	    facts    documents number, list hash, seq number
//	    detail   matter
//	session.started (none)
//	    facts    session word, user word
//	session.ended (none)
//	    facts    session word, user word
//	document.created (version 1)
//	    facts    chain hash, confirmed? list, digest digest, mediaType word,
//	             owner word, size number
//	    detail   name category description tags customFields externalId product
//	             templateId agreementId path fileName comment label
//	document.updated (document)
//	    facts    confirmed? list, owner? word, password? text, repeats? number,
//	             retainUntil? time, revision number, seconds? number
//	    detail   {member: {old, new}}
//	document.version_added (version)
//	    facts    chain hash, digest digest, mediaType word, restored? number,
//	             seconds? number, size number
//	    detail   fileName comment label
//	document.reverted (version)
//	    facts    confirmed? list, discardedFrom? number, discardedTo? number,
//	             owner? word, retainUntil? time, revision number,
//	             seconds? number
//	    detail   {member: {old, new}}
//	document.archived (document)
//	    facts    policy? word, repeats? number, revision number, run? word,
//	             seconds? number
//	document.unarchived (document)
//	    facts    repeats? number, revision number, seconds? number
//	document.deleted (version)
//	    facts    bypass? flag, certificate hash, chain hash, erasure? word,
//	             obligations? number, policy? word, right word, run? word,
//	             versions number
//	    detail   name reason
//	document.downloaded (version)
//	    facts    digest digest, part? word
//	document.restricted (document)
//	    facts    repeats? number
//	    detail   reason
//	document.unrestricted (document)
//	    facts    repeats? number
//	    detail   reason
//	document.text_set (version)
//	    facts    digest? digest, seconds? number, size number
//	lock.acquired (document)
//	    facts    drafts? hash, fence number, password? text, scratchpad flag,
//	             seconds number, snapshot? hash
//	    detail   lockedByApp
//	lock.renewed (document)
//	    facts    draft? number, drafts? hash, fence? number, seconds? number
//	    detail   lockedByApp
//	lock.released (document)
//	    facts    draft? word, fence? number, user? word
//	lock.broken (document)
//	    facts    drafts? hash, fence number, user word
//	    detail   reason
//	hold.placed (document)
//	    facts    hold word, repeats? number
//	    detail   reason matter
//	hold.released (document)
//	    facts    hold word, repeats? number
//	    detail   reason
//	policy.created (document?)
//	    facts    action word, days? number, enabled flag, period? word,
//	             policy word, protect word, repeats? number, scope word,
//	             startAt? word, startFrom word, target? text
//	    detail   name target
//	policy.updated (document?)
//	    facts    action word, days? number, enabled flag, period? word,
//	             policy word, protect word, repeats? number, scope word,
//	             startAt? word, startFrom word, target? text
//	    detail   {member: {old, new}}
//	policy.deleted (document?)
//	    facts    policy word, repeats? number
//	retention.started (none)
//	    facts    at time, clock? time, plan hash, run word, trigger word
//	    detail   reason
//	retention.completed (none)
//	    facts    archived number, deleted number, erased number, failed number,
//	             held number, locked number, plan hash, protected number,
//	             run word, status word, why? word
//	obligation.created (document?)
//	    facts    anchor? word, due word, obligation word, owner word,
//	             recurrence text
//	    detail   title description
//	obligation.updated (document?)
//	    facts    anchor? word, due word, obligation word, owner word,
//	             recurrence text
//	    detail   {member: {old, new}}
//	obligation.completed (document?)
//	    facts    evidence? word, evidenceVersion? number, next? word,
//	             obligation word
//	    detail   note
//	obligation.reopened (document?)
//	    facts    obligation word
//	obligation.deleted (document?)
//	    facts    obligation word
//	obligation.due_soon (document?)
//	    facts    days number, due word, obligation word
//	obligation.overdue (document?)
//	    facts    due word, obligation word
//	field.created (none)
//	    facts    field word, repeats? number, required flag, type word
//	    detail   label choices description
//	field.updated (none)
//	    facts    field word, repeats? number, required flag, type word
//	    detail   {member: {old, new}}
//	field.deleted (none)
//	    facts    cleared number, field word
//	user.created (none)
//	    facts    access word, canLock flag, issuer? text, status word,
//	             subject? text, user word
//	    detail   name email
//	user.updated (none)
//	    facts    access word, canLock flag, issuer? text, left? flag,
//	             repeats? number, status word, subject? text, user word
//	    detail   {member: {old, new}}
//	user.identified (none)
//	    facts    user word
//	key.created (none)
//	    facts    access word, expires time, key word, secret hash, user word
//	    detail   name
//	key.rotated (none)
//	    facts    access word, expires time, key word, secret hash,
//	             successor word, until time, user word
//	key.revoked (none)
//	    facts    key word, repeats? number, successors? number, user word
//	calendar.started (none)
//	    facts    secret hash, user word
//	calendar.ended (none)
//	    facts    repeats? number, user word
//	client.created (none)
//	    facts    access word, actsAs? word, client word, grants list,
//	             impersonates flag, publicKey? hash, secret? hash
//	    detail   name redirectUris
//	client.updated (none)
//	    facts    access word, actsAs? word, client word, grants list,
//	             impersonates flag, publicKey? hash, repeats? number,
//	             secret? hash
//	    detail   {member: {old, new}}
//	client.closed (none)
//	    facts    client word, repeats? number
//	signin.failed (none)
//	    facts    client? word, count number, key? word, reason word,
//	             sources? number
//	    detail   source
//	webhook.created (none)
//	    facts    active flag, events list, secret hash, webhook word
//	    detail   url description
//	webhook.updated (none)
//	    facts    active flag, events list, repeats? number, secret? hash,
//	             until? time, webhook word
//	    detail   {member: {old, new}}
//	webhook.deleted (none)
//	    facts    repeats? number, webhook word
//	webhook.disabled (none)
//	    facts    reason word, webhook word
//	settings.updated (none)
//	    facts    auditReads? flag, changed list, formerZones? list,
//	             maxClockGapDays? number, maxVersions? number, paused? flag,
//	             reminderDays? list, repeats? number, restrictDeferred? flag,
//	             retentionConflict? word, retentionRunAt? word,
//	             searchLanguage? word, signInByKey? flag, timeZone? word,
//	             twoPersons? list
//	    detail   {member: {old, new}}
//	erasure.requested (none)
//	    facts    documents number, erasure word, subjects hash, user? word
//	    detail   legalBasis requester
//	erasure.deferred (document)
//	    facts    erasure word, until time, why word
//	erasure.completed (document?)
//	    facts    erasure word, resume? number, user? word
//	approval.requested (none)
//	    facts    approval word, call word, expires time, plan hash, what word
//	approval.granted (none)
//	    facts    approval word, plan hash
//	approval.rejected (none)
//	    facts    approval word, plan hash, repeats? number
//	approval.expired (none)
//	    facts    approval word, plan hash
//
// The kinds of facts:
//
//	word    a string that is not empty: an id, a name, a state
//	text    a string
//	flag    "true" or "false"
//	time    a time as in the member time, or "" for never
//	hash    64 hexadecimal digits
//	digest  sha256: and 64 hexadecimal digits
//	number  a number
//	list    a list of strings
//
// The facts:
//
//	access           what the user, the key or the client may do: view, upload, auditor or admin
//	action           what the policy does: archive or delete
//	active           whether the webhook is delivered to
//	actsAs           the id of the user the client is by itself
//	after            the seq after which the export began
//	anchor           from when its recurrences are counted, if not from when it is due
//	approval         the id of the request for approval
//	archived         how many documents the run archived
//	at               the instant whose plan the run works off
//	auditReads       the setting
//	blobs            how many blobs are in the backup
//	bypass           whether the protection of a policy of governance was bypassed
//	bytes            the size of these blobs together
//	call             the call that is asked for, such as hold.release
//	canLock          whether the user may lock documents
//	certificate      the SHA-256 of the deletion certificate's lines
//	chain            the chain of the version; of a deletion, of the last one
//	changed          the names of the settings that changed
//	cleared          how many documents had the field
//	client           the id of the client
//	clock            what the clock said when the run accepted it
//	confirmed        the fields whose dates an admin has set, or has confirmed, from now on
//	count            how many sign-ins failed since the last entry of that source
//	days             the period of the policy, in entries that have no fact period; or how long until the obligation is due
//	deleted          how many documents the run deleted by retention
//	digest           of the bytes of the version
//	discardedFrom    the number of the first version that is taken back
//	discardedTo      the number of the last
//	documents        how many documents the erasure is to erase, or the export has
//	draft            the number of the change to the scratchpad; of a release, saved, dropped or purged
//	drafts           the digest of the scratchpad as it is kept after the change; absent: the change leaves none
//	due              the date or the time when the obligation is due
//	enabled          whether the policy is applied
//	erased           how many documents the run erased for an erasure
//	erasure          the id of the erasure
//	erasures         how many erasures were repeated after the restore
//	events           the operations the webhook is told of
//	evidence         the id of the document that proves the completion
//	evidenceVersion  the number of its version
//	expires          when the key ends, or the request for approval
//	failed           how many documents the run could not deal with
//	fence            the number of the lock: it rises with each lock taken or broken
//	field            the key of the field
//	format           the number of the format of the vault
//	formerZones      the time zones there were while a policy protected by compliance
//	from             the number of the format before
//	grants           the ways by which the client may get tokens, as OAuth names them
//	head             the hash of the last entry in the backup
//	held             how many documents the run left because of a hold
//	hold             the id of the hold
//	impersonates     whether the client may sign that it is another user
//	issuer           of the provider through which the user comes, as it names itself; "" if no longer
//	key              the id of the key
//	last             the time of the last entry before the correction
//	left             whether the user is closed because no group of theirs gives access any more
//	list             the SHA-256 over the ids of the documents of an export, in order, an LF after each
//	locked           how many documents the run left because of a lock
//	log              whether a log later than the backup was at hand
//	maxClockGapDays  the setting
//	maxVersions      how many versions a document may come to have from then on
//	mediaType        of the bytes of the version
//	missing          how many blobs the backup lacks, because they were damaged
//	mldsa            the verifier key of what signs beside vkey from now on, type 0x06, under the same name; absent if nothing does
//	next             the id of the obligation that recurs after this one
//	obligation       the id of the obligation
//	obligations      how many obligations were deleted with the document
//	owner            the id of the owner from now on
//	part             what of the version was shown, passages; absent: all of it; of a migration, 2 and more for what did not fit into the entry before
//	password         the digest of the edit password as it is kept, "" if it was removed
//	paused           the setting
//	period           the period of the policy: P, and years Y and months M, or weeks W, or days D
//	plan             the digest of what the run was going to do, or of what the request for approval asks for
//	policy           the id of the policy
//	protect          none, governance or compliance
//	protected        how many documents the run left because of protection
//	publicKey        the digest of the key that the client's assertions are checked with
//	reason           why deliveries ended: gone or failing; of a sign-in, unknown, wrong, expired, revoked or several
//	recurrence       monthly, quarterly, yearly, or "" for once
//	reminderDays     the setting, each number in decimal digits
//	repeats          the seq of the entry that is put in force again, in the log that was at hand when the vault was restored
//	required         whether documents must have the field
//	restored         the number of the version whose bytes these are
//	restrictDeferred  the setting
//	resume           the seq at which what is left of the erasure goes on; absent: nothing is left
//	retainUntil      until when the document is kept although it has left the policy
//	retentionConflict  the setting
//	retentionRunAt   the setting
//	revision         of the document after the change
//	right            by which it was deleted: manual, retention or erasure
//	root             of the tree of the lines before the entry, as the vault signed it
//	run              the id of the retention run
//	scope            what the policy is for: organization, product, template, category or document
//	scratchpad       whether changes wait for the release of the lock
//	seconds          how long the lock lives from this entry on without a change; absent: the change leaves its end
//	secret           the digest of what is kept of the secret; of a rotated key, of the successor's; of a calendar, of its address's
//	searchLanguage   the setting
//	seq              the seq of the last entry in the backup, or in the export
//	session          the id of a session in the console, which is no secret
//	signInByKey      the setting
//	size             of the version, or of the text given for it, in bytes; 0: that was taken away; of a checkpoint, how many lines of the log it covers
//	snapshot         the digest of what is kept of the document, to go back to when the lock is not saved
//	sources          how many addresses they came from, of an entry about more than one
//	startAt          where in the calendar the period begins: day, endOfMonth or endOfYear; absent: day
//	startFrom        from when the period of the policy counts
//	state            what the log did not tell before the migration, see below
//	status           of a user, active or closed; of a run, completed or refused
//	subject          of the user, as the provider names them
//	subjects         the SHA-256 over the ids of what is to be erased, in order, an LF after each
//	successor        the id of the key that follows
//	successors       how many keys that followed, and still worked, were revoked
//	target           of the policy, with % and two hexadecimal digits for each byte but letters, digits and - _ . ~: a product, a template, a category or a document
//	through          the seq of the last entry exported
//	timeZone         the setting
//	trigger          schedule or manual
//	twoPersons       the setting
//	type             text, number, boolean, date, choice or user
//	until            when the old key, or the webhook's old secret, ends; or when what defers the erasure ends
//	user             the id of the user it is about; of a release, whose scratchpad was purged
//	vault            the id of the vault
//	versions         how many versions the document had
//	vkey             the verifier key of what the vault signs from now on, its name the origin of its checkpoints
//	wall             what the clock said
//	webhook          the id of the webhook
//	what             what needs two persons for the request: a name of the setting twoPersons, admin or settings
//	why              what defers the erasure, hold or protection; or what the run was refused for
package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// The errors of this package, each wrapped with what and where.
var (
	// ErrSyntax: what was read, or is to be written, is not in the one
	// spelling.
	ErrSyntax = errors.New("not in the one spelling of the audit log")
	// ErrChain: an entry is spelled right but may not follow the head.
	ErrChain = errors.New("entry does not follow")
	// ErrEvent: an event is not what its operation may say. The program that
	// made it is wrong.
	ErrEvent = errors.New("event cannot be logged")
)

// Event is what a change says of itself. The log adds seq, prev, time, actor
// and key. The zero Event says that nothing changed.
type Event struct {
	Op       Op
	Document string // the id of the document, "" if it is about none
	Version  uint64 // the number of the version, 0 if it is about none
	Facts    Facts  // what stays readable for ever; names no person
	Detail   []byte // personal and free text, a JSON object; nil: none
}

// IsZero reports whether e says that nothing changed.
func (e Event) IsZero() bool {
	return e.Op == "" && e.Document == "" && e.Version == 0 && len(e.Facts) == 0 && e.Detail == nil
}

// Check reports whether e is what the table in the package doc allows for its
// operation: the operation known, document and version as it wants them,
// every fact it needs and none it does not have, the detail a JSON object of
// at most [MaxDetail] bytes in valid UTF-8, if it may have one. The error is
// [ErrEvent]. [Head.Next] calls it.
func (e Event) Check() error {
	r, ok := ruleOf[e.Op]
	if !ok {
		return fmt.Errorf("%w: %.80q is not an operation", ErrEvent, e.Op)
	}
	if err := r.check(e); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrEvent, e.Op, err)
	}
	if e.Detail != nil && !isDetail(e.Detail) {
		return fmt.Errorf("%w: %s: the detail is not a JSON object in UTF-8 of at most %d bytes", ErrEvent, e.Op, MaxDetail)
	}
	return nil
}

func isDetail(d []byte) bool {
	return len(d) >= 2 && len(d) <= MaxDetail && d[0] == '{' && utf8.Valid(d) && json.Valid(d)
}

// Stamp is what the log knows of a change beside its event.
type Stamp struct {
	Time  time.Time // a whole millisecond
	Actor string    // the id of the user, or system or operator
	Key   string    // the id of the API key or of the client, "" if there was none
}

// Entry is a line of the log, read.
type Entry struct {
	Seq      uint64    // 1 for the first entry
	Prev     Hash      // of the entry before, zero for the first
	Time     time.Time // UTC, a whole millisecond
	Actor    string
	Key      string
	Op       Op // perhaps of a later release: see [Op.Known]
	Document string
	Version  uint64
	Facts    Facts // never nil
	Detail   Hash  // [DetailHash] of the detail, zero if there is none
}
