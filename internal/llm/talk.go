package llm

// Talk is what a scan tells of the state of a conversation, without decoding it: which conversation it is, whether a
// tool loop is open, what is signed, and the latest tool calls. Spans lie in the body that was scanned.
type Talk struct {
	System   Span   // first text of the instructions, inside the quotes
	First    Span   // first text of the first user turn, inside the quotes
	CacheKey string // OpenAI prompt_cache_key
	Spoken   int    // turns of a model
	Asked    int    // message, from 0, of the last turn in which a user said something beside tool results
	Open     bool   // the request ends in tool results: a model waits for them
	Thinking Span   // value of the member that makes a model think aloud; absent when there is none
	Silent   string // what stands there when it shall not
	Tail     Tail
	Signed   []Signed
	Calls    Recent[ToolSpans]   // of models, in their order
	Results  Recent[ResultSpans] // of callers
}

// Tail is where one more text can be put behind the tool results that an open loop ends in. At = 0: nowhere.
type Tail struct {
	At            int
	Before, After string // what stands around the text's JSON string, its quotes included
}

// Signed is a piece that only the model which wrote it can read, and that it must get back byte for byte: a thinking
// block, encrypted reasoning. It can be cut out of the list that it stands in.
type Signed struct {
	Span
	Turn int // message that it stands in, from 0
}

// ToolSpans is one tool call as it lies in a body, inside the quotes.
type ToolSpans struct {
	ID, Name Span
	Args     Span // a JSON object; with Quoted, its text inside the quotes of a string
	Quoted   bool
	Turn     int
}

// ResultSpans is the answer to one tool call.
type ResultSpans struct {
	ID      Span // of the call
	Content Span // the JSON value
	Failed  bool // the caller says so
	Turn    int
}

// recent is how many of a kind are kept.
const recent = 32

// Recent keeps the last of a list, and costs nothing while it is empty.
type Recent[T any] struct {
	Ring []T // the oldest is overwritten once it is full
	N    int // how many were added
}

// Add appends one.
func (r *Recent[T]) Add(v T) {
	if len(r.Ring) < recent {
		r.Ring = append(r.Ring, v)
	} else {
		r.Ring[r.N%recent] = v
	}
	r.N++
}

// Len is how many are kept.
func (r *Recent[T]) Len() int { return len(r.Ring) }

// Back is the i-th from the end, 0 = the latest. It must be among those that are kept.
func (r *Recent[T]) Back(i int) T { return r.Ring[(r.N-1-i)%recent] }

// Pinning reports whether something signed stands in the part of the conversation that the model must get back: what was
// said since a user last asked.
func (t *Talk) Pinning() bool {
	n := len(t.Signed)
	return n > 0 && t.Signed[n-1].Turn > t.Asked
}
