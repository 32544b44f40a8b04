package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The oracle reads an entry with encoding/json and regular expressions: a
// second verifier, written from the package doc and nothing of this package.
type oracleEntry struct {
	Seq      json.Number    `json:"seq"`
	Prev     string         `json:"prev"`
	Time     string         `json:"time"`
	Actor    string         `json:"actor"`
	Key      string         `json:"key"`
	Op       string         `json:"op"`
	Document string         `json:"document"`
	Version  json.Number    `json:"version"`
	Facts    map[string]any `json:"facts"`
	Detail   string         `json:"detail"`
}

var (
	oracleText   = regexp.MustCompile(`^[ -~]*$`)
	oracleNumber = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)
	oracleHash   = regexp.MustCompile(`^([0-9a-f]{64})?$`)
	oracleTime   = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$`)
	oracleOp     = regexp.MustCompile(`^[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*$`)
	oracleName   = regexp.MustCompile(`^[a-z][A-Za-z0-9]*$`)
)

// oracle returns the entry and whether the line is spelled right.
func oracle(line []byte) (e oracleEntry, ok bool) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if len(line) > 65536 || d.Decode(&e) != nil {
		return e, false
	}
	again, err := json.Marshal(e)
	if err != nil || string(again)+"\n" != string(line) {
		return e, false
	}
	at, err := time.Parse(time.RFC3339Nano, e.Time)
	ok = err == nil && at.Year() >= 1 && oracleTime.MatchString(e.Time) &&
		oracleNumeric(e.Seq) && oracleNumeric(e.Version) &&
		oracleHashed(e.Prev) && oracleHashed(e.Detail) && oracleOp.MatchString(e.Op) &&
		oraclePlain(e.Actor) && oraclePlain(e.Key) && oraclePlain(e.Document) && e.Facts != nil
	for name, value := range e.Facts {
		ok = ok && oracleName.MatchString(name) && oracleValue(value)
	}
	return e, ok
}

func oraclePlain(s string) bool {
	return oracleText.MatchString(s) && !strings.ContainsAny(s, "\"\\<>&")
}

func oracleHashed(s string) bool {
	return oracleHash.MatchString(s) && s != strings.Repeat("0", 64)
}

func oracleNumeric(n json.Number) bool {
	v, err := strconv.ParseUint(string(n), 10, 53)
	return err == nil && v < 1<<53 && oracleNumber.MatchString(string(n))
}

func oracleValue(v any) bool {
	switch v := v.(type) {
	case string:
		return oraclePlain(v)
	case json.Number:
		return oracleNumeric(v)
	case []any:
		for _, s := range v {
			if s, ok := s.(string); !ok || !oraclePlain(s) {
				return false
			}
		}
		return true
	}
	return false
}

// same reports whether an entry is what the oracle read.
func (e oracleEntry) same(o Entry) bool {
	again, _ := o.appendLine(nil)
	line, _ := json.Marshal(e)
	facts, err := json.Marshal(o.Facts)
	want, _ := json.Marshal(e.Facts)
	return string(again) == string(line)+"\n" && err == nil && string(facts) == string(want)
}

func FuzzFollow(f *testing.F) {
	for _, line := range fullLog().lines {
		f.Add(line)
	}
	for _, line := range refusedLines() {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		want, ok := oracle(line)
		e, err := ParseEntry(line)
		if ok != (err == nil) || ok && !want.same(e) {
			t.Fatalf("ParseEntry gives %+v, %v; the oracle %+v, %v", e, err, want, ok)
		}
		h := Head{Vault: "v", Seq: e.Seq - 1, Hash: e.Prev, Time: e.Time}
		next, followErr := h.Follow(line)
		if err != nil {
			if !errors.Is(followErr, ErrSyntax) || next != h {
				t.Fatalf("Follow gives %v, ParseEntry %v", followErr, err)
			}
			return
		}
		if followErr == nil && (next.Seq != e.Seq || next.Hash != HashLine(line) || next.Time != e.Time) {
			t.Fatalf("Follow gives %+v for %+v", next, e)
		}
		if e.Seq > 1 && e.Op != OpVaultCreated && followErr != nil {
			t.Fatalf("Follow refuses what follows: %v", followErr)
		}
	})
}

func FuzzParseHead(f *testing.F) {
	f.Add(fullLog().head.Text())
	f.Add(workedExample().head.Text() + fullLog().head.Text())
	f.Fuzz(func(t *testing.T, text string) {
		heads, err := ParseHeads(text)
		if err != nil {
			return
		}
		var again string
		for _, h := range heads {
			again += h.Text()
		}
		if again != text {
			t.Fatalf("%q is read, and written as %q", text, again)
		}
	})
}

func FuzzDetailRow(f *testing.F) {
	for _, row := range fullLog().details {
		f.Add(row)
	}
	f.Add([]byte(`{"seq":1,"salt":"000102030405060708090a0b0c0d0e0f","detail":"\u0000\u001f\\\"é` + "\u2028\x7f" + `"}` + "\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		row, err := ParseDetailRow(line)
		if err != nil {
			return
		}
		if again, err := row.Append(nil); err != nil || string(again) != string(line) {
			t.Fatalf("%q is read, and written as %q, %v", line, again, err)
		}
		var other struct {
			Seq          uint64
			Salt, Detail string
		}
		if err := json.Unmarshal(line, &other); err != nil || other.Seq != row.Seq || other.Detail != string(row.Detail) {
			t.Fatalf("%q is %q here, and %q, %v to encoding/json", line, row.Detail, other.Detail, err)
		}
	})
}

func FuzzAppendRow(f *testing.F) {
	f.Add(uint64(1), []byte("0123456789abcdef"), []byte("{\"a\":\"\\n\x01\u2028é\"}"))
	f.Fuzz(func(t *testing.T, seq uint64, salt, detail []byte) {
		row := DetailRow{Seq: seq, Detail: append([]byte{}, detail...)}
		copy(row.Salt[:], salt)
		line, err := row.Append(nil)
		if err != nil {
			return
		}
		if got, err := ParseDetailRow(line); err != nil || !reflect.DeepEqual(got, row) {
			t.Fatalf("%+v is read back as %+v, %v", row, got, err)
		}
	})
}

func FuzzReceipt(f *testing.F) {
	f.Add(Receipt{7, Hash{1}}.String())
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := ParseReceipt(s); err == nil && r.String() != s {
			t.Fatalf("%q is read, and written as %q", s, r)
		}
	})
}

func FuzzParseTime(f *testing.F) {
	f.Add("2026-11-21T17:36:01.123Z")
	f.Fuzz(func(t *testing.T, s string) {
		if at, err := ParseTime(s); err == nil && FormatTime(at) != s {
			t.Fatalf("%q is read, and written as %q", s, FormatTime(at))
		}
	})
}

// FuzzVerify puts other bytes in the place of some of a log or of its details.
func FuzzVerify(f *testing.F) {
	l := fullLog()
	log, rows := l.log(), l.rows()
	f.Add(uint16(0), uint16(0), []byte{}, false)
	f.Add(uint16(100), uint16(1), []byte("0"), false)
	f.Add(uint16(0), uint16(len(l.details[0])), l.details[1], true)
	f.Fuzz(func(t *testing.T, at, n uint16, with []byte, details bool) {
		m, d := log, rows
		target := &m
		if details {
			target = &d
		}
		from := min(int(at), len(*target))
		to := min(from+int(n), len(*target))
		*target = slices.Concat((*target)[:from], with, (*target)[to:])
		r := verify(t, m, VerifyOptions{Details: bytes.NewReader(d), Heads: []Head{l.head}})
		same := bytes.Equal(m, log) && bytes.Equal(d, rows)
		if r.Entries != r.Head.Seq || same != (len(r.Findings) == 0) {
			t.Fatalf("with %q for the bytes %d to %d: %+v", with, from, to, r)
		}
	})
}

// FuzzProof: a proof has one spelling, and no other proof than the one that was
// made is believed by its policy.
func FuzzProof(f *testing.F) {
	p, key, witness := exampleProof(f)
	policy := mustPolicy(f, "log "+key.Verifier()+"\nwitness w "+witness.Verifier()+"\nquorum w\n")
	f.Add(p.Marshal())
	f.Fuzz(func(t *testing.T, text []byte) {
		read, err := ParseProof(text)
		if err != nil {
			return
		}
		if !bytes.Equal(read.Marshal(), text) {
			t.Fatalf("%q is read, and written as %q", text, read.Marshal())
		}
		if _, err := read.Verify(policy); err == nil && (!bytes.Equal(read.Line, p.Line) || !slices.Equal(read.Path, p.Path)) {
			t.Fatalf("believed is\n%s", text)
		}
	})
}

// FuzzWitness reads a policy, and what a witness is asked.
func FuzzWitness(f *testing.F) {
	p, key, witness := exampleProof(f)
	f.Add("log "+key.Verifier()+"\nwitness w "+witness.Verifier()+"\ngroup g 1 w\nquorum g\n", AddRequest{2, p.Path, p.Checkpoint}.Marshal())
	f.Fuzz(func(t *testing.T, text string, body []byte) {
		policy, err := ParsePolicy(text)
		if err == nil {
			policy.enough(nil)
		}
		r, err := ParseAddRequest(body)
		if err != nil {
			return
		}
		if !bytes.Equal(r.Marshal(), body) {
			t.Fatalf("%q is read, and written as %q", body, r.Marshal())
		}
		c, err := ReadCheckpoint(r.Checkpoint)
		if err != nil || !bytes.HasPrefix(r.Checkpoint, []byte(c.Text()+"\n")) {
			t.Fatalf("the checkpoint of %q is %+v, %v", body, c, err)
		}
		_, _ = r.Check(policy, WitnessState{Size: r.Old})
	})
}
