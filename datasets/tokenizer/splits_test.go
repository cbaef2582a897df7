package tokenizer

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
)

// TestSplits compares the words of the layouts of published models with those that Hugging Face's tokenizers gave
// (testdata/record_splits.py).
func TestSplits(t *testing.T) {
	var recorded struct {
		Texts   []string
		Layouts map[string]struct {
			Normalizer   json.RawMessage
			PreTokenizer json.RawMessage `json:"pre_tokenizer"`
			Words        [][]string
		}
	}
	readJSON(t, filepath.Join("testdata", "splits.json"), &recorded)
	if len(recorded.Layouts) < 20 {
		t.Errorf("%d layouts, want at least 20", len(recorded.Layouts))
	}
	for name, layout := range recorded.Layouts {
		normalize, err := newNormalizer(layout.Normalizer)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		split, byteLevel, err := newSplitter(layout.PreTokenizer, 0)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if byteLevel {
			split = chainSplitters(split, spellBytes())
		}
		for i, text := range recorded.Texts {
			words := []string{}
			split(normalize(text), true, func(word string, _ bool) { words = append(words, word) })
			if !slices.Equal(words, layout.Words[i]) {
				t.Errorf("%s: %q is split into %q, want %q", name, text, words, layout.Words[i])
			}
		}
	}
}
