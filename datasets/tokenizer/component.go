package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/bfpo-go/bfpo/datasets/jsontype"
)

// maxNesting bounds how deep Sequence components nest; real files nest once.
const maxNesting = 8

// maxKeys bounds the keys of a configuration file.
const maxKeys = 1 << 13

// maxMembers bounds the members of a Sequence; real files have at most some ten.
const maxMembers = 64

// componentType returns the "type" of a component of tokenizer.json, "" for a component that is null or absent. depth
// is the number of Sequence components around it.
func componentType(raw json.RawMessage, depth int) (string, error) {
	if depth > maxNesting {
		return "", fmt.Errorf("components nest deeper than %d", maxNesting)
	}
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	var f struct{ Type string }
	if err := jsontype.Unmarshal(raw, &f); err != nil {
		return "", err
	}
	if f.Type == "" {
		return "", fmt.Errorf("a component has no type")
	}
	return f.Type, nil
}

// component is what checks of several components ask for.
type component struct {
	Type          string
	Content       string            // of a Replace
	StripLeft     bool              `json:"strip_left"`
	PrependScheme string            `json:"prepend_scheme"`
	Normalizers   []json.RawMessage // of a Sequence of normalizers
	Pretokenizers []json.RawMessage // of a Sequence of pre-tokenizers
}

// anyComponent reports whether a sound component, or one of its members, is as asked.
func anyComponent(raw json.RawMessage, is func(c component) bool) bool {
	var c component
	if json.Unmarshal(raw, &c) != nil {
		return false
	}
	members := slices.Concat(c.Normalizers, c.Pretokenizers)
	return is(c) || slices.ContainsFunc(members, func(m json.RawMessage) bool { return anyComponent(m, is) })
}

// decodeStrict decodes one JSON value. A key without a field in the target is an error, and so is text after the value.
func decodeStrict(data []byte, into any) error {
	return jsontype.UnmarshalStrict(data, into)
}

// maxGrowth bounds how many times as long a chain of normalizers or decoders can make a text. NFKC with a space before
// each text and spaces written as U+2581 makes a text 132 times as long at most.
const maxGrowth = 256

// checkGrowth refuses a chain that could exhaust memory.
func checkGrowth(growth float64) error {
	if growth > maxGrowth {
		return fmt.Errorf("it can make a text %.3g times as long; at most %d times is supported", growth, maxGrowth)
	}
	return nil
}
