package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"strongroom/engine"
	"strongroom/httpapi/datadir"
)

// errHelp says that --help was among the arguments.
var errHelp = flag.ErrHelp

// flagSet is the flags of one command: package flag's, and for each of them
// an environment variable that holds when the flag is not given.
type flagSet struct {
	set *flag.FlagSet
	cmd string
	env func(string) string
}

func (p *Program) newFlagSet(cmd command) *flagSet {
	set := flag.NewFlagSet(cmd.name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	return &flagSet{set: set, cmd: cmd.name, env: p.Env}
}

// envName returns the environment variable of a flag: --head-log is
// STRONGROOM_HEAD_LOG.
func envName(name string) string {
	return "STRONGROOM_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// any reports whether the command has flags.
func (f *flagSet) any() bool {
	found := false
	f.set.VisitAll(func(*flag.Flag) { found = true })
	return found
}

// parse reads the flags, wherever they stand among the operands, which it
// returns, and then the environment for those not given. A "--" ends the
// flags. It returns errHelp, or an error of usage that names the flag or the
// variable.
func (f *flagSet) parse(args []string) ([]string, error) {
	var operands []string
	f.set.VisitAll(tellWanted)
	for {
		if err := f.set.Parse(args); errors.Is(err, errHelp) {
			return nil, errHelp
		} else if err != nil {
			return nil, usagef("%s; see `strongroom help %s`", twoDashes(err.Error()), f.cmd)
		}
		rest := f.set.Args()
		taken := len(args) - len(rest)
		if len(rest) == 0 || taken > 0 && args[taken-1] == "--" {
			operands = append(operands, rest...)
			break
		}
		operands = append(operands, rest[0])
		args = rest[1:]
	}
	given := map[string]bool{}
	f.set.Visit(func(x *flag.Flag) { given[x.Name] = true })
	var err error
	f.set.VisitAll(func(x *flag.Flag) {
		value := f.env(envName(x.Name))
		if given[x.Name] || value == "" || err != nil {
			return
		}
		if setErr := x.Value.Set(value); setErr != nil {
			err = usagef("%s=%q cannot stand for --%s: %v; see `strongroom help %s`",
				envName(x.Name), value, x.Name, setErr, f.cmd)
		}
	})
	return operands, err
}

// wanted is a flag whose refusal says what it takes, where package flag says
// "parse error".
type wanted struct {
	flag.Value
	want string
	bool bool
}

func (w wanted) Set(s string) error {
	if w.Value.Set(s) != nil {
		return errors.New("want " + w.want)
	}
	return nil
}

// IsBoolFlag says to package flag that the flag needs no value.
func (w wanted) IsBoolFlag() bool { return w.bool }

// tellWanted makes a flag of package flag's own kinds a wanted one.
func tellWanted(x *flag.Flag) {
	getter, ok := x.Value.(flag.Getter)
	if !ok {
		return
	}
	switch getter.Get().(type) {
	case bool:
		x.Value = wanted{x.Value, "true or false", true}
	case uint:
		x.Value = wanted{x.Value, "a whole number such as 0 or 16", false}
	}
}

// twoDashes respells the flag in an error of package flag as help spells it.
func twoDashes(message string) string {
	for _, before := range []string{"defined: -", "argument: -", "flag -", "for -"} {
		message = strings.Replace(message, before, before+"-", 1)
	}
	return message
}

func (f *flagSet) place(at *datadir.Place) {
	f.data(at)
	at.Vault = "main"
	f.set.Func("vault", "`NAME` of the vault", func(s string) error {
		if !engine.ValidName(s) {
			return errors.New("a vault's name is 1 to 40 lower-case letters, digits and dashes, and begins with no dash")
		}
		at.Vault = s
		return nil
	})
	f.set.Lookup("vault").DefValue = at.Vault
}

func (f *flagSet) data(at *datadir.Place) {
	f.set.StringVar(&at.Data, "data", "./strongroom-data", "data `DIRECTORY`")
	f.set.BoolVar(&at.NetworkFS, "allow-network-fs", false,
		"open vaults on a network file system, although neither locks nor\nfsync can be relied on there")
}

// bytesValue is a flag's size in bytes, written as 1048576, 64KiB, 1MB, 2GiB.
type bytesValue int64

// sizeUnits are the units a size may have, larger ones first.
var sizeUnits = []struct {
	name string
	size int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
}

func (b *bytesValue) String() string {
	for _, unit := range sizeUnits[:4] {
		if n := int64(*b); n != 0 && n%unit.size == 0 {
			return strconv.FormatInt(n/unit.size, 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(*b), 10)
}

// short is the size for a person: 12.3 MiB.
func (b bytesValue) short() string {
	for _, unit := range sizeUnits[:4] {
		if n := int64(b); n >= unit.size {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(unit.size), unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", b)
}

func (b *bytesValue) Set(s string) error {
	number, size := s, int64(1)
	for _, unit := range sizeUnits {
		if rest, ok := cutUnit(s, unit.name); ok {
			number, size = rest, unit.size
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/size {
		return fmt.Errorf("want a size above 0 such as 1048576, 64MiB or 1GB")
	}
	*b = bytesValue(n * size)
	return nil
}

// cutUnit cuts a unit, in any case, off the end of s.
func cutUnit(s, unit string) (string, bool) {
	at := len(s) - len(unit)
	if at < 0 || !strings.EqualFold(s[at:], unit) {
		return s, false
	}
	return s[:at], true
}

// listValue is a flag that may be given several times.
type listValue []string

func (l *listValue) String() string     { return strings.Join(*l, " ") }
func (l *listValue) Set(s string) error { *l = append(*l, s); return nil }

// givenValue is a flag's text, which may be empty and yet be given.
type givenValue struct {
	text  string
	given bool
}

func (g *givenValue) String() string     { return g.text }
func (g *givenValue) Set(s string) error { g.text, g.given = s, true; return nil }

// delimiterValue is the flag --delimiter; 0 stands for a comma.
type delimiterValue rune

func (d *delimiterValue) String() string { return "," }

func (d *delimiterValue) Set(s string) error {
	if s == "tab" {
		s = "\t"
	}
	sign, size := utf8.DecodeRuneInString(s)
	if size == 0 || size != len(s) || sign == utf8.RuneError || strings.ContainsRune("\"\r\n\x00", sign) {
		return errors.New("want one sign such as ';', or the word tab")
	}
	*d = delimiterValue(sign)
	return nil
}

// addressValue is the flag --public-url.
type addressValue string

func (a *addressValue) String() string { return string(*a) }

func (a *addressValue) Set(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
		u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#") {
		return errors.New("want an address that begins with https:// or http:// and ends with its host or a path, such as https://documents.example.com")
	}
	*a = addressValue(s)
	return nil
}

// rateValue is a flag's number of requests a second.
type rateValue float64

func (r *rateValue) String() string { return strconv.FormatFloat(float64(*r), 'g', -1, 64) }

func (r *rateValue) Set(s string) error {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0 && f <= 1e6) {
		return errors.New("want a number such as 50 or 0.5")
	}
	*r = rateValue(f)
	return nil
}
