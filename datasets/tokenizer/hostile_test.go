package tokenizer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/fixture"
)

func model(file object) object { return file["model"].(object) }

func vocab(file object) map[string]int { return model(file)["vocab"].(map[string]int) }

// refusal is a change of a tokenizer.json and the error that it must cause.
type refusal struct {
	name string
	edit func(file object)
	err  string
}

// checkRefusals checks that each change is an error that names the file and the fault.
func checkRefusals(t *testing.T, cases []refusal) {
	t.Helper()
	for _, c := range cases {
		file := sentencePieceJSON(c.edit)
		_, err := New(fixture.FileReader(map[string]string{"tokenizer.json": file}))
		if err == nil || !strings.Contains(err.Error(), c.err) || !strings.HasPrefix(err.Error(), "tokenizer.json: ") {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.err)
		}
	}
}

func TestTokenizerRefusesModel(t *testing.T) {
	checkRefusals(t, []refusal{
		{"model type", func(f object) { model(f)["type"] = "Unigram" }, `"Unigram"`},
		{"dropout", func(f object) { model(f)["dropout"] = 0.1 }, "dropout"},
		{"suffix", func(f object) { model(f)["end_of_word_suffix"] = strings.Repeat("</w>", 5) }, "end_of_word_suffix"},
		{"model key", func(f object) { model(f)["magic"] = 1 }, `unknown field "magic"`},
		{"file key", func(f object) { f["magic"] = 1 }, `unknown field "magic"`},
		{"no vocabulary", func(f object) { model(f)["vocab"] = map[string]int{} }, "vocab is missing or empty"},
		{"vocabulary list", func(f object) { model(f)["vocab"] = []int{} }, "vocab is not an object"},
		{"huge id", func(f object) { vocab(f)["x"] = 1 << 40 }, "ids must lie in"},
		{"negative id", func(f object) { vocab(f)["x"] = -1 }, "ids must lie in"},
		{"shared id", func(f object) { vocab(f)["xyz"] = 5 }, "id 5 belongs to two tokens"},
		{"unknown token", func(f object) { model(f)["unk_token"] = "[UNK]" }, `unk_token "[UNK]" is not in vocab`},
		{"merge of three", func(f object) { model(f)["merges"] = []string{"a b c"} }, "it has 3 symbols"},
		{"merge of nothing", func(f object) { model(f)["merges"] = []string{" a"} }, "merge 0"},
		{"merge unknown", func(f object) { model(f)["merges"] = [][]string{{"a", "b"}, {"q", "q"}} }, "merge 1"},
		{"merge twice", func(f object) { model(f)["merges"] = []string{"a b", "a b"} },
			"merges 0 and 1 are the same"},
		{"merge numbers", func(f object) { model(f)["merges"] = []int{1} }, "merges are neither"},
	})
}

func TestTokenizerRefusesComponents(t *testing.T) {
	nested := any(object{"type": "Digits"})
	for range 20 {
		nested = object{"type": "Sequence", "pretokenizers": list{nested}}
	}
	checkRefusals(t, []refusal{
		{"normalizer", func(f object) { f["normalizer"] = object{"type": "Precompiled"} }, `normalizer: "Precompiled"`},
		{"normalizer regex", func(f object) {
			f["normalizer"] = object{"type": "Replace", "pattern": object{"Regex": "(x"}, "content": ""}
		}, "a group is not closed"},
		{"no type", func(f object) { f["normalizer"] = object{"prepend": "x"} }, "has no type"},
		{"pre-tokenizer", func(f object) { f["pre_tokenizer"] = object{"type": "UnicodeScripts"} },
			`pre_tokenizer "UnicodeScripts"`},
		{"regex", func(f object) {
			f["pre_tokenizer"] = object{
				"type": "Split", "pattern": object{"Regex": `(a)\1`}, "behavior": "Isolated", "invert": false}
		}, `\1 is not supported`},
		{"behavior", func(f object) {
			f["pre_tokenizer"] = object{
				"type": "Split", "pattern": object{"Regex": `a`}, "behavior": "Merged", "invert": false}
		}, `behavior "Merged"`},
		{"nesting", func(f object) { f["pre_tokenizer"] = nested }, "nest deeper than 8"},
		{"post-processor", func(f object) { f["post_processor"] = object{"type": "CTC"} },
			`post_processor "CTC"`},
		{"template token", func(f object) {
			f["post_processor"] = bosTemplate("<s>", 99999)
		}, "adds the id 99999"},
		{"decoder", func(f object) { f["decoder"] = object{"type": "CTC"} }, `decoder: "CTC"`},
	})
}

