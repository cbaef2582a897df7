package tokenizer

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/datasets/tokenizer/normalform"
	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

// tinyTokenizer is the tokenizer of the built-in model tiny: byte-level BPE with GPT-2's word pattern.
func tinyTokenizer(t testing.TB) *Tokenizer {
	t.Helper()
	tokenizer, err := New(fixture.FolderReader(filepath.Join("..", "..", "mistral", "pretrained", "tiny")))
	if err != nil {
		t.Fatal(err)
	}
	return tokenizer
}

// hostileTexts seeds the fuzz tests with texts that hold white space and word boundaries, spell tokens out, are not
// valid UTF-8, or have characters at the edge of a class.
func hostileTexts() []string {
	return []string{
		"", " ", "   a  b ", "\n\n x\t", "a</s>b", "</s> </s>", "<s", "<unk><s>x", "<|user|>\nhi</s>\n", "▁", "▁a ▁",
		"<0x41>", "é🙂👩‍👩‍👧", "'s 'LL can't ſ", "\u2028a\u00a0b\u3000", "日本語の文章。 한국어 中文", "١٢٣ 123456 ½",
		"\xff\xc3", "a\xe2\x96", "\xf0\x9f\x99", "\uFFFD", "\x00", "e\u0301\u0327", "\U0010FFFF", "İßΣς",
		strings.Repeat("a", 100), strings.Repeat(" ", 100), strings.Repeat("=-", 40),
		strings.Repeat("\uFFFD", 10) + "ꉾ", strings.Repeat("\xff", 31) + "🙂é", strings.Repeat("\xab", 31) + "\u032b諫",
		"0" + strings.Repeat("\xb6", 4000) + "\xf0", strings.Repeat("\uFFFD", 700) + "諫a",
	}
}

// FuzzSentencePiece checks that Mistral's tokenizer returns every text unchanged, but for three things: U+2581, its
// letter for a space, becomes a space; invalid UTF-8 becomes U+FFFD; and text after an added token that is spelled out
// gets a space.
func FuzzSentencePiece(f *testing.F) {
	for _, text := range hostileTexts() {
		f.Add(text)
	}
	tokenizer := goldenTokenizer(f)
	f.Fuzz(func(t *testing.T, text string) {
		fuzztest.Bounded(t, len(text), 10*time.Second, func() {
			var want strings.Builder
			for i, stretch := range splitAdded(normalform.ReplaceInvalid(text), "<unk>", "<s>", "</s>") {
				if i > 0 && !slices.Contains([]string{"<unk>", "<s>", "</s>"}, stretch) {
					want.WriteString(" ")
				}
				want.WriteString(strings.ReplaceAll(stretch, spaceMark, " "))
			}
			checkEncoding(t, tokenizer, text, want.String())
		})
	})
}

// FuzzByteLevel checks that a byte-level tokenizer returns every text unchanged, added tokens that are spelled out
// included.
func FuzzByteLevel(f *testing.F) {
	for _, text := range hostileTexts() {
		f.Add(text)
	}
	tokenizer := tinyTokenizer(f)
	f.Fuzz(func(t *testing.T, text string) {
		fuzztest.Bounded(t, len(text), 10*time.Second, func() {
			checkEncoding(t, tokenizer, text, normalform.ReplaceInvalid(text))
		})
	})
}

// splitAdded splits a text into added tokens and the stretches between them; no token may be the beginning of another.
func splitAdded(text string, added ...string) (stretches []string) {
	begin := 0
	for i := 0; i < len(text); i++ {
		for _, token := range added {
			if !strings.HasPrefix(text[i:], token) {
				continue
			}
			if begin < i {
				stretches = append(stretches, text[begin:i])
			}
			stretches = append(stretches, token)
			begin = i + len(token)
			i = begin - 1
			break
		}
	}
	if begin < len(text) {
		stretches = append(stretches, text[begin:])
	}
	return stretches
}

// checkEncoding compares the ids of a text with the definition of byte-pair encoding, their decoded text with want, and
// streaming with decoding at once.
func checkEncoding(t *testing.T, tokenizer *Tokenizer, text, want string) {
	ids := tokenizer.Encode(text, false)
	if got := tokenizer.Decode(ids, false); got != want {
		t.Errorf("%q decodes to %q, want %q", text, got, want)
	}
	withSpecial := slices.Concat(tokenizer.affixes.before, ids, tokenizer.affixes.after)
	if got := tokenizer.Encode(text, true); !slices.Equal(got, withSpecial) {
		t.Errorf("%q: with special tokens %v, without %v", text, got, ids)
	}
	plain, stream := "", tokenizer.NewStream()
	for _, id := range ids {
		if id < 0 || int(id) >= tokenizer.VocabSize() {
			t.Fatalf("%q: id %d is outside the vocabulary of %d", text, id, tokenizer.VocabSize())
		}
		plain += stream.Push(id)
	}
	if plain += stream.Flush(); plain != tokenizer.Decode(ids, true) {
		t.Errorf("%q: streamed %q, decoded %q", text, plain, tokenizer.Decode(ids, true))
	}
	if len(text) > 500 {
		return // naiveEncode takes quadratic time
	}
	var naive []int32
	appendID := func(id int32) { naive = append(naive, id) }
	appendWord := func(word string, _ bool) { naive = append(naive, naiveEncode(tokenizer.model, word)...) }
	tokenizer.raw.Split(normalform.ReplaceInvalid(text), tokenizer.isText, func(stretch string, offset int) {
		tokenizer.split(tokenizer.normalize(stretch), offset == 0, appendWord)
	}, appendID)
	if !slices.Equal(ids, naive) {
		t.Errorf("%q: %v, by the definition %v", text, ids, naive)
	}
}

// bothFamilies are a SentencePiece-like and a byte-level tokenizer.
func bothFamilies(t testing.TB) map[string]*Tokenizer {
	return map[string]*Tokenizer{"sentencepiece": goldenTokenizer(t), "bytelevel": tinyTokenizer(t)}
}

// TestTokenizerMegabyte checks that texts which are slow for a quadratic tokenizer take less than two seconds per
// megabyte.
func TestTokenizerMegabyte(t *testing.T) {
	units := []string{"a", " ", "🙂", "\n", "漢字かなカナ한글。", "é", "ab", "'", "</s>", "\xff", "▁", "9", "\t "}
	for name, tokenizer := range bothFamilies(t) {
		for _, unit := range units {
			text := strings.Repeat(unit, 1<<20/len(unit))
			var ids []int32
			took := time.Hour
			for try := 0; took > 2*time.Second && try < 3; try++ { // other processes may have used the cores
				start := time.Now()
				ids = tokenizer.Encode(text, false)
				took = time.Since(start)
			}
			if took > 2*time.Second {
				t.Errorf("%s: 1 MiB of %q took %v", name, unit, took)
			}
			t.Logf("%s: 1 MiB of %q: %v, %d tokens", name, unit, took.Round(time.Millisecond), len(ids))
			want := normalform.ReplaceInvalid(text)
			if name == "sentencepiece" {
				want = strings.ReplaceAll(want, spaceMark, " ")
			}
			if tokenizer.Decode(ids, false) != want {
				t.Errorf("%s: 1 MiB of %q decodes to another text", name, unit)
			}
		}
	}
}
