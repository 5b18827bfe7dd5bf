package compress

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/llm"
)

func say(role llm.Role, texts ...string) llm.Message {
	m := llm.Message{Role: role}
	for _, t := range texts {
		m.Parts = append(m.Parts, llm.Part{Text: t})
	}
	return m
}

func toolUse(id, name, args string) llm.Message {
	return llm.Message{Role: llm.Assistant, Parts: []llm.Part{
		{Kind: llm.ToolUse, Tool: &llm.ToolCall{ID: id, Name: name, Args: []byte(args)}},
	}}
}

func toolResult(id, text string) llm.Message {
	return llm.Message{Role: llm.User, Parts: []llm.Part{
		{Kind: llm.ToolResult, Result: &llm.ToolAnswer{ID: id, Content: []llm.Part{{Text: text}}}},
	}}
}

// filler is n lines of prose about nothing that the tests ask.
func filler(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "The weather in the harbour was calm on watch %d and the crew painted the railing. ", i)
		if i%5 == 4 {
			b.WriteString("\n\n")
		}
	}
	return b.String()
}

func TestShortHistoryGoesWhole(t *testing.T) {
	req := &llm.Request{
		Model: "m", System: []llm.Part{{Text: "Be brief."}}, MaxOutput: 99,
		Messages: []llm.Message{
			say(llm.User, "Invoice INV-402 over $1,250.00 must not be paid before 2026-12-01."),
			say(llm.Assistant, "Noted."),
			say(llm.User, "Has it been approved?"),
		},
	}
	b, err := Extract(req, Options{Failure: "the answer is empty"})
	if err != nil {
		t.Fatal(err)
	}
	want := []llm.Message{{Role: llm.User, Parts: []llm.Part{
		{Text: Header + "\n[user] Invoice INV-402 over $1,250.00 must not be paid before 2026-12-01.\n[assistant] Noted." + between},
		{Text: "A previous attempt was rejected: the answer is empty" + between},
		{Text: "Has it been approved?"},
	}}}
	got := b.Request()
	if diff := cmp.Diff(want, got.Messages); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if got.MaxOutput != 99 || got.System[0].Text != "Be brief." || got.Model != "m" {
		t.Errorf("the rest of the request changed: %+v", got)
	}
	f := b.Fidelity()
	if f.Pinned != 4 || f.Kept != 4 || f.Invented != 0 || f.BriefTokens != f.SourceTokens {
		t.Errorf("fidelity %+v, want 4 of 4 pinned (id, amount, date, obligation) at ratio 1", f)
	}
	if f.BriefSHA != sha256.Sum256([]byte(b.Text())) {
		t.Error("the hash is of another text")
	}
	if len(req.Messages) != 3 {
		t.Error("the caller's request was changed")
	}
}

