"""Says of each bag named whether it is valid, by the words of RFC 8493 alone.

    python3 validate.py BAG...      a directory, or a ZIP file with one in it

It shares nothing with the program that writes bags: it reads with Python's own zip,
hash and text. It prints "PATH: valid", or a line for each fault; it exits with 1 if
there was one. What the RFC calls a MUST is a fault; it knows no fetch.txt, which our
bags do not have: one with it is not complete.
"""

import hashlib
import os
import re
import sys
import unicodedata
import zipfile


class Directory:
    def __init__(self, root):
        self.root = root
        self.names = []
        for folder, folders, files in os.walk(root):
            for name in files:
                self.names.append(os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/"))

    def open(self, name):
        return open(os.path.join(self.root, name), "rb")


class Zip:
    """A serialized bag: one directory at the top, and all of the bag in it."""

    def __init__(self, path):
        self.zip = zipfile.ZipFile(path)
        listed = [i.filename for i in self.zip.infolist() if not i.is_dir()]
        tops = {n.split("/")[0] for n in listed}
        if len(tops) != 1 or any("/" not in n for n in listed):
            raise ValueError("a serialized bag has one directory at its top, not %s" % sorted(tops))
        if len(set(listed)) != len(listed):
            raise ValueError("a name is in the archive twice")
        if any(".." in n.split("/") or n.startswith("/") or "\\" in n for n in listed):
            raise ValueError("a name leads out of the archive")
        self.top = tops.pop() + "/"
        self.names = [n[len(self.top):] for n in listed]

    def open(self, name):
        return self.zip.open(self.top + name)


def text(bag, name, faults):
    """A tag file. 2.1.1: UTF-8, as the declaration has to say, without a mark."""
    with bag.open(name) as f:
        raw = f.read()
    try:
        if raw.startswith(b"\xef\xbb\xbf"):
            faults.append("%s: begins with a byte-order mark" % name)
        return raw.decode("utf-8")
    except UnicodeDecodeError as e:
        faults.append("%s: %s" % (name, e))
        return ""


def lines(s):
    """2.1: lines end in LF, CR, or CRLF."""
    found = re.split("\r\n|\r|\n", s)
    return found[:-1] if found[-1] == "" else found


def manifest(bag, name, faults):
    """2.1.3 and 2.2.1: checksum, blanks, path; in the path CR, LF and % are %0D, %0A, %25."""
    listed = {}
    for line in lines(text(bag, name, faults)):
        m = re.fullmatch(r"([0-9A-Fa-f]+)[ \t]+(\S.*)", line, re.S)
        if not m:
            faults.append("%s: no line of a manifest: %r" % (name, line))
            continue
        if re.search("%(?!0[aA]|0[dD]|25)", m[2]):
            faults.append("%s: %% stands for itself in %r" % (name, m[2]))
        path = re.sub("%(0[aA]|0[dD]|25)", lambda e: chr(int(e[1], 16)), m[2])
        if path.startswith(("/", "~")) or ".." in path.split("/") or "\\" in path:
            faults.append("%s: %r leads elsewhere" % (name, path))
        if path in listed:
            faults.append("%s: %r is listed twice" % (name, path))
        listed[path] = m[1].lower()
    folded = {}
    for path in listed:
        key = unicodedata.normalize("NFC", path).casefold()
        if key in folded:
            faults.append("%s: %r and %r are one name where case, or how a letter is composed, does not count" % (name, path, folded[key]))
        folded[key] = path
    return listed


def check(bag):
    faults = []
    have = set(bag.names)
    # 2.1.1: the declaration, two lines and no more.
    if "bagit.txt" not in have:
        return ["bagit.txt is missing"]
    declared = lines(text(bag, "bagit.txt", faults))
    if declared != ["BagIt-Version: 1.0", "Tag-File-Character-Encoding: UTF-8"]:
        faults.append("bagit.txt: %r" % declared)
    # 2.1.2, 2.1.3: payload, and at least one manifest of it.
    payload = {n for n in have if n.startswith("data/")}
    if not payload:
        faults.append("there is no payload")
    if "fetch.txt" in have:
        faults.append("fetch.txt: parts are elsewhere")
    kinds = {"": {}, "tag": {}}
    for name in sorted(have):
        m = re.fullmatch(r"(tag)?manifest-([a-z0-9]+)\.txt", name)
        if m:
            if m[2] not in hashlib.algorithms_available:
                faults.append("%s: an algorithm that is not known here" % name)
                continue
            kinds[m[1] or ""][name] = (m[2], manifest(bag, name, faults))
    if not kinds[""]:
        faults.append("there is no manifest of the payload")
    tags = have - payload - set(kinds["tag"])
    for name, (_, listed) in kinds[""].items():
        # 3: every file of the payload is in every manifest of it, and the other way round.
        faults += ["%s: %s is not listed" % (name, n) for n in sorted(payload - set(listed))]
        faults += ["%s: %s is listed, and no payload that is there" % (name, n) for n in sorted(set(listed) - payload)]
    for name, (_, listed) in kinds["tag"].items():
        # 2.2.1: each manifest of the payload is in it, and neither payload nor itself.
        faults += ["%s: %s is not listed" % (name, n) for n in sorted(set(kinds[""]) - set(listed))]
        faults += ["%s: %s is listed, and no tag file that is there" % (name, n) for n in sorted(set(listed) - tags)]
        faults += ["%s: %s is not listed" % (name, n) for n in sorted(tags - set(listed) - set(kinds[""]))]  # of ours, all are
    # 3: the checksums.
    size = 0
    for name in sorted(have):
        sums = [(of, hashlib.new(algorithm), listed[name]) for kind in kinds.values() for of, (algorithm, listed) in kind.items() if name in listed]
        with bag.open(name) as f:
            for block in iter(lambda: f.read(1 << 20), b""):
                size += len(block) if name in payload else 0
                for _, h, _ in sums:
                    h.update(block)
        faults += ["%s: %s has another checksum" % (of, name) for of, h, want in sums if h.hexdigest() != want]
    faults += info(bag, have, "%d.%d" % (size, len(payload)))
    return faults


def info(bag, have, oxum):
    """2.2.2: bag-info.txt, of labels and values; a line that begins with a blank goes on."""
    faults, fields = [], []
    if "bag-info.txt" not in have:
        return faults
    for line in lines(text(bag, "bag-info.txt", faults)):
        if line[:1] in (" ", "\t") and fields:
            fields[-1][1] += line
        elif re.match(r"[^\s:][^:]*(?<!\s):[ \t]", line):
            label, value = line.split(":", 1)
            fields.append([label.lower(), value[1:]])
        else:
            faults.append("bag-info.txt: no label and value: %r" % line)
    told = [v for label, v in fields if label == "payload-oxum"]
    if told and told != [oxum]:
        faults.append("bag-info.txt: Payload-Oxum is %s, and the payload %s" % (told, oxum))
    for label, value in fields:
        if label == "bagging-date" and not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            faults.append("bag-info.txt: Bagging-Date is %r" % value)
    return faults


def main(paths):
    bad = False
    for path in paths:
        try:
            faults = check(Directory(path) if os.path.isdir(path) else Zip(path))
        except (ValueError, OSError, zipfile.BadZipFile) as e:
            faults = [str(e)]
        for fault in faults:
            print("%s: %s" % (path, fault))
        if not faults:
            print("%s: valid" % path)
        bad = bad or bool(faults)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
