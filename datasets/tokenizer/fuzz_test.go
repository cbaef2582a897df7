package tokenizer

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/datasets/fixture"
)

// tinyTokenizer is that of the built-in model tiny: byte-level BPE with GPT-2's words.
func tinyTokenizer(t testing.TB) *Tokenizer {
	t.Helper()
	tokenizer, err := New(fixture.FolderReader(filepath.Join("..", "..", "mistral", "pretrained", "tiny")))
	if err != nil {
		t.Fatal(err)
	}
	return tokenizer
}

// hostileTexts are seeds of the fuzz tests: what splits words, spells tokens out, is no UTF-8 or lies at the edge of a class.
func hostileTexts() []string {
	return []string{"", " ", "   a  b ", "\n\n x\t", "a</s>b", "</s> </s>", "<s", "<unk><s>x", "<|user|>\nhi</s>\n", "▁", "▁a ▁", "<0x41>", "é🙂👩‍👩‍👧",
		"'s 'LL can't ſ", "\u2028a\u00a0b\u3000", "日本語の文章。 한국어 中文", "١٢٣ 123456 ½", "\xff\xc3", "a\xe2\x96", "\xf0\x9f\x99", "\uFFFD", "\x00",
		strings.Repeat("a", 100), strings.Repeat(" ", 100), strings.Repeat("=-", 40), "e\u0301\u0327", "\U0010FFFF", "İßΣς",
		strings.Repeat("\uFFFD", 10) + "ꉾ", strings.Repeat("\xff", 31) + "🙂é", strings.Repeat("\xab", 31) + "\u032b諫",
		"0" + strings.Repeat("\xb6", 4000) + "\xf0", strings.Repeat("\uFFFD", 700) + "諫a"}
}

// FuzzSentencePiece: Mistral's tokenizer gives a text back with a blank for each U+2581, which is its letter for a blank, with U+FFFD for
// bytes that are not UTF-8, and with one blank put before each stretch of text that follows an added token written out.
func FuzzSentencePiece(f *testing.F) {
	for _, text := range hostileTexts() {
		f.Add(text)
	}
	tokenizer := goldenTokenizer(f)
	f.Fuzz(func(t *testing.T, text string) {
		var want strings.Builder
		for i, part := range splitAdded(replaceInvalid(text), "<unk>", "<s>", "</s>") {
			if i > 0 && !slices.Contains([]string{"<unk>", "<s>", "</s>"}, part) {
				want.WriteString(" ")
			}
			want.WriteString(strings.ReplaceAll(part, spaceMark, " "))
		}
		checkEncoding(t, tokenizer, text, want.String())
	})
}

// FuzzByteLevel: a byte-level tokenizer gives every text back, added tokens written out included.
func FuzzByteLevel(f *testing.F) {
	for _, text := range hostileTexts() {
		f.Add(text)
	}
	tokenizer := tinyTokenizer(f)
	f.Fuzz(func(t *testing.T, text string) { checkEncoding(t, tokenizer, text, replaceInvalid(text)) })
}

// splitAdded cuts a text into added tokens and what lies between them, where no token begins another.
func splitAdded(text string, added ...string) (parts []string) {
	begin := 0
	for i := 0; i < len(text); i++ {
		for _, token := range added {
			if !strings.HasPrefix(text[i:], token) {
				continue
			}
			if begin < i {
				parts = append(parts, text[begin:i])
			}
			parts = append(parts, token)
			begin = i + len(token)
			i = begin - 1
			break
		}
	}
	if begin < len(text) {
		parts = append(parts, text[begin:])
	}
	return parts
}

// checkEncoding holds one text's ids against the definition of byte-pair encoding, their text against want, and all ways to write it
// against each other.
func checkEncoding(t *testing.T, tokenizer *Tokenizer, text, want string) {
	ids := tokenizer.Encode(text, false)
	if got := tokenizer.Decode(ids, false); got != want {
		t.Errorf("%q comes back as %q, want %q", text, got, want)
	}
	if whole := slices.Concat(tokenizer.affixes.before, ids, tokenizer.affixes.after); !slices.Equal(tokenizer.Encode(text, true), whole) {
		t.Errorf("%q: with special tokens %v, without %v", text, tokenizer.Encode(text, true), ids)
	}
	plain, stream := "", tokenizer.NewStream()
	for _, id := range ids {
		if id < 0 || int(id) >= tokenizer.VocabSize() {
			t.Fatalf("%q: id %d lies outside the vocabulary of %d", text, id, tokenizer.VocabSize())
		}
		plain += stream.Push(id)
	}
	if plain += stream.Flush(); plain != tokenizer.Decode(ids, true) {
		t.Errorf("%q: streamed %q, decoded %q", text, plain, tokenizer.Decode(ids, true))
	}
	if len(text) > 500 {
		return // the definition takes quadratic time
	}
	var naive []int32
	add := func(id int32) { naive = append(naive, id) }
	tokenizer.raw.split(replaceInvalid(text), func(part string, at int) {
		tokenizer.split(tokenizer.normalize(part), at == 0, func(word string) { naive = append(naive, naiveEncode(tokenizer.model, word)...) })
	}, add)
	if !slices.Equal(ids, naive) {
		t.Errorf("%q: %v, by the definition %v", text, ids, naive)
	}
}

// TestTokenizerMegabyte: the texts that are slow for a quadratic tokenizer take less than two seconds a megabyte.
func TestTokenizerMegabyte(t *testing.T) {
	for name, tokenizer := range map[string]*Tokenizer{"sentencepiece": goldenTokenizer(t), "bytelevel": tinyTokenizer(t)} {
		for _, unit := range []string{"a", " ", "🙂", "\n", "漢字かなカナ한글。", "é", "ab", "'", "</s>", "\xff", "▁", "9", "\t "} {
			text := strings.Repeat(unit, 1<<20/len(unit))
			var ids []int32
			took := time.Hour
			for try := 0; took > 2*time.Second && try < 3; try++ { // another process may have had the cores
				start := time.Now()
				ids = tokenizer.Encode(text, false)
				took = time.Since(start)
			}
			if took > 2*time.Second {
				t.Errorf("%s: 1 MiB of %q took %v", name, unit, took)
			}
			t.Logf("%s: 1 MiB of %q: %v, %d tokens", name, unit, took.Round(time.Millisecond), len(ids))
			want := replaceInvalid(text)
			if name == "sentencepiece" {
				want = strings.ReplaceAll(want, spaceMark, " ")
			}
			if tokenizer.Decode(ids, false) != want {
				t.Errorf("%s: 1 MiB of %q does not come back", name, unit)
			}
		}
	}
}

// TestStreamBabble: a model that writes broken bytes without end is streamed in linear time, some text at a time.
func TestStreamBabble(t *testing.T) {
	const n = 1 << 14
	for name, tokenizer := range map[string]*Tokenizer{"sentencepiece": goldenTokenizer(t), "bytelevel": tinyTokenizer(t)} {
		ids := tokenizer.Encode("\uFFFDa"+strings.Repeat("\u0590", 4), false)
		broken := ids[len(ids)-2] // the first byte of a letter
		stream := tokenizer.NewStream()
		start, given := time.Now(), 0
		for i := range n {
			given += len(stream.Push(broken))
			if missing := i + 1 - given/3; missing > 2*maxHeld {
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
