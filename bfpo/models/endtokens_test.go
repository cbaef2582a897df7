package models

import (
	"slices"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// TestEndTokens finds the tokens that a tokenizer and a chat template put behind an answer.
func TestEndTokens(t *testing.T) {
	turns := func(behind string) string {
		return "{% for m in messages %}<|user|>{{ m.content }}" + behind + "{% endfor %}"
	}
	for _, test := range []struct {
		template string
		want     []string
	}{
		{"zephyr", []string{"</s>"}},
		{turns("{{ eos_token }}\n"), []string{"</s>"}},
		{turns(" <|assistant|>"), []string{"</s>", "<|assistant|>"}},
		{turns("\n\nUser:"), []string{"</s>"}},
		{turns(""), []string{"</s>"}},
		{"{{ raise_exception('no dialogues') }}", []string{"</s>"}},
	} {
		c, err := pretrained.Open(pretrained.Tiny)
		if err != nil {
			t.Fatal(err)
		}
		before := len(c.EndTokens())
		language, err := NewChatTokenizer(t.Context(), c, recipe.Config{ChatTemplate: test.template})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		ends, err := endTokens(t.Context(), language.Tokenizer, language.Template)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ends {
			got = append(got, language.Token(id))
		}
		slices.Sort(got)
		slices.Sort(test.want)
		if got = slices.Compact(got); !slices.Equal(got, test.want) {
			t.Errorf("%q ends answers with %q, want %q", test.template, got, test.want)
		}
		if after := len(c.EndTokens()); after != before+len(test.want)-1 {
			t.Errorf("%q: %d end tokens became %d", test.template, before, after)
		}
	}
}
