package audit

import (
	"fmt"
	"strconv"
	"strings"
)

// maxPolicy is the size a policy may have.
const maxPolicy = 1 << 20

// ParsePolicy reads a policy as C2SP tlog-policy describes it: lines of words
// with blanks and tabs between.
//
//	log VKEY [URL]
//	witness NAME VKEY [URL]
//	group NAME all|any|NUMBER NAME...
//	quorum NAME|none
//
// Empty lines and those that begin with # are skipped. A name is defined before
// it is used, once, and is a member of one group at most; there is one quorum.
// No two logs, and no two witnesses, have one public key. Anything else is
// [ErrSyntax], with the number of the line. A last line without its newline is
// taken too.
func ParsePolicy(text string) (Policy, error) {
	r := policyReader{defined: map[string]bool{}, member: map[string]bool{}}
	if len(text) > maxPolicy {
		return Policy{}, fmt.Errorf("%w: a policy of more than %d bytes", ErrSyntax, maxPolicy)
	}
	for i, line := range strings.Split(text, "\n") {
		if err := r.line(line); err != nil {
			return Policy{}, fmt.Errorf("policy, line %d: %w", i+1, err)
		}
	}
	if r.p.quorum == "" {
		return Policy{}, fmt.Errorf("%w: the policy has no quorum line; say \"quorum none\" to ask for no witness", ErrSyntax)
	}
	return r.p, nil
}

// policyReader collects a policy line by line.
type policyReader struct {
	p               Policy
	defined, member map[string]bool
}

func refusal(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrSyntax, fmt.Sprintf(format, args...))
}

func (r *policyReader) line(line string) error {
	for i := range len(line) {
		if c := line[i]; c < ' ' && c != '\t' || c == 0x7f {
			return refusal("the byte 0x%02x; lines end with a newline alone", c)
		}
	}
	// Not strings.Fields: what lies beyond ASCII is opaque, blanks included.
	words := strings.FieldsFunc(line, func(c rune) bool { return c == ' ' || c == '\t' })
	if len(words) == 0 || words[0][0] == '#' {
		return nil
	}
	switch args := words[1:]; words[0] {
	case "log":
		return r.log(args)
	case "witness":
		return r.witness(args)
	case "group":
		return r.group(args)
	case "quorum":
		return r.quorum(args)
	}
	return refusal("%.40q is none of log, witness, group and quorum", words[0])
}

func (r *policyReader) log(args []string) error {
	if len(args) != 1 && len(args) != 2 {
		return refusal("want log VKEY [URL]")
	}
	key, err := ParseVerifier(args[0])
	if err != nil {
		return err
	}
	if key.kind == typeCosignature {
		return refusal("the key is one of a witness, not of a log")
	}
	for _, other := range r.p.Logs {
		if other.Key.key == key.key {
			return refusal("a log with this public key was there before")
		}
	}
	l := PolicyLog{Key: key}
	if len(args) == 2 {
		l.URL = args[1]
	}
	r.p.Logs = append(r.p.Logs, l)
	return nil
}

func (r *policyReader) witness(args []string) error {
	if len(args) != 2 && len(args) != 3 {
		return refusal("want witness NAME VKEY [URL]")
	}
	key, err := ParseVerifier(args[1])
	if err != nil {
		return err
	}
	if key.kind == typeEd25519 {
		return refusal("the key is one of a log, not of a witness")
	}
	for _, other := range r.p.Witnesses {
		if other.Key.key == key.key {
			return refusal("a witness with this public key was there before")
		}
	}
	w := PolicyWitness{Name: args[0], Key: key}
	if len(args) == 3 {
		w.URL = args[2]
	}
	r.p.Witnesses = append(r.p.Witnesses, w)
	return r.define(w.Name)
}

func (r *policyReader) define(name string) error {
	if name == quorumNone || r.defined[name] {
		return refusal("the name %.80q is taken", name)
	}
	r.defined[name] = true
	return nil
}

func (r *policyReader) group(args []string) error {
	if len(args) < 3 {
		return refusal("want group NAME all|any|NUMBER NAME...")
	}
	g := group{name: args[0], members: args[2:]}
	switch args[1] {
	case "all":
		g.enough = len(g.members)
	case "any":
		g.enough = 1
	default:
		n, err := strconv.Atoi(args[1])
		if err != nil || strconv.Itoa(n) != args[1] || n < 1 || n > len(g.members) {
			return refusal("%.40q is none of all, any and a number from 1 to %d", args[1], len(g.members))
		}
		g.enough = n
	}
	for _, m := range g.members {
		if !r.defined[m] {
			return refusal("the member %.80q is not defined above", m)
		}
		if r.member[m] {
			return refusal("%.80q is a member already", m)
		}
		r.member[m] = true
	}
	r.p.groups = append(r.p.groups, g)
	return r.define(g.name)
}

func (r *policyReader) quorum(args []string) error {
	switch {
	case len(args) != 1:
		return refusal("want quorum NAME, or quorum none")
	case r.p.quorum != "":
		return refusal("a second quorum")
	case args[0] != quorumNone && !r.defined[args[0]]:
		return refusal("the quorum %.80q is not defined above", args[0])
	}
	r.p.quorum = args[0]
	return nil
}
