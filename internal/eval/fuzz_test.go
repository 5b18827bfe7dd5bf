package eval

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzRead reads what may lie in a folder: whatever it is, every row that is read has a grade for each of its set's models.
func FuzzRead(f *testing.F) {
	f.Add(true, "prompt,a,b\nx,True,0.5\n")
	f.Add(true, "query,a|model_response,a,b\n\"x\ny\",1,1,0\n")
	f.Add(false, `{"prompt":"x","answers":{"a":{"text":"y","correct":true},"b":{"text":"z","score":0}}}`)
	f.Add(false, `{"question_id":1,"model":"a","score":3}`+"\n"+`{"question_id":1,"model":"b","score":4,"turns":["x"]}`)
	f.Add(false, `{"eval_prompt":"x"}`+"\n"+`{"model":"a","input_usd_per_1m":1}`)
	f.Fuzz(func(t *testing.T, table bool, text string) {
		kind := ".jsonl"
		if table {
			kind = ".csv"
		}
		path := filepath.Join(t.TempDir(), "data"+kind)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := Read(path)
		if err != nil {
			return
		}
		for _, s := range d.Sets {
			for _, r := range s.Rows {
				if len(s.Models) < 2 || len(r.Answers) != len(s.Models) {
					t.Fatalf("%d answers of %d models in %q", len(r.Answers), len(s.Models), text)
				}
			}
		}
	})
}
