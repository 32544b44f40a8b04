package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"strongroom/engine"
	"strongroom/httpapi/control"
	"strongroom/httpapi/daemon"
	"strongroom/httpapi/datadir"
)

func (p *Program) doctorCommand() command {
	return command{
		name:    "doctor",
		summary: "look at what the vaults stand on: disk, syncs, space, clock, bytes",
		about: `Looks, for every vault of the data directory, at its file system, at whether a
sync takes as long as one that reaches a disk must, at free space, the clock, the
free pages of the database, how long ago its files were last read whole, and who can
read it. Each line begins with ok, warn or error, or is a JSON object with --json.
Exit status 1 says that there is an error.

Works on vaults at rest and, through the control socket, on those a server
serves. A doctor looks and treats nothing: ` + "`strongroom verify --bytes`" + ` proves what a
vault holds.

With --store it also tries the store in which the vaults live, by some objects that it
puts and removes: a bucket that keeps versions, and a store that does not keep
conditions, are errors. With --store-lock too, an object is locked for a minute in that
bucket, and a store that deletes it nonetheless is an error.

With --systemd it looks at no vault and prints the unit file of this version, for
/etc/systemd/system/strongroom.service.`,
		example: `strongroom doctor`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			var unit bool
			var o storeFlags
			f.data(&at)
			f.store(&o)
			asJSON := f.asJSON()
			f.set.BoolVar(&unit, "systemd", false, "print the systemd unit of a server, and do nothing else")
			return func(ctx context.Context, _ []string) error {
				if unit {
					_, err := io.WriteString(p.Stdout, p.SystemdUnit)
					return err
				}
				return p.doctor(ctx, at, o, *asJSON)
			}
		},
	}
}

func (p *Program) doctor(ctx context.Context, at datadir.Place, o storeFlags, asJSON bool) error {
	store, err := o.open(p.Env, true)
	if err != nil {
		return err
	}
	names, err := datadir.Vaults(at.Data)
	if err != nil {
		return err
	}
	if len(names) == 0 && store == nil {
		return fmt.Errorf("there is no vault under %s", at.Data)
	}
	wrong := 0
	if store != nil {
		wrong += p.tell(store.Address, examineStore(ctx, store), asJSON)
	}
	if len(names) > 0 {
		wrong += p.tell(at.Data, examineData(at.Data), asJSON)
	}
	for _, name := range names {
		at.Vault = name
		var list []control.Diagnosis
		err := withVault(ctx, at, func(line *control.Client) (err error) { list, err = line.Examine(ctx); return err })
		if err != nil {
			list = append(list, control.Diagnosis{Level: engine.LevelError, What: "vault", Says: err.Error()})
		}
		wrong += p.tell(name, list, asJSON)
	}
	switch {
	case wrong == 1:
		return errors.New("1 error")
	case wrong > 1:
		return fmt.Errorf("%d errors", wrong)
	}
	return nil
}

// tell prints diagnoses and counts the errors among them.
func (p *Program) tell(of string, list []control.Diagnosis, asJSON bool) (wrong int) {
	for _, d := range list {
		if d.Level == engine.LevelError {
			wrong++
		}
		if asJSON {
			p.writeJSON(struct {
				Of string `json:"of"`
				control.Diagnosis
			}{of, d})
			continue
		}
		fmt.Fprintf(p.Stdout, "%-5s  %s: %s: %s\n", d.Level, of, d.What, plain(d.Says))
	}
	return wrong
}

// examineStore tries whether a store keeps what a vault needs of it.
func examineStore(ctx context.Context, store *daemon.Store) []control.Diagnosis {
	d := control.Diagnosis{Level: engine.LevelOK, What: "store", Says: "of 32 conditional puts at once one won, what is written is read, and no versions are kept"}
	if err := store.Check(ctx); err != nil {
		d.Level, d.Says = engine.LevelError, err.Error()
		return []control.Diagnosis{d}
	}
	list := []control.Diagnosis{d}
	if store.Locks != nil {
		list = append(list, control.Diagnosis{Level: engine.LevelOK, What: "locks",
			Says: "the bucket " + store.LockBucket + " did not delete what was held, nor what was retained for a minute; the object of this trial stays for that minute, and the next trial removes it"})
	}
	names, err := store.Vaults(ctx)
	v := control.Diagnosis{Level: engine.LevelOK, What: "vaults", Says: "none yet"}
	switch {
	case err != nil:
		v.Level, v.Says = engine.LevelError, err.Error()
	case len(names) > 0:
		v.Says = strings.Join(names, ", ")
	}
	if store.Key == nil {
		list = append(list, control.Diagnosis{Level: engine.LevelWarn, What: "key", Says: "there is no --store-key: the keys of the vaults are on this disk alone, and no second server can serve them"})
	}
	return append(list, v)
}

func examineData(data string) []control.Diagnosis {
	d := control.Diagnosis{Level: engine.LevelOK, What: "permissions", Says: "only this user can look into it"}
	info, err := os.Stat(data)
	switch {
	case err != nil:
		d.Level, d.Says = engine.LevelError, err.Error()
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		d.Level, d.Says = engine.LevelWarn, fmt.Sprintf("others can look into it (%v): chmod go-rwx it", info.Mode().Perm())
	}
	return append([]control.Diagnosis{d}, examineReader(data)...)
}

// examineReader says what reads PDFs: as the server found when it was started, which
// may be forbidden more than this process is.
func examineReader(data string) []control.Diagnosis {
	d := control.Diagnosis{Level: engine.LevelOK, What: "pdf"}
	runs, err := daemon.PDFRuns(data)
	switch {
	case err != nil:
		d.Level, d.Says = engine.LevelWarn, err.Error()
	case runs == "":
		return nil
	default:
		d.Says = "the server reads PDFs by " + runs
	}
	return []control.Diagnosis{d}
}
