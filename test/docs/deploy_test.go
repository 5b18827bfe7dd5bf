package docs_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/weirhq/weir/internal/config"
)

// object is what of a Kubernetes object is looked at.
type object struct {
	Kind string            `yaml:"kind"`
	Data map[string]string `yaml:"data"`
	Spec struct {
		Template struct {
			Spec struct {
				Grace      int64 `yaml:"terminationGracePeriodSeconds"`
				Containers []struct {
					Lifecycle struct {
						PreStop struct {
							Sleep struct {
								Seconds int64 `yaml:"seconds"`
							} `yaml:"sleep"`
						} `yaml:"preStop"`
					} `yaml:"lifecycle"`
				} `yaml:"containers"`
			} `yaml:"spec"`
		} `yaml:"template"`
	} `yaml:"spec"`
}

func manifest(t *testing.T) map[string]object {
	t.Helper()
	all := map[string]object{}
	d := yaml.NewDecoder(strings.NewReader(read(t, "deploy/kubernetes.yaml")))
	for {
		var o object
		err := d.Decode(&o)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all[o.Kind] = o
	}
}

// flush is how long a stopped weir may take to bring its ledger to disk after limits.drain.
const flush = 10 * time.Second

// A pod is out of its endpoints before it closes its port, and is not killed before it has drained.
func TestAPodHasTimeToStop(t *testing.T) {
	all := manifest(t)
	path := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(path, []byte(all["ConfigMap"].Data["weir.yaml"]), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	pod := all["Deployment"].Spec.Template.Spec
	if len(pod.Containers) != 1 {
		t.Fatalf("%d containers", len(pod.Containers))
	}
	pause := time.Duration(pod.Containers[0].Lifecycle.PreStop.Sleep.Seconds) * time.Second
	if pause < 3*time.Second {
		t.Errorf("the pause before the stop is %v: endpoints are not forgotten that fast", pause)
	}
	if grace := time.Duration(pod.Grace) * time.Second; grace < pause+c.Limits.Drain+flush {
		t.Errorf("the pod is killed after %v; pause %v, drain %v and flush %v take longer", grace, pause, c.Limits.Drain, flush)
	}
}