func TestTokenizerRefusesAddedTokens(t *testing.T) {
	checkRefusals(t, []refusal{
		{"added id", func(f object) { f["added_tokens"] = list{addedJSON(7, "</s>")} },
			`"</s>" has id 7 there and 2 in the vocabulary`},
		{"added over", func(f object) { f["added_tokens"] = list{addedJSON(2, "<end>")} },
			"id 2 belongs to two tokens"},
		{"added huge", func(f object) { f["added_tokens"] = list{addedJSON(1<<30, "<end>")} }, "ids must lie in"},
		{"added empty", func(f object) { f["added_tokens"] = list{addedJSON(273, "")} }, "its text has 0 bytes"},
		{"added long", func(f object) { f["added_tokens"] = list{addedJSON(273, strings.Repeat("x", 2000))} },
			"its text has 2000 bytes"},
		{"added gap", func(f object) { f["added_tokens"] = list{addedJSON(400, "<x>")} }, "is 273"},
		{"added total", func(f object) {
			tokens := list{}
			for i := range 3000 {
				tokens = append(tokens, addedJSON(273+i, strings.Repeat("x", 900)+string(rune('a'+i%26))+fmt.Sprint(i)))
			}
			f["added_tokens"] = tokens
		}, "longer than 2 MiB"},
	})
}

// TestTokenizerRefusesText covers files that encoding/json cannot write from a map.
func TestTokenizerRefusesText(t *testing.T) {
	for _, c := range []struct{ text, err string }{
		{``, "EOF"},
		{`[]`, "want an object, have a list"},
		{`{} {}`, "more text after"},
		{`{"model": {"type": "BPE", "vocab": {"a": 0, "a": 1}, "merges": []}}`, `token "a" has two ids`},
		{`{"model": {"type": "BPE", "vocab": {"a": 0.5}, "merges": []}}`,
			`id of "a": want a whole number, have 0.5`},
		{`{"added_tokens": [{"id": 0, "content": "x", "lstrip": "no"}]}`, `lstrip: want true or false, have "no"`},
		{`{"model": {"type": "BPE", "vocab": {"a": 99999999999999999999}, "merges": []}}`, `id of "a"`},
		{`{"model": {"type": "BPE", "vocab": {"a": {}}, "merges": []}}`, `id of "a": want a whole number, have {`},
		{`{"model": {"type": "BPE", "vocab": {"a": [5]}, "merges": []}}`, `id of "a": want a whole number, have [`},
		{`{"model": {"type": "BPE", "vocab": {"a": null}, "merges": []}}`, `id of "a": want a whole number, have null`},
		{`{"model": {"type": "BPE", "vocab": {"a": "5"}, "merges": []}}`, `id of "a": want a whole number, have "5"`},
		{`{"model": null}`, "vocab is missing"},
		{`{"added_tokens": [{"id": 0, "content": "x", "glow": 1}]}`, `unknown field "glow"`},
		{`{"model": {"type": "BPE", "vocab": {"a": 0}}}`, "merges"},
	} {
		_, err := New(fixture.FileReader(map[string]string{"tokenizer.json": c.text}))
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want one with %q", c.text, err, c.err)
		}
	}
	if _, err := New(fixture.FileReader(nil)); err == nil || !strings.Contains(err.Error(), "tokenizer.json") {
		t.Errorf("no file: %v", err)
	}
}

// FuzzTokenizerFile checks that no file makes reading or encoding panic or take long.
func FuzzTokenizerFile(f *testing.F) {
	f.Add([]byte(sentencePieceJSON(nil)), []byte(`{"bos_token": "<s>", "add_bos_token": true}`), "a b")
	f.Add([]byte(byteLevelJSON(nil)), []byte(`{"eos_token": {"content": "<|im_end|>"}}`), "<|im_end|> é")
	f.Add([]byte(`{"model": {"vocab": {"a": 3, "aa": 0}, "merges": ["a a"]},
		"pre_tokenizer": {"type": "Metaspace", "replacement": "▁"}}`), []byte(`{}`), "aaa")
	f.Fuzz(func(t *testing.T, file, config []byte, text string) {
		files := map[string]string{"tokenizer.json": string(file), "tokenizer_config.json": string(config)}
		checkHostile(t, files, text)
	})
}
