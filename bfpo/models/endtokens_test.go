package models

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/graph/device"
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

// TestEOSToken replaces the EOS token by another token of the vocabulary, in the tokenizer and in an exported model.
func TestEOSToken(t *testing.T) {
	c, err := pretrained.Open(pretrained.Tiny)
	if err != nil {
		t.Fatal(err)
	}
	config := recipe.Config{EOSToken: "<|assistant|>"}
	language, err := NewChatTokenizer(t.Context(), c, config)
	if err != nil {
		t.Fatal(err)
	}
	language.SetFiles(c, config)
	out := filepath.Join(t.TempDir(), "out")
	if err := pretrained.Export(out, c, &device.TensorSet{}, dtypes.Float32); err != nil {
		t.Fatal(err)
	}
	exported, err := pretrained.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewChatTokenizer(t.Context(), exported, recipe.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for name, tokenizer := range map[string]ChatTokenizer{"training": language, "export": again} {
		if id, _ := tokenizer.EOS(); tokenizer.Token(id) != config.EOSToken {
			t.Errorf("%s: EOS is %q", name, tokenizer.Token(id))
		}
	}
	want, _ := language.ID(config.EOSToken)
	if first := exported.EndTokens()[0]; first != want {
		t.Errorf("the exported model ends its answers with %d, want %d", first, want)
	}
	if _, err := NewChatTokenizer(t.Context(), c, recipe.Config{EOSToken: "<eos>"}); err == nil ||
		!strings.Contains(err.Error(), `eos_token: the tokenizer has no token "<eos>"`) {
		t.Errorf("an unknown token: %v", err)
	}
}
