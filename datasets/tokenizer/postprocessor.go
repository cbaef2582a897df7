package tokenizer

import (
	"encoding/json"
	"fmt"
)

// affixes are the special tokens that a tokenizer puts before and after a text.
type affixes struct{ before, after []int32 }

func (a affixes) empty() bool { return len(a.before)+len(a.after) == 0 }

// newAffixes compiles the "post_processor" of a tokenizer.json for a single text; its template for pairs of texts is
// ignored.
func newAffixes(raw json.RawMessage, depth int) (a affixes, err error) {
	kind, err := componentType(raw, depth)
	if err != nil {
		return a, fmt.Errorf("post_processor: %w", err)
	}
	switch kind {
	case "", "ByteLevel": // ByteLevel only changes offsets
		return a, nil
	case "TemplateProcessing":
		a, err = newTemplateAffixes(raw)
	case "RobertaProcessing", "BertProcessing":
		a, err = newFixedAffixes(raw)
	case "Sequence":
		var f struct {
			Type       string
			Processors []json.RawMessage
		}
		if err := decodeStrict(raw, &f); err != nil {
			return a, fmt.Errorf("post_processor Sequence: %w", err)
		}
		for _, member := range f.Processors {
			other, err := newAffixes(member, depth+1)
			if err != nil {
				return a, err
			}
			if !a.empty() && !other.empty() { // the original library puts the second's around each piece of the first
				return a, fmt.Errorf("post_processor Sequence: two of its members add tokens, which is not supported")
			}
			if a.empty() {
				a = other
			}
		}
		return a, nil
	default:
		err = fmt.Errorf("is not supported (TemplateProcessing, RobertaProcessing, BertProcessing, ByteLevel and " +
			"Sequence are)")
	}
	if err != nil {
		err = fmt.Errorf("post_processor %q: %w", kind, err)
	}
	return a, err
}

// newFixedAffixes compiles a RobertaProcessing or BertProcessing: one token before the text and one after it.
func newFixedAffixes(raw json.RawMessage) (a affixes, err error) {
	var f struct {
		Type           string
		Sep            []json.RawMessage // [text, id]
		Cls            []json.RawMessage
		TrimOffsets    bool `json:"trim_offsets"`     // about offsets, which this package does not return
		AddPrefixSpace bool `json:"add_prefix_space"` // used for offsets too
	}
	if err := decodeStrict(raw, &f); err != nil {
		return a, err
	}
	for _, token := range []struct {
		key  string
		pair []json.RawMessage
		into *[]int32
	}{{"cls", f.Cls, &a.before}, {"sep", f.Sep, &a.after}} {
		var text string
		var id int32
		if len(token.pair) != 2 || json.Unmarshal(token.pair[0], &text) != nil ||
			json.Unmarshal(token.pair[1], &id) != nil {
			return a, fmt.Errorf("%s is not a pair of a text and an id", token.key)
		}
		*token.into = []int32{id}
	}
	return a, nil
}

// templateItem is an element of a template: a special token, or the text ("A").
type templateItem struct {
	SpecialToken *struct {
		ID     string
		TypeID int `json:"type_id"`
	}
	Sequence *struct {
		ID     string
		TypeID int `json:"type_id"`
	}
}

func newTemplateAffixes(raw json.RawMessage) (a affixes, err error) {
	var f struct {
		Type          string
		Single        []templateItem
		Pair          json.RawMessage
		SpecialTokens map[string]struct {
			ID     string
			IDs    []int32
			Tokens []string
		} `json:"special_tokens"`
	}
	if err := decodeStrict(raw, &f); err != nil {
		return a, err
	}
	texts := 0
	for _, item := range f.Single {
		switch {
		case item.Sequence != nil && item.Sequence.ID == "A":
			texts++
		case item.SpecialToken != nil:
			special, ok := f.SpecialTokens[item.SpecialToken.ID]
			if !ok {
				return a, fmt.Errorf("special token %q is not in special_tokens", item.SpecialToken.ID)
			}
			if texts == 0 {
				a.before = append(a.before, special.IDs...)
			} else {
				a.after = append(a.after, special.IDs...)
			}
		default:
			return a, fmt.Errorf("single: an element is neither a SpecialToken nor the Sequence A")
		}
	}
	if texts != 1 {
		return a, fmt.Errorf("single: the Sequence A appears %d times, not once", texts)
	}
	return a, nil
}
