package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
)

// affixes are the ids that a tokenizer puts before and after an encoded text when special tokens are asked for.
type affixes struct{ before, after []int32 }

// newAffixes compiles the "post_processor" of a tokenizer.json for a single text; templates for pairs of texts are not used here.
func newAffixes(raw json.RawMessage, depth int) (a affixes, err error) {
	kind, err := componentType(raw, depth)
	if err != nil {
		return a, fmt.Errorf("post_processor: %w", err)
	}
	switch kind {
	case "", "ByteLevel": // ByteLevel only trims offsets
		return a, nil
	case "TemplateProcessing":
		a, err = templateAffixes(raw)
	case "Sequence":
		var f struct {
			Type       string
			Processors []json.RawMessage
		}
		if err := decodeStrict(raw, &f); err != nil {
			return a, fmt.Errorf("post_processor Sequence: %w", err)
		}
		for _, part := range f.Processors {
			outer, err := newAffixes(part, depth+1)
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

type templatePart struct {
	SpecialToken *struct {
		ID     string
		TypeID int `json:"type_id"`
	}
	Sequence *struct {
		ID     string
		TypeID int `json:"type_id"`
	}
}

func templateAffixes(raw json.RawMessage) (a affixes, err error) {
	var f struct {
		Type          string
		Single        []templatePart
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
	for _, part := range f.Single {
		switch {
		case part.Sequence != nil && part.Sequence.ID == "A":
			texts++
		case part.SpecialToken != nil:
			special, ok := f.SpecialTokens[part.SpecialToken.ID]
			if !ok {
				return a, fmt.Errorf("special token %q is not in special_tokens", part.SpecialToken.ID)
			}
			if texts == 0 {
				a.before = append(a.before, special.IDs...)
			} else {
				a.after = append(a.after, special.IDs...)
			}
		default:
			return a, fmt.Errorf("single: a part is neither a SpecialToken nor the Sequence A")
		}
	}
	if texts != 1 {
		return a, fmt.Errorf("single: the Sequence A stands there %d times, not once", texts)
	}
	return a, nil
}

// force makes the ids before (or after) the text begin (or end) with a token, or not, as add_bos_token and add_eos_token say.
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
