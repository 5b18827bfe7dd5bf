package demo

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/weirhq/weir/internal/finops/ledger"
)

// look is how often a kept demo looks for new calls to tell of.
const look = 300 * time.Millisecond

// keep stays up for the reader's own calls and tells one line a call, until ctx ends.
func (st *stage) keep(ctx context.Context) {
	w, url := st.o.Err, "http://"+st.server.API()
	fmt.Fprintf(w, `
the gateway stays up on %s until Ctrl-C. Try:

  export WEIR_KEY=%s
  curl -s %s/v1/chat/completions -H "authorization: Bearer $WEIR_KEY" -H "content-type: application/json" \
    -d '{"model":"procurement","messages":[{"role":"user","content":"Has Invoice #402 been approved?"}]}'

  from openai import OpenAI
  client = OpenAI(base_url="%s/v1", api_key="%s")
  print(client.chat.completions.create(model="procurement",
        messages=[{"role": "user", "content": "Has Invoice #402 been approved?"}]).choices[0].message.content)

`, url, st.key, url, url, st.key)
	since := time.Now()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			since = st.tell(ctx, since)
		}
	}
}

// tell prints the attempts booked since a time and returns the time to go on from.
func (st *stage) tell(ctx context.Context, since time.Time) time.Time {
	last := since
	err := st.server.Ledger().Scan(ctx, ledger.Window{Since: since}, func(e *ledger.Entry) error {
		a := &e.Attempt
		fmt.Fprintf(st.o.Err, "%s  %s #%d  layer %d %s  %s  %d in %d out  $%s  %s\n", e.Booked.Local().Format(time.TimeOnly),
			a.Facts.ID, a.N, a.Order.Target.Layer, a.Order.Target.Deployment, a.Verdict.Result, a.Usage.Prompt(),
			a.Usage.Completion(), a.Cost.Decimal(), strings.TrimSpace(a.Verdict.Check+" "+a.Verdict.Reason))
		last = e.Booked.Add(time.Millisecond)
		return nil
	})
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(st.o.Err, "weir demo: read the ledger: %v\n", err)
	}
	return last
}

// farewell says where the ledger is and what makes the table again.
func (st *stage) farewell() {
	fmt.Fprintf(st.o.Err, "\nthe ledger: %s\nthe same figures from it: %s usage --by use-case --dir %s\n",
		filepath.Join(st.data(), "ledger.db"), st.o.Program, st.data())
}
