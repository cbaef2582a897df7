package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/datasets/tokenizer/vocabulary"
	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

// object and list are the values of a tokenizer.json.
type (
	object = map[string]any
	list   = []any
)

// sentencePieceJSON is a Mistral-like tokenizer.json: ids 0-2 special, then the 256 byte tokens, then letters and
// merges.
func sentencePieceJSON(edit func(file object)) string {
	vocab := map[string]int{"<unk>": 0, "<s>": 1, "</s>": 2}
	for b := range 256 {
		vocab[fmt.Sprintf("<0x%02X>", b)] = 3 + b
	}
	tokens := []string{"▁", "a", "b", "c", "ab", "abc", "bc", "▁a", "▁ab", "▁▁", "▁▁▁▁", "é", "aa", "aaaa"}
	for _, token := range tokens {
		vocab[token] = len(vocab)
	}
	return tokenizerJSON(object{
		"normalizer": object{"type": "Sequence", "normalizers": list{
			object{"type": "Prepend", "prepend": "▁"},
			object{"type": "Replace", "pattern": object{"String": " "}, "content": "▁"},
		}},
		"post_processor": bosTemplate("<s>", 1),
		"decoder": object{"type": "Sequence", "decoders": list{
			object{"type": "Replace", "pattern": object{"String": "▁"}, "content": " "},
			object{"type": "ByteFallback"}, object{"type": "Fuse"},
			object{"type": "Strip", "content": " ", "start": 1, "stop": 0},
		}},
		"model": object{"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true, "vocab": vocab,
			"merges": []string{"a b", "b c", "ab c", "▁ a", "▁ ab", "▁ ▁", "▁▁ ▁▁", "a a", "aa aa"}},
		"added_tokens": list{addedJSON(0, "<unk>"), addedJSON(1, "<s>"), addedJSON(2, "</s>")},
	}, edit)
}

// byteLevelJSON is a GPT-2-like tokenizer.json: ids 0-255 the letters of the bytes, then merges, then two special
// tokens.
func byteLevelJSON(edit func(file object)) string {
	vocab := map[string]int{}
	for b, letter := range vocabulary.Letters() {
		vocab[string(letter)] = b
	}
	for _, token := range []string{"ab", "abc", "Ġa", "Ġab", "ĠĠ", "ĠĠĠĠ", "aa", "aaaa", "Ã©"} {
		vocab[token] = len(vocab)
	}
	return tokenizerJSON(object{
		"pre_tokenizer": object{
			"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
		"decoder": object{"type": "ByteLevel"},
		"model": object{"type": "BPE", "vocab": vocab, "merges": [][2]string{{"a", "b"}, {"ab", "c"}, {"Ġ", "a"},
			{"Ġ", "ab"}, {"Ġ", "Ġ"}, {"ĠĠ", "ĠĠ"}, {"a", "a"}, {"aa", "aa"}, {"Ã", "©"}}},
		"added_tokens": list{addedJSON(265, "<|im_start|>"), addedJSON(266, "<|im_end|>")},
	}, edit)
}

// tokenizerJSON writes a tokenizer.json after edit, if any, has changed it.
func tokenizerJSON(file object, edit func(file object)) string {
	if edit != nil {
		edit(file)
	}
	data, err := json.Marshal(file)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func addedJSON(id int, content string) object {
	return object{"id": id, "content": content, "special": true, "normalized": false}
}

func bosTemplate(bos string, id int) object {
	return object{"type": "TemplateProcessing",
		"single": list{object{"SpecialToken": object{"id": bos, "type_id": 0}},
			object{"Sequence": object{"id": "A", "type_id": 0}}},
		"pair":           list{},
		"special_tokens": object{bos: object{"id": bos, "ids": []int{id}, "tokens": []string{bos}}}}
}

func mustTokenizer(t testing.TB, tokenizerJSON string) *Tokenizer {
	t.Helper()
	tokenizer, err := New(fixture.FileReader(map[string]string{"tokenizer.json": tokenizerJSON}))
	if err != nil {
		t.Fatal(err)
	}
	return tokenizer
}

// tokenTexts returns the tokens of a row as the vocabulary spells them, for failures that a reader can understand.
func tokenTexts(t *Tokenizer, ids []int32) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = t.Token(id)
	}
	return texts
}

