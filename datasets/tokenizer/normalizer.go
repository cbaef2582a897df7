package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
)

// normalizer rewrites a stretch of text before it is split into words.
type normalizer func(text string) string

// maxNesting bounds Sequence components within each other; real files nest once.
const maxNesting = 8

// newNormalizer compiles the "normalizer" of a tokenizer.json; null leaves text as it is.
func newNormalizer(raw json.RawMessage, depth int) (normalizer, error) {
	kind, err := componentType(raw, depth)
	if err != nil {
		return nil, fmt.Errorf("normalizer: %w", err)
	}
	switch kind {
	case "":
		return func(text string) string { return text }, nil
	case "Sequence":
		return normalizerSequence(raw, depth)
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
		from, to, err := readReplace(raw)
		if err != nil {
			return nil, fmt.Errorf("normalizer Replace: %w", err)
		}
		return func(text string) string { return strings.ReplaceAll(text, from, to) }, nil
	}
	return nil, fmt.Errorf("normalizer %q is not supported (Sequence, Prepend and Replace are)", kind)
}

func normalizerSequence(raw json.RawMessage, depth int) (normalizer, error) {
	var f struct {
		Type        string
		Normalizers []json.RawMessage
	}
	if err := decodeStrict(raw, &f); err != nil {
		return nil, fmt.Errorf("normalizer Sequence: %w", err)
	}
	steps := make([]normalizer, len(f.Normalizers))
	for i, part := range f.Normalizers {
		step, err := newNormalizer(part, depth+1)
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

// readReplace reads a Replace component, of normalizers and decoders alike.
func readReplace(raw json.RawMessage) (from, to string, err error) {
	var f struct {
		Type    string
		Pattern pattern
		Content string
	}
	if err := decodeStrict(raw, &f); err != nil {
		return "", "", err
	}
	if f.Pattern.String == nil || *f.Pattern.String == "" {
		return "", "", fmt.Errorf("only a pattern {\"String\": …} that is not empty is supported")
	}
	return *f.Pattern.String, f.Content, nil
}

// pattern is what a Replace or Split component looks for: exactly one of the two.
type pattern struct {
	String *string
	Regex  *string
}
