package scenario

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/weirhq/weir/internal/models/catalog"
	"github.com/weirhq/weir/internal/sim"
)

// geminiBody is an interaction as Google's clients send it.
func geminiBody(it Interaction) string {
	type part struct {
		Text string `json:"text"`
	}
	type content struct {
		Role  string `json:"role,omitempty"`
		Parts []part `json:"parts"`
	}
	body := struct {
		System   content   `json:"systemInstruction"`
		Contents []content `json:"contents"`
	}{System: content{Parts: []part{{it.System}}}}
	for _, h := range it.History {
		role := map[string]string{"user": "user", "assistant": "model"}[h.Role]
		body.Contents = append(body.Contents, content{role, []part{{h.Text}}})
	}
	body.Contents = append(body.Contents, content{"user", []part{{it.Question}}})
	b, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestDayOverTheWire asks a simulated model over HTTP and compares what comes back, and what is billed, with the draw.
func TestDayOverTheWire(t *testing.T) {
	s, c := Procurement(), catalog.Embedded()
	cfg := s.Sim(c, Seed, 1_000_000)
	provider, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(provider)
	defer srv.Close()
	its, err := s.Draw("mixed", 60, Seed)
	if err != nil {
		t.Fatal(err)
	}
	d, _ := s.Day("mixed", Seed)
	right := 0
	for _, it := range its {
		req, _ := http.NewRequest(http.MethodPost, srv.URL+"/gemini/v1beta/models/gemini-2.5-flash-lite:generateContent",
			strings.NewReader(geminiBody(it)))
		req.Header.Set("X-Goog-Api-Key", "any")
		res, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		var got struct {
			Candidates []struct {
				Content struct {
					Parts []struct{ Text string }
				}
			}
			UsageMetadata struct{ PromptTokenCount int }
		}
		if err := json.Unmarshal(body, &got, json.MatchCaseInsensitiveNames(true)); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", it.Ref, res.StatusCode, body)
		}
		if n := got.UsageMetadata.PromptTokenCount; n != it.Prompt()+1 { // one for the conversation's frame
			t.Errorf("%s: %d tokens billed, the prompt has %d", it.Ref, n, it.Prompt())
		}
		o, text := d.Try(it, layer1, 1)
		answer := ""
		if parts := got.Candidates[0].Content.Parts; len(parts) > 0 {
			answer = parts[0].Text
		}
		if answer != text && o != RefusalOrHedge {
			t.Errorf("%s: answered %q, drawn %q", it.Ref, answer, text)
		}
		if it.Judge(answer) {
			right++
		}
	}
	notes := provider.Stats().Models["gemini-2.5-flash-lite"].Notes
	if int64(right) != notes[string(Right)] || right < 30 {
		t.Errorf("%d judged right, the provider counts %v", right, notes)
	}
}

func BenchmarkServeMixed(b *testing.B) {
	s, c := Procurement(), catalog.Embedded()
	provider, err := sim.New(s.Sim(c, Seed, 1_000_000_000))
	if err != nil {
		b.Fatal(err)
	}
	its, err := s.Draw("mixed", 200, Seed)
	if err != nil {
		b.Fatal(err)
	}
	bodies := make([]string, len(its))
	for i, it := range its {
		bodies[i] = geminiBody(it)
	}
	for i := 0; b.Loop(); i++ {
		req := httptest.NewRequest(http.MethodPost, "/gemini/v1beta/models/gemini-flash-lite:streamGenerateContent?alt=sse",
			strings.NewReader(bodies[i%len(bodies)]))
		req.Header.Set("X-Goog-Api-Key", "any")
		provider.ServeHTTP(httptest.NewRecorder(), req)
	}
}
