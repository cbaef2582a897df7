package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/tokenizer/part"
)

// parseReplace reads a Replace component, which normalizers and decoders share. growth is how many times as long a text
// can become.
func parseReplace(raw json.RawMessage) (replace func(text string) string, growth float64, err error) {
	var f struct {
		Type    string
		Pattern part.Pattern
		Content string
	}
	if err := decodeStrict(raw, &f); err != nil {
		return nil, 0, err
	}
	find, shortest, err := part.NewFinder(f.Pattern)
	if err != nil {
		return nil, 0, err
	}
	growth = max(1, float64(len(f.Content))/float64(max(shortest, 1)))
	if shortest == 0 && f.Pattern.Regex != nil {
		growth = 1 + float64(len(f.Content)) // an empty match inserts the content
	}
	if from := f.Pattern.String; from != nil {
		if *from == "" {
			return nil, 0, fmt.Errorf("the pattern is empty")
		}
		return func(text string) string { return strings.ReplaceAll(text, *from, f.Content) }, growth, nil
	}
	return func(text string) string {
		var b strings.Builder
		for _, p := range find(text) {
			if p.Match {
				b.WriteString(f.Content)
			} else {
				b.WriteString(text[p.Begin:p.End])
			}
		}
		return b.String()
	}, growth, nil
}
