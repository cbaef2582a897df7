package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
)

// normalizer rewrites a stretch of text before it is split into words.
type normalizer func(text string) string

// newNormalizer compiles the "normalizer" of a tokenizer.json; null leaves the text as it is.
func newNormalizer(raw json.RawMessage, depth int) (normalizer, error) {
	kind, err := componentType(raw, depth)
	if err != nil {
		return nil, fmt.Errorf("normalizer: %w", err)
	}
	switch kind {
	case "":
		return func(text string) string { return text }, nil
	case "Sequence":
		return newNormalizerSequence(raw, depth)
	case "Prepend":
		var f struct{ Type, Prepend string }
		if err := decodeStrict(raw, &f); err != nil {
			return nil, fmt.Errorf("normalizer Prepend: %w", err)
		}
		return func(text string) string {
			if text == "" {
				return ""
			}
			return f.Prepend + text
		}, nil
	case "Replace":
		from, to, err := parseReplace(raw)
		if err != nil {
			return nil, fmt.Errorf("normalizer Replace: %w", err)
		}
		return func(text string) string { return strings.ReplaceAll(text, from, to) }, nil
	}
	return nil, fmt.Errorf("normalizer %q is not supported (Sequence, Prepend and Replace are)", kind)
}

func newNormalizerSequence(raw json.RawMessage, depth int) (normalizer, error) {
	var f struct {
		Type        string
		Normalizers []json.RawMessage
	}
	if err := decodeStrict(raw, &f); err != nil {
		return nil, fmt.Errorf("normalizer Sequence: %w", err)
	}
	steps := make([]normalizer, len(f.Normalizers))
	for i, member := range f.Normalizers {
		step, err := newNormalizer(member, depth+1)
		if err != nil {
			return nil, err
		}
		steps[i] = step
	}
	return func(text string) string {
		for _, step := range steps {
			text = step(text)
		}
		return text
	}, nil
}