func TestQuestionAloneIsABrief(t *testing.T) {
	req := &llm.Request{Messages: []llm.Message{say(llm.User, "What is 2 + 2?")}}
	b, err := Extract(req, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(req.Messages, b.Request().Messages); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if b.Text() != "What is 2 + 2?" {
		t.Errorf("text %q", b.Text())
	}
}

func TestNothingToBrief(t *testing.T) {
	for name, req := range map[string]*llm.Request{
		"nil": nil, "empty": {}, "system only": {System: []llm.Part{{Text: "x"}}},
	} {
		_, err := Extract(req, Options{})
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeUnaccepted {
			t.Errorf("%s: error %v, want code %s", name, err, llm.CodeUnaccepted)
		}
	}
}

func TestLongHistoryKeepsWhatTheQuestionNeeds(t *testing.T) {
	req := &llm.Request{Messages: []llm.Message{
		say(llm.User, "Never release payments above EUR 50,000 without two approvals."),
		say(llm.Assistant, filler(40)),
		say(llm.User,
			filler(60)+"Invoice INV-402 from Acme is for $18,400.50 and was received on March 3, 2026. "+filler(60)),
		say(llm.Assistant, "I have read it."),
		say(llm.User, "Has Invoice INV-402 been approved?"),
	}}
	b, err := Extract(req, Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := b.Fidelity()
	if f.BriefTokens*3 > f.SourceTokens {
		t.Errorf("%d tokens of %d, want a third at most", f.BriefTokens, f.SourceTokens)
	}
	for _, want := range []string{
		"Never release payments above EUR 50,000 without two approvals.", "$18,400.50", "March 3, 2026",
	} {
		if !strings.Contains(b.Text(), want) {
			t.Errorf("lost %q in\n%s", want, b.Text())
		}
	}
	parts := b.Request().Messages[0].Parts
	if last := parts[len(parts)-1].Text; last != "Has Invoice INV-402 been approved?" {
		t.Errorf("the question became %q", last)
	}
}

func TestObligationSurvivesATinyTarget(t *testing.T) {
	req := &llm.Request{Messages: []llm.Message{
		say(llm.User,
			"You must not contact the supplier until legal has signed. "+strings.Repeat("Thanks for the help so far. ", 60)),
		say(llm.Assistant, filler(60)),
		say(llm.User, "Which colour does the crew paint the railing?"),
	}}
	b, err := Extract(req, Options{Target: 30})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.Text(), "facts:\n- You must not contact the supplier until legal has signed.") {
		t.Errorf("the obligation is not among the facts:\n%s", b.Text())
	}
}

func TestRowsAreKeptWhole(t *testing.T) {
	var rows, array strings.Builder
	rows.WriteString("order;supplier;amount;due\n")
	array.WriteString("[")
	for i := range 400 {
		fmt.Fprintf(&rows, "PO-%d;Supplier %d;%d.50 EUR;2026-01-%02d\n", 7000+i, i, 100+i, i%28+1)
		fmt.Fprintf(&array, `{"order":"PO-%d","supplier":"Supplier %d","amount":"%d.50 EUR"},`, 7000+i, i, 100+i)
	}
	array.WriteString("{}]")
	for name, c := range map[string]struct{ data, row string }{
		"table": {rows.String(), "PO-7213;Supplier 213;313.50 EUR;2026-01-18"},
		"json":  {array.String(), `{"order":"PO-7213","supplier":"Supplier 213","amount":"313.50 EUR"}`},
	} {
		req := &llm.Request{Messages: []llm.Message{
			say(llm.User, "Look the orders up."), toolUse("1", "orders", `{"all":true}`), toolResult("1", c.data),
			say(llm.Assistant, "Done."), say(llm.User, "What is the amount of PO-7213?"),
		}}
		b, err := Extract(req, Options{Target: 300})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !strings.Contains(b.Text(), c.row) {
			t.Errorf("%s: the row is gone:\n%s", name, b.Text())
		}
		if !strings.Contains(b.Text(), "[tool result orders] ") {
			t.Errorf("%s: the result does not say of which tool:\n%s", name, b.Text())
		}
	}
}

func TestDocumentsInTheLastTurn(t *testing.T) {
	doc := filler(80) + "The deposit for the crane is $7,700."
	question := "How large is the deposit for the crane?"
	for name, parts := range map[string][]string{
		"own part": {doc, question}, "one part, question last": {doc + "\n\n" + question},
		"one part, question first": {question + "\n\n" + doc},
	} {
		b, err := Extract(&llm.Request{Messages: []llm.Message{say(llm.User, parts...)}}, Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := b.Request().Messages[0].Parts
		if ask := got[len(got)-1].Text; !strings.Contains(ask, question) || len(ask) > len(question)+4*edge {
			t.Errorf("%s: the question became %q", name, ask)
		}
		all := got[0].Text + got[1].Text
		if !strings.Contains(all, "$7,700") || len(all) > len(doc)/2 {
			t.Errorf("%s: the document was not compressed around its fact (%d of %d bytes)", name, len(all), len(doc))
		}
	}
}

func TestOneLongQuestionStaysVerbatim(t *testing.T) {
	text := strings.Repeat("Please rewrite this sentence in plain words and keep its meaning. ", 80)
	b, err := Extract(&llm.Request{Messages: []llm.Message{say(llm.User, text)}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := b.Request().Messages[0].Parts; len(got) != 1 || got[0].Text != text {
		t.Errorf("a last turn without paragraphs was touched")
	}
}

func TestOpenToolLoopStaysWhole(t *testing.T) {
	thought := llm.Part{Kind: llm.Reasoning, Text: "hm", Opaque: []byte(`"sig"`)}
	use := toolUse("b", "lookup", `{"id":"INV-402"}`)
	use.Parts = append([]llm.Part{thought}, use.Parts...)
	req := &llm.Request{Messages: []llm.Message{
		say(llm.User, "Hello."), say(llm.Assistant, filler(60)),
		say(llm.User, "Check INV-402."),
		toolUse("a", "list", `{"open":true}`), toolResult("a", "INV-401, INV-402"),
		use, toolResult("b", filler(50)),
	}}
	b, err := Extract(req, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := b.Request().Messages
	if len(got) != 3 {
		t.Fatalf("%d messages, want brief with question, call, result", len(got))
	}
	if p := got[0].Parts; p[len(p)-1].Text != "Check INV-402." {
		t.Errorf("the question is %q", p[len(p)-1].Text)
	}
	if diff := cmp.Diff(use.Parts[1:], got[1].Parts); diff != "" {
		t.Errorf("the call lost more than its reasoning (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(req.Messages[6], got[2]); diff != "" {
		t.Errorf("the result changed (-want +got):\n%s", diff)
	}
	if !strings.Contains(b.Text(), "[tool result list] INV-401, INV-402") {
		t.Errorf("the earlier exchange is not in the brief:\n%s", b.Text())
	}
}

func TestImagesOfTheLastTurnStay(t *testing.T) {
	img := llm.Part{Kind: llm.Media, Media: &llm.MediaPart{MIME: "image/png", Data: "AAAA"}}
	first, last := say(llm.User, "Look."), say(llm.User, "And this one?")
	first.Parts, last.Parts = append(first.Parts, img), append(last.Parts, img)
	b, err := Extract(&llm.Request{Messages: []llm.Message{first, say(llm.Assistant, "A cat."), last}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, p := range b.Request().Messages[0].Parts {
		if p.Kind == llm.Media {
			n++
		}
	}
	if n != 1 || !strings.Contains(b.Text(), "(an attachment, left out)") {
		t.Errorf("%d images, want the last turn's one; the earlier one is only mentioned:\n%s", n, b.Text())
	}
}

func TestRejectedAnswerTravels(t *testing.T) {
	mail := "Acme GmbH sent invoice INV-402 over $1,250.00, due 2026-12-01."
	req := &llm.Request{Messages: []llm.Message{say(llm.User, mail), say(llm.Assistant, "Noted."), say(llm.User, "Extract it.")}}
	for name, tt := range map[string]struct {
		answer string
		want   string // "" = nothing is carried
	}{
		"fields, those alone that the source has": {
			"```json\n" + `{"supplier":"Acme GmbH","invoice":"INV-402","paid":true,"total":"$9,999.00","lines":[{"due":"2026-12-01"}]}`,
			"\n- supplier: Acme GmbH\n- invoice: INV-402\n- lines.due: 2026-12-01",
		},
		"cut off":      {`{"supplier":"Acme GmbH","invoice":"INV-4`, "\n- supplier: Acme GmbH"},
		"prose":        {"INV-402 is over $1,250.00 and was paid on 2027-01-01.", "\n- id: INV-402\n- amount: $1,250.00"},
		"all invented": {`{"supplier":"Bolt AG","total":17}`, ""},
		"no answer":    {"", ""},
	} {
		b, err := Extract(req, Options{Answer: tt.answer, Failure: `at "/amount": required`})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, got, _ := strings.Cut(b.Text(), paramsHead)
		if got != tt.want {
			t.Errorf("%s: carried %q, want %q", name, got, tt.want)
		}
		if strings.Contains(b.Text(), "9,999") || strings.Contains(b.Text(), "Bolt") {
			t.Errorf("%s: what the answer made up went upward:\n%s", name, b.Text())
		}
	}
}

func TestShortQuestionLeansOnTheTurnBefore(t *testing.T) {
	req := &llm.Request{Messages: []llm.Message{
		say(llm.User, filler(80)+"The crane in Bremen costs EUR 9,100.\n\n"+filler(80)),
		say(llm.User, "How much is the crane?"), say(llm.Assistant, "Let me look."), say(llm.User, "Go on."),
	}}
	b, err := Extract(req, Options{Target: 200})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.Text(), "EUR 9,100") {
		t.Errorf("lost what the turn before asked for:\n%s", b.Text())
	}
}

func TestTwiceIsTheSame(t *testing.T) {
	req := &llm.Request{Messages: []llm.Message{say(llm.User, filler(300),
		"On which watch was the harbour calm, 17 or 18?")}}
	first, err := Extract(req, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		again, err := Extract(req, Options{})
		if err != nil || again.Text() != first.Text() {
			t.Fatalf("another brief for the same request (error %v)", err)
		}
	}
}
