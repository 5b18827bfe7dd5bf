package script

import (
	"fmt"
	"strings"
	"time"
)

// Cell is one thing that is tried: a script and how it is called.
type Cell struct {
	Name   string // what a reader calls it
	Script Script
}

// pause is long enough that a reader gets each step by itself.
const pause = 25 * time.Millisecond

// Cells are all scripts of a dialect: the answer alone, with every keep-alive at every place, and with every bad end.
func (d *Dialect) Cells() []Cell {
	cells := []Cell{{"the answer alone", Script{Steps: steps(d.frames())}}}
	for _, k := range d.KeepAlives {
		cells = append(cells, d.Alive(k)...)
	}
	return append(cells, d.Ends()...)
}

// Alive are the scripts with one form of keep-alive.
func (d *Dialect) Alive(k Form) (cells []Cell) {
	frames := d.frames()
	for _, times := range []int{1, 3} {
		name := k.Name
		if times > 1 {
			name = fmt.Sprintf("%s x%d", name, times)
		}
		cells = append(cells,
			Cell{name + ", before the first frame", Script{Steps: append(repeat(k.Bytes, times), steps(frames)...)}},
			Cell{name + ", between frames", Script{Steps: d.between(k.Bytes, times)}},
		)
	}
	return cells
}

// Ends are the answers that do not end well.
func (d *Dialect) Ends() (cells []Cell) {
	held := repeat(d.Safe, 2)
	begun := steps(append(append([]string(nil), d.Head...), d.Text[:2]...))
	for _, e := range d.Errors {
		last := Step{pause, e.Bytes}
		cells = append(cells,
			Cell{e.Name + ", after keep-alives", Script{Steps: append(held[:len(held):len(held)], last)}},
			Cell{e.Name + ", in the text", Script{Steps: append(begun[:len(begun):len(begun)], last)}},
		)
	}
	for _, cut := range []bool{true, false} {
		name := "the stream ends"
		if cut {
			name = "the connection breaks"
		}
		cells = append(cells,
			Cell{name + ", after keep-alives", Script{Steps: held, Cut: cut}},
			Cell{name + ", in the text", Script{Steps: begun, Cut: cut}},
		)
	}
	return cells
}

func (d *Dialect) frames() []string {
	return append(append(append([]string(nil), d.Head...), d.Text...), d.Tail...)
}

// between puts a keep-alive after every frame but the last.
func (d *Dialect) between(alive string, times int) (out []Step) {
	frames := d.frames()
	for i, f := range frames {
		out = append(out, Step{0, f})
		if i < len(frames)-1 {
			out = append(out, repeat(alive, times)...)
		}
	}
	return out
}

func steps(frames []string) []Step {
	out := make([]Step, len(frames))
	for i, f := range frames {
		out[i] = Step{0, f}
	}
	return out
}

func repeat(s string, times int) []Step {
	out := make([]Step, times)
	for i := range out {
		out[i] = Step{pause, s}
	}
	return out
}

// ID is the name as a part of a path.
func (c Cell) ID() string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, c.Name)
}
