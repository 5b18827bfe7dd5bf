package eval

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/weirhq/weir/internal/config"
)

// layout is the configuration that is played: the weak model first, and its answer goes out when the doubt about it is
// small; else the strong one answers.
const layout = `# The configuration of weir eval: two recorded models, the dearer one asked only when the other is doubted.
version: 1
listen: {api: 127.0.0.1:0, admin: 127.0.0.1:0}
storage: {dir: data}
models:
  weak:   {vendor: recorded, tier: edge, window: 4000000, max_output: 1000000, price: {input: %s, output: %s}}
  strong: {vendor: recorded, tier: frontier, window: 4000000, max_output: 1000000, price: {input: %s, output: %s}}
providers:
  recorded: {preset: openai, key: env:WEIR_EVAL_KEY, url: "http://%s/openai/v1"}
deployments:
  weak:   {model: weak, provider: recorded, wire_id: %s}
  strong: {model: strong, provider: recorded, wire_id: %s}
checks:
  doubt: {doubt: %d%%}
routes:
  cascade:
    layers:
      - {name: weak, use: [weak], checks: [doubt]}
      - {name: strong, use: [strong]}
  strong-alone: {layers: [{name: strong, use: [strong]}]}
data: {unlabelled: public, may_reach: {public: any}}
`

// nowhere is the provider's address where no HTTP is spoken.
const nowhere = "127.0.0.1:9"

// configure writes the configuration into a folder and reads it as serve would.
func (o Options) configure(p *pair, dir, providers string) (*config.Config, error) {
	var prices [4]string
	for i, price := range p.prices {
		prices[2*i], prices[2*i+1] = "0", "0" // the result tells no cost then
		if price != nil {
			prices[2*i], prices[2*i+1] = price.Input, price.Output
		}
	}
	text := fmt.Sprintf(layout, prices[0], prices[1], prices[2], prices[3], providers, strconv.Quote(p.names[0]),
		strconv.Quote(p.names[1]), o.Limit)
	path := filepath.Join(dir, "weir.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return config.Load(path, func(name string) (string, bool) {
		return "recorded-provider-key", name == "WEIR_EVAL_KEY"
	})
}

// player sets up what answers: the cascade in process, or a gateway before a simulator.
func (o Options) player(ctx context.Context, p *pair, v variants) (player, error) {
	dir, remove := o.Dir, func() error { return nil }
	var err error
	if dir == "" {
		dir, err = os.MkdirTemp("", "weir-eval-")
		remove = func() error { return os.RemoveAll(dir) }
	} else {
		dir = filepath.Join(dir, filepath.FromSlash(p.set.Name))
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("make a folder for the evaluation: %w", err)
	}
	var player player
	if o.Wire {
		player, err = o.serve(ctx, p, v, dir, remove)
	} else {
		player, err = o.offline(p, dir, remove)
	}
	if err != nil {
		return nil, errors.Join(err, remove())
	}
	return player, nil
}
