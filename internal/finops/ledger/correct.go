package ledger

import (
	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/finops/money"
	"github.com/weirhq/weir/internal/llm"
)

// correction is the row of the difference between what was booked and what is known now.
func correction(was, is call.Attempt) Entry {
	d := is
	d.Facts, d.N, d.Budget = was.Facts, was.N, was.Budget
	d.Usage = is.Usage.Add(negated(was.Usage))
	d.Cost = is.Cost - was.Cost
	d.Baseline = is.Baseline - was.Baseline
	d.Held = 0
	d.Output = call.Output{} // the attempt's own row tells it
	d.Lines = make([]money.Line, 0, len(was.Lines)+len(is.Lines))
	for _, l := range was.Lines {
		d.Lines = append(d.Lines, money.Line{Meter: l.Meter, Units: -l.Units, Rate: l.Rate, Amount: -l.Amount})
	}
	if was.Settlement == call.Presumed && len(was.Lines) == 0 {
		d.Lines = append(d.Lines, money.Line{Meter: PresumedMeter, Amount: -was.Cost})
	}
	d.Lines = append(d.Lines, is.Lines...)
	return Entry{Corrects: was.Settlement, Attempt: d}
}

// PresumedMeter is the line of a correction that takes a presumed amount back: no provider metered it.
const PresumedMeter money.Meter = "presumed"

func negated(u llm.Usage) llm.Usage {
	return llm.Usage{
		Input: -u.Input, CacheRead: -u.CacheRead, CacheWrite5m: -u.CacheWrite5m, CacheWrite1h: -u.CacheWrite1h,
		Output: -u.Output, Reasoning: -u.Reasoning,
	}
}

// apply folds a correction into the attempt that it corrects.
func (e *Entry) apply(a *call.Attempt) {
	d := &e.Attempt
	a.Usage = a.Usage.Add(d.Usage)
	a.Lines = append(a.Lines[:len(a.Lines):len(a.Lines)], d.Lines...)
	a.Cost += d.Cost
	a.Baseline += d.Baseline
	a.Settlement = d.Settlement
	a.PriceRow = d.PriceRow
}
