package tokenizer

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// metaspace is a Metaspace component: it writes each space as a visible letter, usually U+2581, and puts one before the
// text.
type metaspace struct {
	mark   string // the letter
	scheme string // where a letter is put: always, first (only at the beginning of the input) or never
	split  bool   // split the text before each letter
}

// parseMetaspace reads a Metaspace component, which pre-tokenizers and decoders share.
func parseMetaspace(raw json.RawMessage) (m metaspace, err error) {
	f := struct {
		Type           string
		Replacement    string
		StrRep         string `json:"str_rep"`          // older files; the same as Replacement
		AddPrefixSpace bool   `json:"add_prefix_space"` // older files
		PrependScheme  string `json:"prepend_scheme"`
		Split          bool
	}{AddPrefixSpace: true, Split: true}
	if err := decodeStrict(raw, &f); err != nil {
		return m, err
	}
	if utf8.RuneCountInString(f.Replacement) != 1 || f.StrRep != "" && f.StrRep != f.Replacement {
		return m, fmt.Errorf("replacement %q is not one character", f.Replacement)
	}
	if f.PrependScheme == "" {
		f.PrependScheme = "always"
		if !f.AddPrefixSpace {
			f.PrependScheme = "never"
		}
	}
	if f.PrependScheme != "always" && f.PrependScheme != "first" && f.PrependScheme != "never" {
		return m, fmt.Errorf("prepend_scheme %q is not one of always, first, never", f.PrependScheme)
	}
	return metaspace{f.Replacement, f.PrependScheme, f.Split}, nil
}
