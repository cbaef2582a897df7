package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
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
// the beginning of a text: Hugging Face's tokenizers leave the letter out then. It also refuses one behind another
// pre-tokenizer after a normalizer that makes several characters of one: the tokenizers put a letter before each word
// that comes from the first character.
func checkFirst(normalizer, preTokenizer json.RawMessage) error {
	removes := anyComponent(normalizer, func(c component) bool {
		return c.Type == "Strip" && c.StripLeft || c.Type == "Replace" && c.Content == ""
	})
	first := anyComponent(preTokenizer, isFirst)
	if removes && first {
		return fmt.Errorf(`pre_tokenizer Metaspace: prepend_scheme "first" is not supported after a normalizer that can ` +
			"remove the beginning of a text")
	}
	expands := anyComponent(normalizer, func(c component) bool {
		return slices.Contains([]string{"NFD", "NFKD", "NFKC"}, c.Type) ||
			c.Type == "Replace" && utf8.RuneCountInString(c.Content) > 1
	})
	behind := anyComponent(preTokenizer, func(c component) bool {
		return len(c.Pretokenizers) > 1 && !anyComponent(c.Pretokenizers[0], isFirst)
	})
	if expands && first && behind {
		return fmt.Errorf(`pre_tokenizer Metaspace: prepend_scheme "first" is not supported behind another pre-tokenizer ` +
			"and after a normalizer that makes several characters of one")
	}
	return nil
}

// isFirst reports whether a component puts a letter before the first text only.
func isFirst(c component) bool { return c.Type == "Metaspace" && c.PrependScheme == "first" }

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