func TestEncodeSentencePiece(t *testing.T) {
	tokenizer := mustTokenizer(t, sentencePieceJSON(nil))
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"ab", "▁ab"},
		{"abc", "▁ abc"}, // "ab c" has a lower rank than "▁ ab"
		{"a bc", "▁a ▁ bc"},
		{"    a", "▁▁▁▁ ▁a"},
		{"é", "▁ é"},
		{"ü", "▁ <0xC3> <0xBC>"},
		{"ab</s>ab", "▁ab </s> ▁ab"}, // the text between added tokens gets its own ▁
		{"</s></s>", "</s> </s>"},
		{"\xff", "▁ <0xEF> <0xBF> <0xBD>"}, // not UTF-8: U+FFFD
	} {
		if got := strings.Join(tokenTexts(tokenizer, tokenizer.Encode(c.text, false)), " "); got != c.want {
			t.Errorf("%q: %s, want %s", c.text, got, c.want)
		}
	}
	if got := tokenizer.Encode("a", true); got[0] != 1 || len(got) != 2 {
		t.Errorf("BOS is missing: %v", got)
	}
}

func TestEncodeByteLevel(t *testing.T) {
	tokenizer := mustTokenizer(t, byteLevelJSON(nil))
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"ab", "ab"},
		{"ab abc", "ab Ġ abc"}, // "ab c" has a lower rank than "Ġ ab"
		{"  a", "Ġ Ġa"},
		{"é", "Ã©"},
		{"\n", "Ċ"},
		{"a<|im_end|>b", "a <|im_end|> b"},
	} {
		if got := strings.Join(tokenTexts(tokenizer, tokenizer.Encode(c.text, true)), " "); got != c.want {
			t.Errorf("%q: %s, want %s", c.text, got, c.want)
		}
	}
	if tokenizer.VocabSize() != 267 {
		t.Errorf("vocabulary %d, want 267", tokenizer.VocabSize())
	}
}

func TestTokenizerIgnoreMerges(t *testing.T) {
	// No merge leads to "Ġcab"; as a whole word it is one token.
	tokenizer := mustTokenizer(t, byteLevelJSON(func(file object) {
		model := file["model"].(object)
		model["vocab"].(map[string]int)["Ġcab"] = 300
		file["added_tokens"] = list{}
		model["ignore_merges"] = true
	}))
	if got := tokenizer.Encode(" cab cab", false); !slices.Equal(got, []int32{300, 300}) {
		t.Errorf("got %v, want [300 300]", got)
	}
}

func TestTokenizerUnknown(t *testing.T) {
	for _, c := range []struct {
		fuse bool
		want string
	}{{true, "▁a <unk> a"}, {false, "▁a <unk> <unk> a"}} {
		tokenizer := mustTokenizer(t, sentencePieceJSON(func(file object) {
			model := file["model"].(object)
			model["byte_fallback"], model["fuse_unk"] = false, c.fuse
		}))
		if got := strings.Join(tokenTexts(tokenizer, tokenizer.Encode("axya", false)), " "); got != c.want {
			t.Errorf("fuse %t: %s, want %s", c.fuse, got, c.want)
		}
	}
}

