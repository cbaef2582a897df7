package tokenizer

import (
	"slices"
	"testing"
)

func TestWordPatterns(t *testing.T) {
	for _, c := range []struct {
		text                string
		gpt2, llama3, qwen2 []string // nil: the same as the one before
	}{
		{text: "Hello world", gpt2: []string{"Hello", " world"}},
		{text: "I'll we'RE", gpt2: []string{"I", "'ll", " we", "'", "RE"}, llama3: []string{"I", "'ll", " we", "'RE"}},
		{text: "a  b", gpt2: []string{"a", " ", " b"}},
		{text: "a \n b", gpt2: []string{"a", " \n", " b"}},
		{text: "a \n\n  ", gpt2: []string{"a", " \n\n  "}, llama3: []string{"a", " \n\n", "  "}},
		{text: "x=1234", gpt2: []string{"x", "=", "1234"}, llama3: []string{"x", "=", "123", "4"},
			qwen2: []string{"x", "=", "1", "2", "3", "4"}},
		{text: " 12", gpt2: []string{" 12"}, llama3: []string{" ", "12"}, qwen2: []string{" ", "1", "2"}},
		{text: "#tag?!\n\nx", gpt2: []string{"#", "tag", "?!", "\n", "\n", "x"},
			llama3: []string{"#tag", "?!\n\n", "x"}},
		{text: "'ſ'", gpt2: []string{"'", "ſ", "'"}, llama3: []string{"'ſ", "'"}},
		{text: "\u00a0\u00a0é", gpt2: []string{"\u00a0", "\u00a0", "é"}, llama3: []string{"\u00a0", "\u00a0é"}},
	} {
		if c.llama3 == nil {
			c.llama3 = c.gpt2
		}
		if c.qwen2 == nil {
			c.qwen2 = c.llama3
		}
		for _, p := range []struct {
			name string
			next func(string) int
			want []string
		}{
			{"gpt2", gpt2Word, c.gpt2},
			{"llama3", func(s string) int { return llama3Word(s, 3) }, c.llama3},
			{"qwen2", func(s string) int { return llama3Word(s, 1) }, c.qwen2},
		} {
			var got []string
			scanWords(c.text, p.next, func(word string) { got = append(got, word) })
			if !slices.Equal(got, p.want) {
				t.Errorf("%s: %q is split into %q, want %q", p.name, c.text, got, p.want)
			}
		}
	}
}
