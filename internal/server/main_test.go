package server_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// together is how many tests run at once where the command line does not say: most wait for a pause of a provider, a
// retry or a drain, so there may be more of them than processors.
const together = "8"

func TestMain(m *testing.M) {
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if !said {
		if err := flag.Set("test.parallel", together); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}