func TestTokenizerConfig(t *testing.T) {
	for _, c := range []struct {
		name, config, specials string
		ids                    []int32 // of "a"
		bos, eos, pad          int32
		err                    string
	}{
		{name: "none", ids: []int32{1, 266}, bos: -1, eos: -1, pad: -1},
		{name: "strings and objects",
			config: `{"bos_token": "<s>", "eos_token": {"content": "</s>"}, "pad_token": null}`,
			ids:    []int32{1, 266}, bos: 1, eos: 2, pad: -1},
		{name: "map as fallback", config: `{"bos_token": "<s>"}`,
			specials: `{"eos_token": "</s>", "pad_token": "<unk>"}`, ids: []int32{1, 266}, bos: 1, eos: 2, pad: 0},
		{name: "post_processor decides", ids: []int32{1, 266}, bos: 1, eos: 2, pad: -1,
			config: `{"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": false, "add_eos_token": true}`},
		{name: "late token",
			config: `{"pad_token": "[PAD]", "added_tokens_decoder": {"273": {"content": "[PAD]", "special": true}}}`,
			ids:    []int32{1, 266}, bos: -1, eos: -1, pad: 273},
		{name: "late gap", config: `{"added_tokens_decoder": {"300": {"content": "[PAD]"}}}`, err: "is 273"},
		{name: "new", config: `{"eos_token": "<end>", "pad_token": "[PAD]"}`,
			ids: []int32{1, 266}, bos: -1, eos: 273, pad: 274},
		{name: "map overrides", config: `{"eos_token": "<s>"}`, specials: `{"eos_token": "</s>"}`,
			ids: []int32{1, 266}, bos: -1, eos: 2, pad: -1},
		{name: "map does not count", config: `{"eos_token": "<s>", "added_tokens_decoder": {}}`,
			specials: `{"eos_token": "</s>"}`, ids: []int32{1, 266}, bos: -1, eos: 1, pad: -1},
		{name: "Llama", config: `{"tokenizer_class": "LlamaTokenizerFast"}`, ids: []int32{1, 266}, bos: 1, eos: 2, pad: -1},
		{name: "late conflict", config: `{"added_tokens_decoder": {"7": {"content": "<s>"}}}`,
			err: "has id 7 there and 1 in the vocabulary"},
		{name: "broken", config: `{`, err: "tokenizer_config.json: "},
	} {
		files := map[string]string{"tokenizer.json": sentencePieceJSON(nil)}
		if c.config != "" {
			files["tokenizer_config.json"] = c.config
		}
		if c.specials != "" {
			files["special_tokens_map.json"] = c.specials
		}
		tokenizer, err := New(fixture.FileReader(files))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want one with %q", c.name, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := tokenizer.Encode("a", true); !slices.Equal(got, c.ids) {
			t.Errorf("%s: %v, want %v", c.name, got, c.ids)
		}
		if tokenizer.bos != c.bos || tokenizer.eos != c.eos || tokenizer.pad != c.pad {
			t.Errorf("%s: bos %d eos %d pad %d", c.name, tokenizer.bos, tokenizer.eos, tokenizer.pad)
		}
	}
}

// bothFiles are a SentencePiece-like and a byte-level tokenizer.json.
func bothFiles() map[string]string {
	return map[string]string{"sentencepiece": sentencePieceJSON(nil), "bytelevel": byteLevelJSON(nil)}
}

// TestTokenizerLinear checks that encoding does not take quadratic time: a megabyte of the worst text takes about half
// a second, and would take many minutes in quadratic time, so the limit leaves room for a busy machine.
func TestTokenizerLinear(t *testing.T) {
	for family, file := range bothFiles() {
		tokenizer := mustTokenizer(t, file)
		for _, unit := range []string{"a", " ", "🙂", "ab ", "</s>", "\n", "'", "ab"} {
			text := strings.Repeat(unit, 1<<20/len(unit))
			start := time.Now()
			ids := tokenizer.Encode(text, false)
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("%s: 1 MiB of %q took %v", family, unit, took)
			}
			if got := tokenizer.Decode(ids, false); got != text {
				t.Errorf("%s: 1 MiB of %q decodes to another text", family, unit)
			}
		}
	}
}

func TestTokenizerConcurrent(t *testing.T) {
	tokenizer := mustTokenizer(t, byteLevelJSON(nil))
	text := strings.Repeat("ab abc  aaaa é", 100)
	want := tokenizer.Encode(text, false)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				if !slices.Equal(tokenizer.Encode(text, false), want) {
					t.Error("encodings differ between goroutines")
				}
			}
		})
	}
	group.Wait()
}

func ExampleNew() {
	// For a model folder, read is a function that reads its files by name.
	read := fixture.FileReader(map[string]string{"tokenizer.json": byteLevelJSON(nil)})
	tokenizer, err := New(read)
	if err != nil {
		panic(err)
	}
	ids := tokenizer.Encode("ab abc<|im_end|>", true)
	fmt.Println(ids)
	fmt.Println(tokenizer.Decode(ids, true))
	// Output:
	// [256 32 257 266]
	// ab abc
}

// llama3Words is the pattern by which Llama 3 splits a text into words.
const llama3Words = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|` +
	` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

