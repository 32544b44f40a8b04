#!/usr/bin/env bash
# A whole case, from the suit to the release: a matter of 1,000 documents is held,
# exported, verified on a directory that has no vault, and released by two persons;
# meanwhile a download breaks off and the server is killed in the middle of an export.
#
#   case.sh PROGRAM VALIDATOR     in an empty directory; ends with what it has measured
#
# PROGRAM is strongroom, VALIDATOR is testdata/bagit/validate.py. It needs curl,
# python3 and sha256sum.
set -euo pipefail
program=$1 validator=$2
documents=${DOCUMENTS:-1000} matter='Acme ./. Bolt'
export STRONGROOM_DATA=$PWD/data

fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
said() { printf '%6.1f s  %s\n' "$(python3 -c 'import sys, time; print(time.monotonic() - float(sys.argv[1]))' "$began")" "$*"; }
began=$(python3 -c 'import time; print(time.monotonic())')

# member NAME: one of the JSON object on standard input, "" where there is none.
member() { python3 -c 'import json, sys
v = json.load(sys.stdin)
for k in sys.argv[1].split("."): v = v.get(k, "")
print(v)' "$1"; }

serve() {
	"$program" serve --listen 127.0.0.1:0 2>>server.log & server=$!
	for _ in $(seq 200); do
		url=$(sed -n 's/.*listening on \(http:[^ "]*\).*/\1/p' server.log | tail -n 1)
		[[ -n $url ]] && curl -sf "$url/livez" >/dev/null && return
		sleep 0.05
	done
	cat server.log >&2
	fail 'the server does not come'
}
trap 'kill "$server" 2>/dev/null || true' EXIT

# call KEY METHOD PATH [BODY]: sets status and answer.
call() {
	local body=()
	[[ $# -gt 3 ]] && body=(-H 'Content-Type: application/json' -d "$4")
	status=$(curl -s -o answer.json -w '%{http_code}' -X "$2" -H "Authorization: Bearer $1" ${body[@]+"${body[@]}"} "$url/v1$3")
	answer=$(cat answer.json)
}
must() { local want=$1; shift; call "$@"; [[ $status == "$want" ]] || fail "$2 $3: $status $answer"; }

# --- people and documents
ada=$("$program" init --admin 'Ada <ada@example.com>')
serve
must 201 "$ada" POST /users '{"name":"Bert","access":"admin"}'
must 201 "$ada" POST /api-keys '{"name":"Bert","userId":"'"$(member id <<<"$answer")"'"}'
bert=$(member secret <<<"$answer")
must 201 "$ada" POST /users '{"name":"Aud","access":"auditor"}'
must 201 "$ada" POST /api-keys '{"name":"Aud","userId":"'"$(member id <<<"$answer")"'"}'
aud=$(member secret <<<"$answer")
python3 - "$documents" <<'PY'
import os, random, sys
r = random.Random(1)
for i in range(int(sys.argv[1])):
    d = "tree/2024/%s" % ("contracts", "letters", "Gutachten für Bolt", "invoices")[i % 4]
    os.makedirs(d, exist_ok=True)
    with open("%s/%04d %s" % (d, i, ("lease.txt", "scan.bin", "page.html", "=cmd().csv")[i % 4]), "wb") as f:
        f.write(b"document %d\n" % i + r.randbytes(r.choice([200, 20_000, 200_000])))
PY
"$program" import tree >/dev/null 2>&1
bytes=$(find tree -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')
said "$documents documents of $bytes bytes imported"

# --- held, all at once; nobody can delete one
must 200 "$ada" POST /bulk/holds '{"filter":{"path":"2024"},"reason":"suit","matter":"'"$matter"'"}'
[[ $(member changed <<<"$answer") == "$documents" ]] || fail "held: ${answer:0:300}"
must 200 "$ada" GET '/documents?limit=1&path=2024'
one=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["items"][0]["id"])' <<<"$answer")
must 409 "$ada" DELETE "/documents/$one"
must 200 "$ada" PATCH /settings '{"twoPersons":["hold.release"]}'
said 'held; deletion refused; two persons are needed for a release'

# --- exported by the auditor
# fetch FILE KEY [RATE]: the export of the matter; in the background with exec=exec.
fetch() { ${exec-} curl -sS -o "$1" ${3:+--limit-rate "$3"} -w '%{http_code}' -X POST -H "Authorization: Bearer $2" -H 'Content-Type: application/json' -d '{"matter":"'"$matter"'"}' "$url/v1/exports"; }
peak() { awk '/VmHWM/ { print int($2 / 1024) }' "/proc/$server/status" 2>/dev/null || echo '?'; }
before=$(peak)
[[ $(fetch matter.zip "$aud") == 200 ]] || fail 'the export'
said "exported: $(stat -c %s matter.zip) bytes; the server's memory peaked at $(peak) MiB, $before before"

# --- a download that breaks off
exec=exec fetch cut.zip "$aud" 2M >/dev/null 2>&1 & download=$!
until [[ -f cut.zip && $(stat -c %s cut.zip) -gt 1000000 ]]; do sleep 0.05; done
kill "$download"
wait "$download" 2>/dev/null || true
python3 "$validator" cut.zip >cut.txt && fail 'a download that broke off is taken for whole'
said "broken off after $(stat -c %s cut.zip) bytes: $(sed 's/.*: //' cut.txt | head -n 1)"

# --- the server is killed in the middle of an export
exec=exec fetch killed.zip "$aud" 2M >/dev/null 2>killed.txt & download=$!
until [[ -f killed.zip && $(stat -c %s killed.zip) -gt 1000000 ]]; do sleep 0.05; done
kill -9 "$server"
wait "$server" 2>/dev/null || true
wait "$download" && fail 'curl says that it has all of it'
python3 "$validator" killed.zip >>killed.txt && fail 'a download of a server that was killed is taken for whole'
serve
[[ -z $(ls -A data/vaults/main/exports 2>/dev/null) ]] || fail 'something is left of the export'
[[ $(fetch again.zip "$aud") == 200 ]] || fail 'the export after the kill'
said "killed after $(stat -c %s killed.zip) bytes ($(head -n 1 killed.txt)); started again and exported again"

# --- verified where there is no vault
verified() { # ZIP DIRECTORY
	mkdir "$2"
	python3 -m zipfile -e "$1" "$2"
	(
		cd "$2"/*/
		sha256sum --quiet --strict -c manifest-sha256.txt
		sha256sum --quiet --strict -c tagmanifest-sha256.txt
		python3 "$validator" .
		[[ $(wc -l <manifest-sha256.txt) == $(find data -type f | wc -l) ]]
		# The lines of the log chain where they stand together, and each version's digest is that of its file.
		python3 - <<'PY'
import csv, hashlib, json
lines = open("data/log.jsonl", "rb").read().splitlines(keepends=True)
before, joined = None, 0
for line in lines:
    e = json.loads(line)
    if before and e["seq"] == before[0] + 1:
        assert e["prev"] == before[1], e
        joined += 1
    before = e["seq"], hashlib.sha256(line).hexdigest()
created = {e["document"]: e["facts"]["digest"] for e in map(json.loads, lines) if e["op"] == "document.created"}
rows = list(csv.DictReader(open("data/versions.csv", newline="")))
for r in rows:
    with open(r["file"], "rb") as f:
        digest = "sha256:" + hashlib.sha256(f.read()).hexdigest()
    assert r["digest"] == digest == created[r["documentId"]], r
assert not list(csv.DictReader(open("data/problems.csv", newline="")))
ops = {}
for e in map(json.loads, lines):
    ops[e["op"]] = ops.get(e["op"], 0) + 1
print(len(rows), "files have the digest of the log;", len(lines), "lines of it,", joined, "joined to the one before:", ops)
PY
	) || fail "the bag of $1 is not what it says"
}
verified matter.zip bag >bag.txt
cp -r bag elsewhere && printf x >>"$(find elsewhere -name '0001-*' | head -n 1)"
(cd elsewhere/*/ && sha256sum --quiet -c manifest-sha256.txt >/dev/null 2>&1) && fail 'a changed file passes'
said "verified: $(tail -n 1 bag.txt)"
# Each line of the bag is a line of the vault's whole log.
"$program" export --log log.jsonl 2>/dev/null
[[ $(grep -Fxc -f bag/*/data/log.jsonl log.jsonl) == $(wc -l <bag/*/data/log.jsonl) ]] || fail 'a line of the bag is none of the log'

# --- released by two
must 202 "$ada" POST /bulk/holds/release '{"matter":"'"$matter"'","reason":"settled"}'
approval=$(member id <<<"$answer") plan='{"planDigest":"'$(member planDigest <<<"$answer")'"}'
must 403 "$ada" POST "/approvals/$approval/approve" "$plan"
must 403 "$aud" POST "/approvals/$approval/approve" "$plan"
must 409 "$ada" DELETE "/documents/$one"
must 409 "$bert" POST "/approvals/$approval/approve" '{"planDigest":"'"$(printf '0%.0s' $(seq 64))"'"}'
must 200 "$bert" POST "/approvals/$approval/approve" "$plan"
[[ $(member changed <<<"$answer") == "$documents" ]] || fail "released: ${answer:0:300}"
must 409 "$bert" POST "/approvals/$approval/approve" "$plan"
must 200 "$ada" DELETE "/documents/$one"
said "released by two, all $documents in one; who asked was refused as the one who approves; one is deleted"

# --- exported once more: who released it, and what was deleted, is told
[[ $(fetch after.zip "$aud") == 200 ]] || fail 'the last export'
verified after.zip after >after.txt
for op in approval.requested approval.granted hold.released document.deleted; do
	grep -q "\"op\":\"$op\"" after/*/data/log.jsonl || fail "the last bag has no $op"
done
[[ -f $(echo after/*/data/certificates/"$one"/certificate.json) ]] || fail 'there is no certificate'
said "exported and verified again: $(tail -n 1 after.txt)"
kill "$server"
wait "$server" || fail 'the server does not end well'
"$program" verify --bytes >verify.txt 2>&1 || { cat verify.txt >&2; fail 'the vault does not verify'; }
said "the vault verifies, every byte read: $(tail -n 1 verify.txt)"
