package crash

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Len is how many moments there are: a cut is a number from 0 to Len, both included.
func (l *Log) Len() int { return len(l.events) }

// Printed gives the whole lines that the process had printed before a cut. What it was about to print counts: a reader
// may have seen it.
func (l *Log) Printed(cut int) []string {
	var all []byte
	for _, e := range l.events[:cut] {
		if e.kind == printed {
			all = append(all, e.data...)
		}
	}
	end := bytes.LastIndexByte(all, '\n')
	if end < 0 {
		return nil
	}
	return strings.Split(string(all[:end]), "\n")
}

// Prints gives the cuts just after a line was printed.
func (l *Log) Prints() []int {
	var cuts []int
	for i, e := range l.events {
		if e.kind == printed {
			cuts = append(cuts, i+1)
		}
	}
	return cuts
}

// Loss says what becomes of each change that was not synced.
type Loss func() Fate

// Fate is what a power cut does to one change.
type Fate uint8

// Fates.
const (
	Kept Fate = iota
	Dropped
	Torn // only the first sectors of a write reach the disk
)

// All drops everything that was not synced.
func All() Fate { return Dropped }

// Some drops a part (0..1) of what was not synced at random, and tears some of the rest.
func Some(r *rand.Rand, part float64) Loss {
	return func() Fate {
		switch x := r.Float64(); {
		case x < part:
			return Dropped
		case x < part+(1-part)/8:
			return Torn
		}
		return Kept
	}
}

// inode is a file as the disk has it, and the changes that were not synced.
type inode struct {
	disk   []byte
	latest []change
	named  bool // its name was synced
}

// change is an event's number and the event.
type change struct {
	at int
	event
}

// disk is a directory in the model: names as on disk and as the process saw them.
type disk struct {
	synced, seen map[string]*inode
	names        []change // creations, renames and removals that were not synced
	made         map[int]*inode
}

// Image builds the directory as a power cut after the first cut events could have left it, below dest. Files whose name
// skip reports are left out: those that hold nothing which must survive.
func (l *Log) Image(tb testing.TB, cut int, loss Loss, dest string, skip func(name string) bool) {
	tb.Helper()
	d := disk{synced: map[string]*inode{}, seen: map[string]*inode{}, made: map[int]*inode{}}
	for i, e := range l.events[:cut] {
		d.step(i, e)
	}
	for name, n := range d.crash(loss) {
		if skip(name) {
			continue
		}
		path := filepath.Join(dest, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, n.after(loss), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
}

func (d *disk) step(i int, e event) {
	switch e.kind {
	case create:
		if d.seen[e.path] == nil {
			n := &inode{}
			d.seen[e.path], d.made[i] = n, n
			d.names = append(d.names, change{i, e})
		}
	case write, truncate:
		if n := d.seen[e.path]; n != nil {
			n.latest = append(n.latest, change{i, e})
		}
	case rename:
		d.seen[e.to] = d.seen[e.path]
		delete(d.seen, e.path)
		d.names = append(d.names, change{i, e})
	case unlink:
		delete(d.seen, e.path)
		d.names = append(d.names, change{i, e})
	case sync:
		d.sync(e)
	case syncDir:
		d.names = d.apply(d.synced, d.names, e.from)
	}
}

// sync makes a file's changes durable that were made before the sync began, and its name.
func (d *disk) sync(e event) {
	n := d.seen[e.path]
	if n == nil {
		return
	}
	rest := n.latest[:0]
	for _, c := range n.latest {
		if c.at < e.from {
			n.apply(c.event, len(c.data))
		} else {
			rest = append(rest, c)
		}
	}
	n.latest = rest
	if !n.named {
		n.named = true
		d.synced[e.path] = n
		d.names = slices.DeleteFunc(d.names, func(c change) bool { return c.kind == create && d.made[c.at] == n })
	}
}

// apply makes the changes of names before an event, in order, and returns the others.
func (d *disk) apply(names map[string]*inode, changes []change, before int) (rest []change) {
	for _, c := range changes {
		if c.at >= before {
			rest = append(rest, c)
			continue
		}
		switch c.kind {
		case create:
			n := d.made[c.at]
			n.named = true
			names[c.path] = n
		case rename:
			if n := names[c.path]; n != nil {
				names[c.to] = n
			}
			delete(names, c.path)
		case unlink:
			delete(names, c.path)
		}
	}
	return rest
}

// crash gives the names that the disk has. Changes of names are journaled: they are lost from some point on, never in
// the middle.
func (d *disk) crash(loss Loss) map[string]*inode {
	kept := 0
	for kept < len(d.names) && loss() == Kept {
		kept++
	}
	if kept > 0 {
		d.apply(d.synced, d.names[:kept], d.names[kept-1].at+1)
	}
	return d.synced
}

// after gives a file's content with what survives of the changes that were not synced.
func (n *inode) after(loss Loss) []byte {
	for _, c := range n.latest {
		switch loss() {
		case Kept:
			n.apply(c.event, len(c.data))
		case Torn:
			const sector = 512
			n.apply(c.event, len(c.data)/2/sector*sector)
		}
	}
	return n.disk
}

// apply makes a change of the content; of a write only the first size bytes.
func (n *inode) apply(e event, size int) {
	end := e.off
	if e.kind == write {
		if size == 0 {
			return
		}
		end += int64(size)
	}
	if grow := end - int64(len(n.disk)); grow > 0 {
		n.disk = append(n.disk, make([]byte, grow)...)
	}
	if e.kind == truncate {
		n.disk = n.disk[:e.off]
		return
	}
	copy(n.disk[e.off:], e.data[:size])
}
