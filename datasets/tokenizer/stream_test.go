package tokenizer

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/datasets/fixture"
)

func TestStream(t *testing.T) {
	tokenizer := mustTokenizer(t, byteLevelJSON(nil))
	stream := tokenizer.NewStream()
	var texts []string
	for _, id := range tokenizer.Encode("a🙂<|im_end|>é", false) {
		texts = append(texts, stream.Push(id))
	}
	if want := []string{"a", "", "", "", "🙂", "", "é"}; !slices.Equal(texts, want) {
		t.Errorf("Push returns %q, want %q", texts, want)
	}
	stream.Push(int32(0xF0)) // the first byte of an emoji, and then nothing
	if got := stream.Flush(); got != "\uFFFD" {
		t.Errorf("Flush returns %q", got)
	}
}

// TestPieces checks that the texts of a row's tokens make up the row's text, and that a character of several tokens
// belongs to the last of them.
func TestPieces(t *testing.T) {
	for name, file := range bothFiles() {
		tokenizer, err := New(fixture.FileReader(map[string]string{"tokenizer.json": file}))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"", "ab abc", " a  b", "日本 é", "a\nb", "</s> ab"} {
			ids := tokenizer.Encode(text, true)
			texts, want := tokenizer.TokenTexts(ids), tokenizer.Decode(ids, false)
			if joined := strings.Join(texts, ""); len(texts) != len(ids) || joined != want {
				t.Errorf("%s: %q: texts %q of %d ids do not make up %q", name, text, texts, len(ids), want)
			}
		}
	}
	tokenizer, err := New(fixture.FileReader(map[string]string{"tokenizer.json": sentencePieceJSON(nil)}))
	if err != nil {
		t.Fatal(err)
	}
	got, want := tokenizer.TokenTexts(tokenizer.Encode("ab日abc", true)), []string{"<s>", " ab", "", "", "日", "abc"}
	if !slices.Equal(got, want) {
		t.Errorf("texts %q, want %q", got, want)
	}
}

// TestStreamInvalidBytes checks that the output of a model which never completes a character is streamed in linear time
// and in small steps.
func TestStreamInvalidBytes(t *testing.T) {
	const n = 1 << 14
	for name, tokenizer := range bothFamilies(t) {
		ids := tokenizer.Encode("\uFFFDa"+strings.Repeat("\u0590", 4), false)
		firstByte := ids[len(ids)-2] // the first byte of a character
		stream := tokenizer.NewStream()
		start, given := time.Now(), 0
		for i := range n {
			given += len(stream.Push(firstByte))
			if missing := i + 1 - given/3; missing > 2*maxPending {
				t.Fatalf("%s: %d of %d tokens are held back", name, missing, i+1)
			}
		}
		if given += len(stream.Flush()); given != 3*n {
			t.Errorf("%s: %d bytes of text, want %d", name, given, 3*n)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: %d tokens took %v", name, n, took)
		}
	}
}
