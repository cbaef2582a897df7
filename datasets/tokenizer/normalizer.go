package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/bfpo-go/bfpo/datasets/tokenizer/normalform"
	"github.com/bfpo-go/bfpo/datasets/tokenizer/vocabulary"
)

// normalizer rewrites a stretch of text before it is split into words.
type normalizer func(text string) string

// growing is a step together with how many times as long it can make a text.
type growing struct {
	normalizer
	growth float64
}

// newNormalizer compiles the "normalizer" of a tokenizer.json; null leaves the text as it is.
func newNormalizer(raw json.RawMessage) (normalizer, error) {
	step, err := newNormalizerStep(raw, 0)
	if err == nil {
		err = checkGrowth(step.growth)
	}
	if err != nil {
		return nil, fmt.Errorf("normalizer: %w", err)
	}
	return step.normalizer, nil
}

func newNormalizerStep(raw json.RawMessage, depth int) (growing, error) {
	kind, err := componentType(raw, depth)
	if err != nil {
		return growing{}, err
	}
	step := growing{growth: 1}
	switch kind {
	case "":
		step.normalizer = func(text string) string { return text }
	case "Sequence":
		step, err = newNormalizerSequence(raw, depth)
	case "Prepend":
		step, err = newPrepend(raw)
	case "Replace":
		step.normalizer, step.growth, err = parseReplace(raw)
	case "Strip":
		step.normalizer, err = newStrip(raw)
	case "NFC", "NFD":
		form := map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD}[kind]
		step = growing{func(text string) string { return normalform.Of(form, text) }, 3}
	case "NFKC", "NFKD":
		form := map[string]norm.Form{"NFKC": norm.NFKC, "NFKD": norm.NFKD}[kind]
		step = growing{func(text string) string { return normalform.Of(form, text) }, 11}
	case "Lowercase":
		step = growing{lowercase, 1.5}
	case "ByteLevel":
		step = growing{vocabulary.Speller(), 2}
	default:
		err = errors.New("is not supported (Sequence, Prepend, Replace, Strip, NFC, NFD, NFKC, NFKD, Lowercase " +
			"and ByteLevel are)")
	}
	if err != nil {
		return growing{}, fmt.Errorf("%q: %w", kind, err)
	}
	return step, nil
}

func newNormalizerSequence(raw json.RawMessage, depth int) (growing, error) {
	var f struct {
		Type        string
		Normalizers []json.RawMessage
	}
	if err := decodeStrict(raw, &f); err != nil {
		return growing{}, err
	}
	if len(f.Normalizers) > maxMembers {
		return growing{}, fmt.Errorf("more than %d members", maxMembers)
	}
	steps, growth := make([]growing, len(f.Normalizers)), 1.0
	for i, member := range f.Normalizers {
		step, err := newNormalizerStep(member, depth+1)
		if err != nil {
			return growing{}, err
		}
		steps[i] = step
		growth *= step.growth
	}
	return growing{func(text string) string {
		for _, step := range steps {
			text = step.normalizer(text)
		}
		return text
	}, growth}, nil
}

// newPrepend puts a text before each stretch that is not empty, which may be one character long.
func newPrepend(raw json.RawMessage) (growing, error) {
	var f struct{ Type, Prepend string }
	if err := decodeStrict(raw, &f); err != nil {
		return growing{}, err
	}
	return growing{func(text string) string {
		if text == "" {
			return ""
		}
		return f.Prepend + text
	}, 1 + float64(len(f.Prepend))}, nil
}

func newStrip(raw json.RawMessage) (normalizer, error) {
	var f struct {
		Type  string
		Left  bool `json:"strip_left"`
		Right bool `json:"strip_right"`
	}
	if err := decodeStrict(raw, &f); err != nil {
		return nil, err
	}
	return func(text string) string {
		if f.Left {
			text = strings.TrimLeftFunc(text, unicode.IsSpace)
		}
		if f.Right {
			text = strings.TrimRightFunc(text, unicode.IsSpace)
		}
		return text
	}, nil
}

// lowercase maps each character by itself; İ is the only one that becomes two.
func lowercase(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == 'İ' {
			b.WriteString("i\u0307")
			continue
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
