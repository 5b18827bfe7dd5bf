package sim

import "fmt"

// Script plays the model of an agent: what it answers depends on how often a user has asked, and on how many of its
// answers came since. A text that stands behind results of tools is no question.
type Script struct {
	Turns [][]Answer // by question, then by answer; what they lack is an error
}

var _ Answerer = Script{}

// Place is where a conversation stands: the question under way and the answers since, both from 0. question < 0: none.
func (q Query) Place() (question, answers int) {
	question = -1
	for i, t := range q.Turns {
		switch {
		case t.Role == "assistant":
			answers++
		case t.Role == "user" && (i == 0 || q.Turns[i-1].Role != "tool"):
			question, answers = question+1, 0
		}
	}
	return question, answers
}

// Answer finds the place in the script.
func (s Script) Answer(q Query) (Answer, error) {
	u, n := q.Place()
	if u >= 0 && u < len(s.Turns) && n < len(s.Turns[u]) {
		return s.Turns[u][n], nil
	}
	return Answer{}, fmt.Errorf("the script has no answer %d to question %d", n, u)
}
