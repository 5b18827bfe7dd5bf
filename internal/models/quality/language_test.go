package quality

import (
	_ "embed"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

//go:embed testdata/answers.txt
var samples string

// answers are what an assistant might say of an invoice, in every language that is told.
var answers = func() map[string]string {
	of := map[string]string{}
	for line := range strings.Lines(samples) {
		language, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		of[language] = text
	}
	return of
}()

func TestEveryLanguageIsTold(t *testing.T) {
	if len(answers) != len(Languages) {
		t.Errorf("%d samples of %d languages", len(answers), len(Languages))
	}
	for _, want := range Languages {
		if got := Language(answers[want]); got != want {
			t.Errorf("%s is taken for %s", want, got)
		}
		if got := Language(strings.Repeat(answers[want]+" ", 200)); got != want {
			t.Errorf("a long text: %s is taken for %s", want, got)
		}
	}
}

// TestTheBeginningOfATextIsNeverTakenForAnotherLanguage goes over every beginning of every sample.
func TestTheBeginningOfATextIsNeverTakenForAnotherLanguage(t *testing.T) {
	for want, text := range answers {
		for end := range text {
			got := Language(text[:end])
			if got != want && got != Undetermined && (want != "ja" || got != "zh") {
				t.Errorf("%q is taken for %s", text[:end], got)
			}
		}
	}
}

func TestWhatIsNoProseIsUndetermined(t *testing.T) {
	for _, text := range []string{
		"", "42", "OK", "Invoice 4711", "...", "\xff\xfe\xfd", strings.Repeat("9", 5000), strings.Repeat("x", 5000),
		`{"invoice_id":"INV-1","is_paid":true,"the_total":12.5,"on_hold":false,"items":[{"sku":"a"},{"sku":"b"}]}`,
		"func main() {\n\tfor i := range 10 {\n\t\tfmt.Println(i)\n\t}\n}\nfunc add(a, b int) int { return a + b }",
		"SELECT id, total FROM invoices JOIN orders USING (id) ORDER BY total DESC LIMIT 10",
		"Berlin, Paris, Madrid, Roma, Wien, Praha, Warszawa, Budapest, Lisboa, Athen",
		answers["de"] + answers["ru"] + answers["el"] + answers["ko"],
	} {
		if got := Language(text); got != Undetermined {
			t.Errorf("%.60q is taken for %s", text, got)
		}
	}
}

func TestProseAroundDataIsTold(t *testing.T) {
	text := "Here is the result that you asked for, and it is what I have from the list:\n```json\n{\"id\":1,\"is_paid\":true}\n```\n" +
		"If this is not what you were looking for, let me know which of the items you would like to see."
	if got := Language(text); got != "en" {
		t.Errorf("taken for %s", got)
	}
}

func TestAnyTextHasALanguageOrNone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text") + string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		if got := Language(text); got != Undetermined && answers[got] == "" {
			t.Fatalf("%q is of %q", text, got)
		}
		if got := Language("x" + strings.Repeat("é", rapid.IntRange(500, 520).Draw(t, "letters"))); got != Undetermined {
			t.Fatalf("cut within a letter: %s", got)
		}
	})
}

// BenchmarkLanguage is a text longer than what is looked at: the bound of what an answer costs.
func BenchmarkLanguage(b *testing.B) {
	for _, name := range []string{"de", "ru", "ja"} {
		text := strings.Repeat(answers[name]+" ", 20)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if Language(text) != name {
					b.Fatal(Language(text))
				}
			}
		})
	}
}
