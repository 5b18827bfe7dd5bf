package agents

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// blocks are a message's content blocks as they lie in it; none when the content is a string or null.
type blocks []string

// UnmarshalJSONFrom reads any content.
func (b *blocks) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	v, err := dec.ReadValue()
	if err != nil || v.Kind() != '[' {
		return err
	}
	var raw []jsontext.Value
	if err := json.Unmarshal(v, &raw); err != nil {
		return err
	}
	for _, r := range raw {
		*b = append(*b, string(r))
	}
	return nil
}
