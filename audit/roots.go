package audit

import "slices"

// MaxUncovered is how many entries may stand between the last line that a
// checkpoint covers and its entry checkpoint.signed, at most: those that were
// written while it was signed.
const MaxUncovered = 4096

// roots works out the roots of the tree of the lines read last, to compare them
// with those that were signed. It keeps the hashes that a root is made of, for the
// tree as it is and for some sizes before it.
type roots struct {
	now    Edge
	before []*Edge    // every rootEvery lines, the oldest first
	leaves []TreeHash // of the last lines, from the oldest of before on
	signed int64      // the size that was signed last
	spare  []TreeHash // memory
}

const rootEvery = 256

// add takes the next line.
func (r *roots) add(line []byte) {
	if r.now.size%rootEvery == 0 {
		if len(r.before) > MaxUncovered/rootEvery+1 {
			r.before = slices.Delete(r.before, 0, 1)
			r.leaves = slices.Delete(r.leaves, 0, rootEvery)
		}
		r.before = append(r.before, r.now.clone())
	}
	r.spare = r.now.Append(r.spare[:0], line)
	r.leaves = append(r.leaves, r.spare[0])
}

// of returns the root of the first size lines; ok is false for a size that no
// checkpoint may have whose entry is the next line.
func (r *roots) of(size int64) (root TreeHash, ok bool) {
	if size < 1 || size > r.now.size || r.now.size-size > MaxUncovered {
		return root, false
	}
	if size == r.now.size {
		return r.now.Root(), true
	}
	at, _ := slices.BinarySearchFunc(r.before, size+1, func(e *Edge, size int64) int { return int(e.size - size) })
	e := r.before[at-1].clone()
	for first := r.before[0].size; e.size < size; {
		r.spare = e.appendHash(r.spare[:0], r.leaves[e.size-first])
	}
	return e.Root(), true
}

// entry compares what the entry that comes next says was signed with the lines
// before it, and returns what is wrong, "" if nothing is.
func (r *roots) entry(f *fields) string {
	if string(f.op) != string(OpCheckpointSigned) {
		return ""
	}
	facts := textsOf(f.facts).decodeFacts(f.facts)
	n, _ := facts["size"].AsNumber()
	text, _ := facts["root"].AsText()
	size := int64(n)
	root, ok := r.of(size)
	switch {
	case !ok || size < r.signed:
		return "it signs a tree of a size that it cannot have been"
	case Hash(root).String() != text:
		return "the root that was signed is not that of the lines before it: one of the two was rewritten"
	}
	r.signed = size
	return ""
}
