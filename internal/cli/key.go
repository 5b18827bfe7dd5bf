package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirhq/weir/internal/config"
	"github.com/weirhq/weir/internal/governance/identity"
	"github.com/weirhq/weir/internal/server"
	"github.com/weirhq/weir/internal/store/sqlite"
)

func (a *app) key() *cobra.Command {
	return group(&cobra.Command{
		Use:   "key",
		Short: "Create, list and revoke the keys that clients call with",
		Long: `Keys live in the storage folder; a running server takes new ones and drops revoked ones within a second.
A key's secret is shown once, when it is created.`,
		Example: `  weir key create --name ap-agent --team finance --use-case invoice-status
  weir key list --json
  weir key revoke k7d2q5xh3mba`,
	}, a.keyCreate(), a.keyList(), a.keyRevoke())
}

// storageHint is what to do about a storage folder that cannot be made.
const storageHint = "storage.dir in weir.yaml must be a folder that weir may write; weir check --schema tells its form"

// keyring opens the keys of the configured storage folder.
func (a *app) keyring() (*identity.Keyring, *config.Config, func() error, error) {
	c, err := a.read()
	if err != nil {
		return nil, nil, nil, err
	}
	if err := os.MkdirAll(c.Storage.Dir, 0o700); err != nil {
		return nil, nil, nil, &hinted{fmt.Errorf("make the storage folder: %w", err), storageHint}
	}
	keys, err := sqlite.OpenKeys(c.Storage.Dir)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("open the keys in %s: %w", c.Storage.Dir, err)
	}
	pepper, err := identity.Pepper(filepath.Join(c.Storage.Dir, "key.pepper"), rand.Reader)
	if err != nil {
		return nil, nil, nil, errors.Join(err, keys.Close())
	}
	ring, err := identity.NewKeyring(keys, pepper)
	if err != nil {
		return nil, nil, nil, errors.Join(err, keys.Close())
	}
	return ring, c, keys.Close, nil
}

func (a *app) keyCreate() *cobra.Command {
	var k identity.Key
	c := &cobra.Command{
		Use: "create", Short: "Create a key and print its secret once", Args: exact(0, "no arguments"),
		Example: `  weir key create --name ap-agent --team finance --use-case invoice-status
  weir key create --name audit --route procurement --floor internal --json`,
		RunE: func(*cobra.Command, []string) (err error) {
			ring, conf, closeDB, err := a.keyring()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, closeDB()) }()
			if err := server.Known(conf, k); err != nil {
				return err
			}
			secret, err := ring.Create(k, rand.Reader, time.Now())
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]string{"id": identity.IDOf(secret), "key": secret})
			}
			_, err = fmt.Fprintf(a.Out, "%s\n", secret)
			fmt.Fprintln(a.Err, "this is shown only now; hand it to the client as its API key")
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&k.Name, "name", "", "what the key is for, in words")
	f.StringVar(&k.Team, "team", "", "team that the key's calls belong to")
	f.StringVar(&k.UseCase, "use-case", "", "use case of the key's calls (of use_cases in weir.yaml)")
	f.StringSliceVar(&k.Routes, "route", nil, "route that the key may ask for; repeat for more; none = all")
	f.StringVar(&k.Floor, "floor", "", "lowest data class of the key's calls")
	f.BoolVar(&k.RawContext, "raw-context", false, "may name a deployment that takes only briefs directly")
	f.BoolVar(&a.json, "json", false, "as JSON")
	return c
}

// keyRow is one key as it is shown.
type keyRow struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Team    string     `json:"team"`
	UseCase string     `json:"use_case"`
	Routes  []string   `json:"routes"`
	Floor   string     `json:"floor"`
	Created time.Time  `json:"created"`
	Revoked *time.Time `json:"revoked,omitzero"`
}

func (a *app) keyList() *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "List the keys, without secrets", Example: "  weir key list --json",
		Args: exact(0, "no arguments"),
		RunE: func(*cobra.Command, []string) (err error) {
			ring, _, closeDB, err := a.keyring()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, closeDB()) }()
			keys := ring.List()
			rows := make([]keyRow, 0, len(keys))
			for _, k := range keys {
				row := keyRow{
					ID: k.ID, Name: k.Name, Team: k.Team, UseCase: k.UseCase, Routes: k.Routes, Floor: k.Floor, Created: k.Created,
				}
				if !k.Revoked.IsZero() {
					row.Revoked = &k.Revoked
				}
				rows = append(rows, row)
			}
			if a.json {
				return a.printJSON(rows)
			}
			w := tabwriter.NewWriter(a.Out, 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tNAME\tTEAM\tUSE CASE\tROUTES\tFLOOR\tCREATED\tSTATE")
			for _, r := range rows {
				state := "in force"
				if r.Revoked != nil {
					state = "revoked " + r.Revoked.Format(time.DateTime)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Name, r.Team, r.UseCase, strings.Join(r.Routes, ","),
					r.Floor, r.Created.Format(time.DateTime), state)
			}
			return w.Flush()
		},
	}
	c.Flags().BoolVar(&a.json, "json", false, "as JSON")
	return c
}

func (a *app) keyRevoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "Revoke a key; calls with it stop within a second",
		Args:    exact(1, "the id of a key (weir key list)"),
		Example: "  weir key revoke k7d2q5xh3mba",
		RunE: func(_ *cobra.Command, args []string) (err error) {
			if strings.HasPrefix(args[0], "wr_") { // not repeated: it may be the whole key
				return &usageError{
					errors.New("that is a key, not its id: the id is what stands between wr_ and the next _"),
					"weir key revoke",
				}
			}
			ring, _, closeDB, err := a.keyring()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, closeDB()) }()
			if err := ring.Revoke(args[0], time.Now()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.Out, "revoked %s\n", args[0])
			return err
		},
	}
}
