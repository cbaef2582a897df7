package tokenizer

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/datasets/fixture"
)

// TestConfiguredTokens checks how the files beside tokenizer.json add tokens, as transformers 5.24 does.
func TestConfiguredTokens(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		text  string
		want  string
	}{
		{"additional", map[string]string{configFile: `{"additional_special_tokens": ["ab"]}`}, "ab c", "<s> ab ▁▁ c"},
		{"additional object", map[string]string{
			configFile: `{"additional_special_tokens": [{"content": "ab", "rstrip": true}]}`}, "ab c", "<s> ab ▁ c"},
		{"extra before additional", map[string]string{
			configFile: `{"extra_special_tokens": ["qq"], "additional_special_tokens": ["ab"]}`}, "ab qq", "<s> ▁ab ▁ qq"},
		{"extra by name", map[string]string{configFile: `{"extra_special_tokens": {"x": "zz"}, "foo_token": "qq",
			"additional_special_tokens": ["yy"]}`}, "zzqqyy", "<s> zz qq yy"},
		{"model_specific_special_tokens", map[string]string{
			configFile: `{"model_specific_special_tokens": {"x": "zz"}}`}, "zza", "<s> zz ▁a"},
		{"model_specific_special_tokens does not count", map[string]string{
			configFile: `{"model_specific_special_tokens": {"x": "zz"}, "foo_token": "qq"}`}, "qqa", "<s> qq ▁a"},
		{"added_tokens.json", map[string]string{addedFile: `{"hello": 273}`}, "hello a", "<s> hello ▁a"},
		{"added_tokens.json, special", map[string]string{addedFile: `{"hello": 273}`, configFile: `{"pad_token": "hello"}`},
			"hello a", "<s> hello ▁ ▁a"},
		{"added_tokens.json does not count", map[string]string{addedFile: `{"hello": 273}`,
			configFile: `{"added_tokens_decoder": {}}`}, "b", "<s> ▁ b"},
		{"flags of added_tokens_decoder", map[string]string{configFile: `{"added_tokens_decoder": {"2": {"content": "</s>",
			"lstrip": true, "rstrip": true, "special": true}}}`}, "a </s> b", "<s> ▁a </s> ▁ b"},
		{"split_special_tokens", map[string]string{configFile: `{"split_special_tokens": true}`}, "a</s>b",
			"<s> ▁a <0x3C> <0x2F> <0x73> <0x3E> b"},
	} {
		c.files[jsonFile] = sentencePieceJSON(nil)
		tokenizer, err := New(fixture.FileReader(c.files))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := strings.Join(tokenTexts(tokenizer, tokenizer.Encode(c.text, true)), " ")
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestSpecialTokens checks the names that a chat template sees, as transformers 5.24 gives them.
func TestSpecialTokens(t *testing.T) {
	tokenizer, err := New(fixture.FileReader(map[string]string{jsonFile: sentencePieceJSON(nil), configFile: `{
		"bos_token": "<s>", "pad_token": "<pad>", "cls_token": null, "image_token": "<image>",
		"extra_special_tokens": {"audio": "<audio>"}}`}))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(tokenizer.SpecialTokens())
	if want := "map[audio:<audio> bos_token:<s> image_token:<image> pad_token:<pad>]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestClassDefaults checks that LlamaTokenizer names BOS and EOS, but not where transformers takes another class since
// the vocabulary is of bytes.
func TestClassDefaults(t *testing.T) {
	named := func(file object) {
		file["added_tokens"] = list{addedJSON(265, "<s>"), addedJSON(266, "</s>")}
	}
	for _, c := range []struct{ file, class, want string }{
		{sentencePieceJSON(nil), "LlamaTokenizer", "map[bos_token:<s> eos_token:</s> unk_token:<unk>]"},
		{sentencePieceJSON(nil), "PreTrainedTokenizer", "map[]"},
		{byteLevelJSON(named), "LlamaTokenizer", "map[]"},
	} {
		files := map[string]string{jsonFile: c.file, configFile: fmt.Sprintf(`{"tokenizer_class": "%sFast"}`, c.class)}
		tokenizer, err := New(fixture.FileReader(files))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(tokenizer.SpecialTokens()); got != c.want {
			t.Errorf("%s: %s, want %s", c.class, got, c.want)
		}
	}
}

// TestFlags checks that post_processor decides whether BOS and EOS are added, with a notice.
func TestFlags(t *testing.T) {
	for _, class := range []string{"PreTrainedTokenizerFast", "LlamaTokenizer", "GPT2Tokenizer"} {
		tokenizer, err := New(fixture.FileReader(map[string]string{jsonFile: sentencePieceJSON(nil), configFile: fmt.Sprintf(
			`{"tokenizer_class": %q, "bos_token": "<s>", "eos_token": "</s>", "add_bos_token": false, "add_eos_token": true}`,
			class)}))
		if err != nil {
			t.Fatal(err)
		}
		if got := tokenizer.Encode("a", true); !slices.Equal(got, []int32{1, 266}) || len(tokenizer.Notices()) != 2 {
			t.Errorf("%s: %v, notices %q", class, got, tokenizer.Notices())
		}
	}
}

// replaceChain is a chain of n rules that each double the letter a.
func replaceChain(n int) list {
	rule := object{"type": "Replace", "pattern": object{"String": "a"}, "content": "aa"}
	var chain list
	for range n {
		chain = append(chain, rule)
	}
	return chain
}

// TestTokenizerGrowth checks that chains which could exhaust memory are refused at load, also with an added token that
// would be normalised there.
func TestTokenizerGrowth(t *testing.T) {
	prepends := list{}
	for range 9 {
		prepends = append(prepends, object{"type": "Prepend", "prepend": "ab"})
	}
	checkRefusals(t, []refusal{
		{"normalizers", func(f object) {
			f["normalizer"] = object{"type": "Sequence", "normalizers": replaceChain(40)}
			f["added_tokens"] = list{object{"id": 265, "content": "banana", "normalized": true}}
		}, "times as long"},
		{"decoders", func(f object) { f["decoder"] = object{"type": "Sequence", "decoders": replaceChain(40)} },
			"times as long"},
		{"empty matches", func(f object) {
			f["normalizer"] = object{"type": "Replace", "pattern": object{"Regex": "x*"}, "content": strings.Repeat("x", 300)}
		}, "times as long"},
		{"prepends", func(f object) { f["normalizer"] = object{"type": "Sequence", "normalizers": prepends} },
			"times as long"},
		{"nested", func(f object) {
			inner := object{"type": "Sequence", "normalizers": replaceChain(5)}
			f["normalizer"] = object{"type": "Sequence", "normalizers": list{inner, inner}}
		}, "times as long"},
	})
	file := sentencePieceJSON(func(f object) {
		f["normalizer"] = object{"type": "Sequence", "normalizers": replaceChain(3)}
	})
	if got := len(mustTokenizer(t, file).Encode("a", false)); got == 0 {
		t.Error("a chain of three rules gives no token")
	}
}

// TestLongAddedTokens checks that the time to find added tokens does not depend on their length.
func TestLongAddedTokens(t *testing.T) {
	file := byteLevelJSON(func(f object) {
		f["added_tokens"] = list{addedJSON(265, strings.Repeat("a", 1000)+"b"), addedJSON(266, "ba"),
			addedJSON(267, "b"+strings.Repeat("a", 1000))}
	})
	tokenizer := mustTokenizer(t, file)
	start := time.Now()
	tokenizer.Encode(strings.Repeat("a", 1<<18), false)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("256 KiB took %v", took)
	}
	text := strings.Repeat("a", 1003) + "b" + strings.Repeat("a", 1001)
	got := tokenTexts(tokenizer, tokenizer.Encode(text, false))
	want := []string{"aa", "a", strings.Repeat("a", 1000) + "b"}
	if !slices.Equal(got[:3], want) && !slices.Equal(got[:3], []string{"a", "aa", want[2]}) {
		t.Errorf("the first tokens are %.20q", got[:3])
	}
}

// TestBeyond checks that a token without a row in the embedding is named.
func TestBeyond(t *testing.T) {
	tokenizer, err := New(fixture.FileReader(map[string]string{
		jsonFile: sentencePieceJSON(nil), configFile: `{"pad_token": "[PAD]"}`}))
	if err != nil {
		t.Fatal(err)
	}
	tokenizer.SetRows(273)
	if err := tokenizer.Beyond(tokenizer.Encode("ab", true)); err != nil {
		t.Error(err)
	}
	if err := tokenizer.Beyond(tokenizer.Encode("ab[PAD]", true)); err == nil || !strings.Contains(err.Error(), "[PAD]") {
		t.Errorf("error %v, want one that names [PAD]", err)
	}
}

// TestSharedCases reads the collected cases, which are not part of the repository.
func TestSharedCases(t *testing.T) {
	base := os.Getenv("BFPO_SHARED")
	if base == "" {
		t.Skip("BFPO_SHARED names no folder with collected cases")
	}
	for name, c := range map[string]struct {
		text string
		want []int32
	}{
		"k01_add_bos_token":             {"hello world", []int32{1, 261, 291, 81, 395, 317}},
		"k03_additional_special_tokens": {"hello world", []int32{900, 395, 317}},
		"k04_added_tokens_json":         {"hello world", []int32{900, 395, 317}},
		"k05_split_special_tokens":      {"x</s>y", []int32{1, 1318, 700, 28713, 28767, 28724}},
	} {
		tokenizer, err := New(fixture.FolderReader(filepath.Join(base, "cases", name)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := tokenizer.Encode(c.text, true); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	for _, name := range []string{"deepseek", "falcon3", "nfc", "tekken"} {
		data, err := os.ReadFile(filepath.Join(base, "cases", "k06_tokenizers_refused", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New(fixture.FileReader(map[string]string{jsonFile: string(data)})); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	data, err := os.ReadFile(filepath.Join(base, "cases", "hostile", "tokenizer-norm-bomb.json"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(fixture.FileReader(map[string]string{jsonFile: string(data)})); err == nil {
		t.Error("the chain of rules is not refused")
	}
}
