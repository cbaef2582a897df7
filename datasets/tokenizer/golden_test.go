package tokenizer

import (
	"slices"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/fixture"
)

func goldenTokenizer(t testing.TB) *Tokenizer {
	t.Helper()
	tokenizer, err := New(fixture.FolderReader(fixture.Mistral(t)))
	if err != nil {
		t.Fatal(err)
	}
	return tokenizer
}

// TestTokenizerGolden compares with the Mistral tokenizer of transformers 4.36.2.
func TestTokenizerGolden(t *testing.T) {
	var golden struct {
		Cases []struct {
			Text       string
			IDs        []int32
			Bare       []int32 `json:"ids_no_special"`
			Decode     string
			DecodeSkip string `json:"decode_skip_special"`
		}
	}
	fixture.Read(t, &golden, "tokenizer_cases.json")
	tokenizer := goldenTokenizer(t)
	for _, c := range golden.Cases {
		if got := tokenizer.Encode(c.Text, true); !slices.Equal(got, c.IDs) {
			t.Errorf("Encode(%q, true) = %v, want %v", c.Text, got, c.IDs)
		}
		if got := tokenizer.Encode(c.Text, false); !slices.Equal(got, c.Bare) {
			t.Errorf("Encode(%q, false) = %v, want %v", c.Text, got, c.Bare)
		}
		if got := tokenizer.Decode(c.IDs, false); got != c.Decode {
			t.Errorf("Decode(%v, false) = %q, want %q", c.IDs, got, c.Decode)
		}
		if got := tokenizer.Decode(c.IDs, true); got != c.DecodeSkip {
			t.Errorf("Decode(%v, true) = %q, want %q", c.IDs, got, c.DecodeSkip)
		}
		var streamed string
		stream := tokenizer.NewStream()
		for _, id := range c.IDs {
			streamed += stream.Push(id)
		}
		if streamed += stream.Flush(); streamed != c.DecodeSkip {
			t.Errorf("streaming %v gives %q, want %q", c.IDs, streamed, c.DecodeSkip)
		}
	}
	if n := len(golden.Cases); n != 349 {
		t.Errorf("%d cases, want 349", n)
	}
}

func TestTokenizerGoldenSpecials(t *testing.T) {
	tokenizer := goldenTokenizer(t)
	bos, _ := tokenizer.BOS()
	eos, _ := tokenizer.EOS()
	unk, _ := tokenizer.Unk()
	_, pad := tokenizer.Pad()
	if bos != 1 || eos != 2 || unk != 0 || pad || tokenizer.VocabSize() != 32000 {
		t.Errorf("bos %d, eos %d, unk %d, pad %t, vocabulary %d", bos, eos, unk, pad, tokenizer.VocabSize())
	}
}
