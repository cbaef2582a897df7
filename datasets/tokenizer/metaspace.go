package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
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

// checkFirst refuses a Metaspace that puts its letter before the first text only, after a normalizer that can remove
// the beginning of a text: Hugging Face's tokenizers leave the letter out then.
func checkFirst(normalizer, preTokenizer json.RawMessage) error {
	removes := anyComponent(normalizer, func(c component) bool {
		return c.Type == "Strip" && c.StripLeft || c.Type == "Replace" && c.Content == ""
	})
	first := anyComponent(preTokenizer, func(c component) bool {
		return c.Type == "Metaspace" && c.PrependScheme == "first"
	})
	if removes && first {
		return fmt.Errorf(`pre_tokenizer Metaspace: prepend_scheme "first" is not supported after a normalizer that can ` +
			"remove the beginning of a text")
	}
	return nil
}

// spaceMark is the letter that SentencePiece writes for a space.
const spaceMark = "\u2581"

// canSplitBefore reports whether text may be split before each run of mark without changing any id. This holds when no
// merge puts a symbol that does not end with mark before a symbol that begins with it. A long text then becomes many
// short words.
func (m *bpe) canSplitBefore(mark string) bool {
	if m.byteLevel || m.whole != nil || m.id(mark) < 0 || m.prefix != "" || m.suffix != "" {
		return false // a prefix and a suffix depend on where words begin and end
	}
	for merge := range m.merges.All {
		left, _ := m.vocab.Text(merge.Left)
		right, _ := m.vocab.Text(merge.Right)
		if strings.HasPrefix(right, mark) && !strings.HasSuffix(left, mark) {
			return false
		}
	}
	return true
}

// splitBeforeSpaceMark is a splitter that splits text before each run of spaceMark.
func splitBeforeSpaceMark(text string, first bool, emit func(word string, first bool)) {
	scanWords(text, first, func(rest string) int {
		n := 0
		for strings.HasPrefix(rest[n:], spaceMark) {
			n += len(spaceMark)
		}
		if next := strings.Index(rest[n:], spaceMark); next >= 0 {
			return n + next
		}
		return len(rest)
	}, emit)
}
