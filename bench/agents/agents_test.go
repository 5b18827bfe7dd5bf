package agents

import (
	"fmt"
	"strings"
	"testing"
)

// TestACodingSessionThroughThreeLayers holds what a cascade must not do to an agent, and that it escalates all the same.
func TestACodingSessionThroughThreeLayers(t *testing.T) {
	for _, messages := range []bool{true, false} {
		for _, stream := range []bool{true, false} {
			t.Run(fmt.Sprintf("messages=%t/stream=%t", messages, stream), func(t *testing.T) {
				t.Parallel()
				r, err := Run(t.Context(), Play{Dir: t.TempDir(), Messages: messages, Stream: stream, Questions: 12, Mistake: 4})
				if err != nil {
					t.Fatal(err)
				}
				edge, mid := "haiku", "sonnet"
				if !messages {
					edge, mid = "mini", "gpt"
				}
				if r.Answered != 12 || r.Requests != 48 || r.Refused != 0 || len(r.Changed) > 0 || r.Bent != 0 {
					t.Errorf("%+v", r)
				}
				if messages && (r.Signed != 36 || r.Returned < 400) {
					t.Errorf("%d blocks signed, %d times returned", r.Signed, r.Returned)
				}
				if r.AtBoundary != 1 || r.Cached < .95*r.Direct {
					t.Errorf("%d escalations at a user turn; %.4f cached, direct %.4f", r.AtBoundary, r.Cached, r.Direct)
				}
				for i, path := range r.Paths {
					want := edge + ":accepted"
					switch {
					case i == 4*4+2: // the mistake, in the loop: one more try
						want = edge + ":rejected " + edge + ":accepted"
					case i >= 5*4: // from the next user turn on
						want = mid + ":accepted"
					}
					if path != want {
						t.Errorf("request %d: %s, want %s", i, path, want)
					}
				}
			})
		}
	}
}

// TestALoopThatNothingHelpsGoesOn holds that a tool loop is taken from a model that cannot end it, without an orphan result
// and without what that model signed.
func TestALoopThatNothingHelpsGoesOn(t *testing.T) {
	for _, messages := range []bool{true, false} {
		t.Run(fmt.Sprintf("messages=%t", messages), func(t *testing.T) {
			t.Parallel()
			r, err := Run(t.Context(), Play{Dir: t.TempDir(), Messages: messages, Stream: true, Questions: 3, Mistake: 1, Always: true})
			if err != nil {
				t.Fatal(err)
			}
			if r.Answered != 3 || r.Refused != 0 || len(r.Changed) > 0 || r.Bent != 1 {
				t.Errorf("%+v", r)
			}
			edge, mid := "haiku", "sonnet"
			if !messages {
				edge, mid = "mini", "gpt"
			}
			if want := strings.Repeat(edge+":rejected ", 2) + mid + ":accepted"; r.Paths[6] != want {
				t.Errorf("%s, want %s", r.Paths[6], want)
			}
			for i, path := range r.Paths[7:] {
				if path != mid+":accepted" {
					t.Errorf("request %d: %s, want %s", i+7, path, mid)
				}
			}
		})
	}
}

// TestALoopThatGoesUpToTheBrief holds that an open loop can end at a layer that takes only briefs, and that the conversation
// stays there.
func TestALoopThatGoesUpToTheBrief(t *testing.T) {
	for _, messages := range []bool{true, false} {
		t.Run(fmt.Sprintf("messages=%t", messages), func(t *testing.T) {
			t.Parallel()
			r, err := Run(t.Context(), Play{
				Dir: t.TempDir(), Messages: messages, Stream: true, Questions: 3, Mistake: 1, Always: true, Both: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			edge, mid := "haiku", "sonnet"
			if !messages {
				edge, mid = "mini", "gpt"
			}
			want := strings.Repeat(edge+":rejected ", 2) + mid + ":rejected opus:accepted"
			if r.Answered != 3 || r.Refused != 0 || r.Paths[6] != want || r.Paths[len(r.Paths)-1] != "opus:accepted" {
				t.Errorf("%+v", r)
			}
		})
	}
}
