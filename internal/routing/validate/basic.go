package validate

import (
	"strings"
	"unicode"

	"github.com/weirhq/weir/internal/call"
	"github.com/weirhq/weir/internal/llm"
)

// Basic are the checks that stand before every layer that can still escalate. They need no configuration: the
// answer is there, was not cut off, does not decline, calls only tools that were offered with arguments that fit,
// and is JSON where the caller asked for JSON.
func Basic() []Check {
	return []Check{
		rule{"empty", judgeEmpty},
		rule{"truncated", judgeTruncated},
		rule{"refusal", judgeRefusal},
		rule{"tool-arguments", judgeTools},
		rule{"format", judgeFormat},
	}
}

// judgeEmpty wants text, a refusal in words or a tool call; thinking alone is no answer.
func judgeEmpty(s Subject) string {
	c := s.choice()
	if c == nil {
		return "there is no answer"
	}
	if !Empty(c) {
		return ""
	}
	if c.Stop == llm.StopRefusal || c.Stop == llm.StopFilter {
		return "" // the refusal check says it better
	}
	return "the answer is empty"
}

// Empty reports whether an answer has neither text nor media, a refusal in words or a tool call.
func Empty(c *llm.Choice) bool {
	for _, p := range c.Parts {
		switch p.Kind {
		case llm.ToolUse, llm.Media, llm.Refusal:
			return false
		case llm.Text:
			if strings.TrimSpace(p.Text) != "" {
				return false
			}
		}
	}
	return true
}

func judgeTruncated(s Subject) string {
	if c := s.choice(); c != nil && c.Stop == llm.StopLength {
		return "the answer was cut off at its token limit"
	}
	return ""
}

// shortAnswer is how long, in bytes, an answer may be for its opening words to count as the whole of what it says.
const shortAnswer = 600

// judgeRefusal finds answers that decline: by the provider's word, or by their own first words when they are short.
func judgeRefusal(s Subject) string {
	c := s.choice()
	if c == nil {
		return ""
	}
	if c.Stop == llm.StopFilter {
		return "the provider's content filter stopped the answer"
	}
	switch Declines(c) {
	case call.ByProvider:
		return "the model refused to answer"
	case call.ByWords:
		return "the answer opens by declining or by saying that the model does not know"
	}
	return ""
}

// Declines says how an answer declines, if it does. An answer that a content filter stopped does not: the provider
// declined, and the stop reason says so.
func Declines(c *llm.Choice) call.Refusal {
	switch c.Stop {
	case llm.StopRefusal:
		return call.ByProvider
	case llm.StopFilter:
		return call.NotRefused
	}
	for _, p := range c.Parts {
		switch p.Kind {
		case llm.Refusal:
			return call.ByProvider
		case llm.ToolUse:
			return call.NotRefused
		}
	}
	if hedges(joinText(c.Parts)) {
		return call.ByWords
	}
	return call.NotRefused
}

// hedges reports whether a short text opens with words by which models decline.
func hedges(text string) bool {
	text = strings.TrimLeftFunc(text, func(r rune) bool { return !unicode.IsLetter(r) })
	if len(text) == 0 || len(text) > shortAnswer {
		return false
	}
	text = " " + fold(text)
	for _, lead := range leads {
		if strings.HasPrefix(text, lead) {
			text = text[len(lead)-1:]
			text = " " + strings.TrimLeft(text, " ,.!:;-")
			break
		}
	}
	for _, h := range hedgeOpenings {
		if strings.HasPrefix(text, h) {
			return true
		}
	}
	return false
}

// fold lowers a text's case, writes one kind of apostrophe and one kind of space.
func fold(s string) string {
	return strings.Join(strings.Fields(apostrophes.Replace(strings.ToLower(s))), " ") + " "
}

var apostrophes = strings.NewReplacer("\u2019", "'", "\u2018", "'", "`", "'")

// leads are openings that say nothing yet: what follows them decides.
var leads = []string{
	" i'm sorry, but ", " i am sorry, but ", " i'm sorry but ", " sorry, but ", " sorry, ", " i apologize, but ",
	" i apologize for the confusion, but ", " unfortunately, ", " unfortunately ", " i'm afraid ",
	" es tut mir leid, aber ", " es tut mir leid, ", " tut mir leid, aber ", " tut mir leid, ", " leider ",
	" entschuldigung, aber ", " je suis désolé, mais ", " je suis désolée, mais ", " désolé, mais ", " désolée, mais ",
	" malheureusement, ", " lo siento, pero ", " lo siento, ", " lamentablemente, ", " mi dispiace, ma ", " mi dispiace, ",
	" desculpe, mas ", " sinto muito, mas ", " het spijt me, maar ", " sorry, maar ",
}

// hedgeOpenings are first words that decline or profess not to know, folded.
var hedgeOpenings = []string{
	" i cannot ", " i can't ", " i can not ", " i am unable to ", " i'm unable to ", " i am not able to ",
	" i'm not able to ", " i won't be able to ", " i don't know", " i do not know", " i'm not sure", " i am not sure",
	" i don't have access ", " i do not have access ", " i don't have enough ", " i do not have enough ",
	" i don't have the ability ", " i do not have the ability ", " i don't have information ",
	" i do not have information ", " i don't have any information ", " as an ai ", " as a language model",
	" as a large language model", " i must decline", " i have to decline", " i'm just an ai",
	" it is not possible to determine",
	" it's not possible to determine", " there is not enough information", " there isn't enough information",
	" not enough information",
	" ich kann nicht ", " ich kann das nicht ", " ich kann dir nicht ", " ich kann ihnen nicht ",
	" ich kann diese frage nicht ", " ich weiß nicht", " ich weiß es nicht", " ich weiss nicht",
	" ich bin nicht in der lage",
	" ich bin mir nicht sicher", " ich habe keinen zugriff", " kann ich nicht ", " kann ich dir nicht ",
	" kann ich ihnen nicht ", " kann ich das nicht ", " kann ich diese frage nicht ", " habe ich keinen zugriff",
	" als ki ", " als ki-", " als sprachmodell",
	" je ne peux pas ", " je ne sais pas", " je ne suis pas en mesure ", " je ne suis pas capable ", " je ne suis pas sûr",
	" je n'ai pas accès ", " je n'ai pas assez ", " en tant qu'ia", " en tant que modèle de langage",
	" no puedo ", " no sé ", " no lo sé", " no tengo acceso ", " no tengo suficiente ", " no estoy seguro",
	" como modelo de lenguaje", " como ia,", " como inteligencia artificial",
	" non posso ", " non sono in grado ", " non lo so", " non ho accesso ", " come modello linguistico",
	" não posso ", " não consigo ", " não sei ", " não tenho acesso ", " como modelo de linguagem",
	" ik kan niet ", " ik kan je niet ", " ik kan u niet ", " ik weet het niet", " ik heb geen toegang ",
	" als taalmodel",
}

// judgeFormat wants JSON where the request asked for it, and a match of the request's own schema. A schema that does
// not compile is the caller's and is not held against the model.
func judgeFormat(s Subject) string {
	if s.Request == nil || s.Request.Format == nil || s.choice() == nil || s.toolsOnly() {
		return ""
	}
	f := s.Request.Format
	switch f.Kind {
	case "json_object":
		return matchSchema([]byte(s.text()), nil)
	case "json_schema":
		return matchSchema([]byte(s.text()), callersSchema(f.Schema))
	}
	return ""
}