func FuzzTokenizer(f *testing.F) {
	for _, seed := range []string{"", " ", "  ab", "ab c\n\n a", "é🙂", "'s 'LL", "\u2028a", "▁a", "<0x41>"} {
		f.Add(seed)
	}
	sentencePiece := mustTokenizer(f, sentencePieceJSON(nil))
	llama3 := func(file object) {
		file["pre_tokenizer"] = object{"type": "Sequence", "pretokenizers": list{
			object{"type": "Split", "pattern": object{"Regex": llama3Words}, "behavior": "Isolated", "invert": false},
			object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
		}}
	}
	byteLevels := []*Tokenizer{mustTokenizer(f, byteLevelJSON(nil)), mustTokenizer(f, byteLevelJSON(llama3))}
	f.Fuzz(func(t *testing.T, text string) {
		fuzztest.Bounded(t, len(text), 10*time.Second, func() {
			valid := utf8.ValidString(text)
			for _, tokenizer := range byteLevels {
				ids := tokenizer.Encode(text, false)
				if got := tokenizer.Decode(ids, false); valid && got != text {
					t.Errorf("byte-level: %q decodes to %q", text, got)
				}
			}
			ids := sentencePiece.Encode(text, true)
			// ▁ and a space are one symbol, text after a special token gets a space, and <0xNN> spelled out is the byte.
			plain := !strings.ContainsAny(text, "▁<")
			if got := sentencePiece.Decode(ids, true); valid && plain && got != text {
				t.Errorf("sentencepiece: %q decodes to %q", text, got)
			}
		})
	})
}

// Words of a vocabulary with suffixes or prefixes are not split at the letter for a space. The ids are those of
// tokenizers 0.23.3.
func TestMarkInsideWords(t *testing.T) {
	model := func(parts string) string {
		return `{"model": {"type": "BPE", "merges": [], ` + parts + `}}`
	}
	for _, c := range []struct {
		file, text string
		want       []int32
	}{
		{model(`"end_of_word_suffix": "</w>", "vocab": {"a": 0, "a</w>": 1, "▁": 2, "▁</w>": 3, "b": 4, "b</w>": 5}`),
			"a▁b", []int32{0, 2, 5}},
		{model(`"continuing_subword_prefix": "##", "vocab": {"a": 0, "##a": 1, "▁": 2, "##▁": 3}`),
			"a▁a", []int32{0, 3, 1}},
	} {
		tok, err := parseTokenizer([]byte(c.file))
		if err == nil {
			err = tok.link()
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := tok.Encode(c.text, false); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.file, got, c.want)
		}
	}
}

// Configurations in which tokenizers 0.23.3 does what nobody can have meant are refused.
func TestRefusedCombinations(t *testing.T) {
	const model = `"model": {"type": "BPE", "merges": [], "vocab": {"a": 0, "▁": 1}}`
	const roberta = `{"type": "RobertaProcessing", "sep": ["a", 0], "cls": ["a", 0], "trim_offsets": true, ` +
		`"add_prefix_space": true}`
	for parts, want := range map[string]string{
		`"normalizer": {"type": "Strip", "strip_left": true, "strip_right": false},
		 "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}`: "prepend_scheme",
		`"normalizer": {"type": "NFKD"}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
		 {"type": "Punctuation"},
		 {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}]}`: "several characters",
		`"normalizer": {"type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"String": "b"}, "content": ""}]},
		 "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}`: "prepend_scheme",
		`"post_processor": {"type": "Sequence", "processors": [` + roberta + `, ` + roberta + `]}`: "two of its members",
		`"normalizer": {"type": "Strip", "strip_left": true, "strip_right": true},
		 "added_tokens": [{"id": 2, "content": "\n", "normalized": true, "special": false, "single_word": false,
		 "lstrip": false, "rstrip": false}]`: "makes it empty",
	} {
		tok, err := parseTokenizer([]byte(`{` + parts + `, ` + model + `}`))
		if err == nil {
			err = tok.link()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", parts, err, want)
		}
	}
	sound := `{"post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel"}, ` + roberta + `]}, ` +
		model + `}`
	if _, err := parseTokenizer([]byte(sound)); err != nil {
		t.Error(err)
	}
}
