package cli

import (
	"fmt"
	"slices"
	"strings"

	"strongroom/engine"
	"strongroom/httpapi/daemon"
)

// logFlags say what the logs are called, and whose stand open.
type logFlags struct {
	origin  originValue
	public  vaultsValue
	entries bool
	mldsa   bool
}

func (f *flagSet) logs(o *logFlags) {
	f.set.Var(&o.origin, "origin", "`NAME` of this server's logs in what they sign, such as\nvault.example.com/log: a log is called that, a slash and its vault's name;\nwithout it, strongroom/ and the vault's id; another name is another key")
	f.set.Var(&o.public, "public-log", "`VAULT,...` whose log anybody may follow at /log/VAULT/: its checkpoint\nand the hashes of its tree, which tell how much is done and nothing of what")
	f.set.BoolVar(&o.mldsa, "mldsa", false, "keep a second key beside sign.key, mldsa.key, and sign checkpoints by it\ntoo: ML-DSA-44, which no quantum computer is known to break, and 3.3 KB")
	f.set.BoolVar(&o.entries, "public-entries", false, "open the lines of these logs too: they name no person, but whoever reads\nthem can test whether a vault keeps a file that he has")
}

func (o *logFlags) apply(to *daemon.Options) error {
	if o.entries && len(o.public) == 0 {
		return usagef("--public-entries is about logs that stand open: give --public-log too")
	}
	to.Place.MLDSA = o.mldsa
	to.Place.Origin, to.PublicLogs, to.PublicEntries = string(o.origin), o.public, o.entries
	return nil
}

// originValue is the flag --origin.
type originValue string

func (v *originValue) String() string { return string(*v) }

func (v *originValue) Set(s string) error {
	// 41 for a slash and the name of a vault.
	if !engine.ValidOrigin(s+"/"+strings.Repeat("a", 40)) || strings.HasSuffix(s, "/") {
		return fmt.Errorf("want letters, digits and . _ ~ / : - , such as vault.example.com/log")
	}
	*v = originValue(s)
	return nil
}

// vaultsValue is a flag with names of vaults.
type vaultsValue []string

func (v *vaultsValue) String() string { return strings.Join(*v, ",") }

func (v *vaultsValue) Set(s string) error {
	var names []string
	for name := range strings.SplitSeq(s, ",") {
		name = strings.TrimSpace(name)
		if !engine.ValidName(name) || slices.Contains(names, name) {
			return fmt.Errorf("want names of vaults, such as main,sales")
		}
		names = append(names, name)
	}
	*v = names
	return nil
}
