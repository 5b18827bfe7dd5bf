package eval

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Answer is what one model answered to a question, and how good that was.
type Answer struct {
	Text  string
	Said  bool    // the text is recorded
	Grade float64 // right = 1, wrong = 0, or a score of the recording's own scale
}

// Row is one question with the recorded answers of several models.
type Row struct {
	Prompt  string
	Answers map[string]Answer // by model, as the recording names it
}

// Set is the rows of one folder that record the same models.
type Set struct {
	Name   string
	Files  []string
	Models []string // sorted
	Rows   []Row
	Left   map[string]int // rows that are left out, by reason
}

// Reasons for leaving a row out.
const (
	contaminated = "on a list of prompts to leave out"
	incomplete   = "without a question, or without a grade for each of the models"
	doubled      = "asked twice with answers"
	otherPart    = "in the part that was not asked for"
)

// Price is what a model costs, in US dollars per 1M tokens, as the data says it.
type Price struct{ Input, Output string }

// Data is what lies in a folder.
type Data struct {
	Sets   []Set
	Prices map[string]Price
	// Not are the files that hold no recorded answers, each with what was seen in it.
	Not []string
}

// maxFile bounds one file, in bytes.
const maxFile = 1 << 30

// Read reads every CSV file and every file of JSON lines, or of one list of JSON objects, below a folder; or one such file.
func Read(path string) (*Data, error) {
	r := reader{data: &Data{Prices: map[string]Price{}}, groups: map[string]*group{}}
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return r.file(path, p)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the recorded answers: %w", err)
	}
	r.join()
	if len(r.data.Sets) == 0 {
		return nil, fmt.Errorf("%s holds no recorded answers of two or more models%s", path, seen(r.data.Not))
	}
	return r.data, nil
}

// seen tells what was found in place of answers.
func seen(not []string) string {
	if len(not) == 0 {
		return ""
	}
	const most = 3
	text := ": " + strings.Join(not[:min(len(not), most)], "; ")
	if len(not) > most {
		text += fmt.Sprintf("; and %d more", len(not)-most)
	}
	return text
}

// reader gathers rows file by file.
type reader struct {
	data   *Data
	groups map[string]*group // by folder and models
	order  []string
	long   []long // rows of one model each
	wide   []Row  // rows of several models, of the file that is being read
	turns  map[string]string
	banned map[string]bool
}

// group is rows that belong together.
type group struct {
	folder string
	files  []string
	rows   []Row
	models []string
}

// long is a row that tells of one model.
type long struct {
	folder, file, key, model string
	answer                   Answer
}

// file reads one file if its kind is known.
func (r *reader) file(root, path string) error {
	name, err := filepath.Rel(root, path)
	if err != nil || name == "." {
		name = filepath.Base(path)
	}
	read := map[string]func(*reader, string, string, *os.File) error{
		".csv": (*reader).csv, ".jsonl": (*reader).lines, ".ndjson": (*reader).lines, ".json": (*reader).list,
	}[strings.ToLower(filepath.Ext(path))]
	switch ext := filepath.Ext(path); {
	case read != nil:
	case ext == "" || ext == ".md" || ext == ".txt": // licences, notes
		return nil
	default:
		r.not(name, "neither CSV nor JSON lines")
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case info.Size() > maxFile:
		r.not(name, "larger than 1 GiB")
		return nil
	}
	if err := read(r, folderOf(root, path), name, f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// folderOf names the folder of a file: by its place below the root, or by the root's own name.
func folderOf(root, path string) string {
	dir := filepath.Dir(path)
	if rel, err := filepath.Rel(root, dir); err == nil && rel != "." && !strings.HasPrefix(rel, "..") {
		return filepath.ToSlash(rel)
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return filepath.Base(dir)
}

func (r *reader) not(file, why string) { r.data.Not = append(r.data.Not, file+": "+why) }

// ban leaves a prompt out of every set.
func (r *reader) ban(prompt string) {
	if r.banned == nil {
		r.banned = map[string]bool{}
	}
	r.banned[prompt] = true
}

// add puts rows of the same models into one group a folder.
func (r *reader) add(folder, file string, models []string, rows []Row) {
	slices.Sort(models)
	key := folder + "\x00" + strings.Join(models, "\x00")
	g := r.groups[key]
	if g == nil {
		g = &group{folder: folder, models: models}
		r.groups[key] = g
		r.order = append(r.order, key)
	}
	if !slices.Contains(g.files, file) {
		g.files = append(g.files, file)
	}
	g.rows = append(g.rows, rows...)
}

// join makes sets of what was gathered.
func (r *reader) join() {
	r.joinLong()
	byFolder := map[string]int{}
	for _, key := range r.order {
		byFolder[r.groups[key].folder]++
	}
	for _, key := range r.order {
		g := r.groups[key]
		s := Set{Name: g.folder, Files: g.files, Models: g.models, Left: map[string]int{}}
		if byFolder[g.folder] > 1 {
			s.Name += "/" + strings.TrimSuffix(filepath.Base(g.files[0]), filepath.Ext(g.files[0]))
		}
		for _, row := range g.rows {
			switch {
			case r.banned[row.Prompt]:
				s.Left[contaminated]++
			case len(row.Answers) < len(g.models):
				s.Left[incomplete]++
			default:
				s.Rows = append(s.Rows, row)
			}
		}
		r.data.Sets = append(r.data.Sets, s)
	}
	slices.SortFunc(r.data.Sets, func(a, b Set) int { return cmp.Compare(a.Name, b.Name) })
	slices.Sort(r.data.Not)
}

// joinLong joins rows that tell of one model each by their question, folder by folder.
func (r *reader) joinLong() {
	type question struct {
		prompt string
		grades map[string][]Answer
	}
	folders := map[string]map[string]*question{}
	var order [][2]string
	models, files := map[string][]string{}, map[string][]string{}
	for _, l := range r.long {
		prompt := l.key
		if text, ok := r.turns[l.folder+"\x00"+l.key]; ok {
			prompt = text
		}
		if folders[l.folder] == nil {
			folders[l.folder] = map[string]*question{}
		}
		q := folders[l.folder][l.key]
		if q == nil {
			q = &question{prompt: prompt, grades: map[string][]Answer{}}
			folders[l.folder][l.key] = q
			order = append(order, [2]string{l.folder, l.key})
		}
		q.grades[l.model] = append(q.grades[l.model], l.answer)
		if !slices.Contains(models[l.folder], l.model) {
			models[l.folder] = append(models[l.folder], l.model)
		}
		if !slices.Contains(files[l.folder], l.file) {
			files[l.folder] = append(files[l.folder], l.file)
		}
	}
	for folder, names := range models {
		if len(names) < 2 {
			r.not(strings.Join(files[folder], ", "), "answers of one model only, "+names[0])
		}
	}
	for _, at := range order {
		folder := at[0]
		if len(models[folder]) < 2 {
			continue
		}
		q := folders[folder][at[1]]
		row := Row{Prompt: q.prompt, Answers: map[string]Answer{}}
		for model, all := range q.grades {
			row.Answers[model] = mean(all)
		}
		for _, file := range files[folder] {
			r.add(folder, file, models[folder], nil)
		}
		r.add(folder, files[folder][0], models[folder], []Row{row})
	}
}

// mean is one answer of several gradings: the mean of the grades, and the text where there is one answer only.
func mean(all []Answer) Answer {
	a := all[0]
	for _, b := range all[1:] {
		a.Grade += b.Grade
		a.Said = false
	}
	a.Grade /= float64(len(all))
	return a
}
