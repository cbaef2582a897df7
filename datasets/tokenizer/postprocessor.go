package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
)

// affixes are the special tokens that a tokenizer puts before and after a text.
type affixes struct{ before, after []int32 }

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
	case "Sequence":
		var f struct {
			Type       string
			Processors []json.RawMessage
		}
		if err := decodeStrict(raw, &f); err != nil {
			return a, fmt.Errorf("post_processor Sequence: %w", err)
		}
		for _, member := range f.Processors {
			outer, err := newAffixes(member, depth+1)
			if err != nil {
				return a, err
			}
			a = affixes{slices.Concat(outer.before, a.before), slices.Concat(a.after, outer.after)}
		}
		return a, nil
	default:
		err = fmt.Errorf("is not supported (TemplateProcessing, ByteLevel and Sequence are)")
	}
	if err != nil {
		err = fmt.Errorf("post_processor %q: %w", kind, err)
	}
	return a, err
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

// force applies add_bos_token and add_eos_token: where set, they decide whether the affixes begin with BOS and end with
// EOS.
func (a *affixes) force(addBOS, addEOS *bool, bos, eos int32) error {
	if addBOS != nil {
		has := len(a.before) > 0 && bos >= 0 && a.before[0] == bos
		switch {
		case *addBOS && bos < 0:
			return fmt.Errorf("add_bos_token is true but there is no bos_token")
		case *addBOS && !has:
			a.before = append([]int32{bos}, a.before...)
		case !*addBOS && has:
			a.before = a.before[1:]
		}
	}
	if addEOS != nil {
		last := len(a.after) - 1
		has := last >= 0 && eos >= 0 && a.after[last] == eos
		switch {
		case *addEOS && eos < 0:
			return fmt.Errorf("add_eos_token is true but there is no eos_token")
		case *addEOS && !has:
			a.after = append(a.after, eos)
		case !*addEOS && has:
			a.after = a.after[:last]
		}
	}
	return nil
}
