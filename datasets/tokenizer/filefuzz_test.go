package tokenizer

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/datasets/tokenizer/piece"
	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

// checkHostile reads a tokenizer from files, encodes and decodes a text, and checks that nothing panics, that no id is
// outside the vocabulary, and that time and memory are bounded.
func checkHostile(t *testing.T, files map[string]string, text string) {
	t.Helper()
	size := len(text)
	for _, file := range files {
		size += len(file)
	}
	fuzztest.BoundedLive(t, size, 10*time.Second, func() {
		tokenizer, err := New(fixture.FileReader(files))
		if err != nil {
			return
		}
		ids := tokenizer.Encode(text, true)
		for _, id := range ids {
			if id < 0 || int(id) >= tokenizer.VocabSize() {
				t.Fatalf("id %d is outside the vocabulary of %d", id, tokenizer.VocabSize())
			}
		}
		tokenizer.Decode(ids, true)
	})
}

// tekkenJSON is a small tekken.json.
func tekkenJSON() string {
	vocab := list{}
	for b := range 256 {
		vocab = append(vocab, object{"rank": b, "token_bytes": base64.StdEncoding.EncodeToString([]byte{byte(b)})})
	}
	for _, text := range []string{"ab", "abc", " a", "漢"[:2], "漢"} {
		vocab = append(vocab, object{"rank": len(vocab), "token_bytes": base64.StdEncoding.EncodeToString([]byte(text))})
	}
	data, err := json.Marshal(object{"vocab": vocab, "config": object{"pattern": llama3Words,
		"default_vocab_size": 290, "default_num_special_tokens": 30}})
	if err != nil {
		panic(err)
	}
	return string(data)
}

// pieceFile is a small tokenizer.model.
func pieceFile() string {
	var file []byte
	add := func(text string, score float32, kind uint64) {
		var p []byte
		p = protowire.AppendString(protowire.AppendTag(p, 1, protowire.BytesType), text)
		p = protowire.AppendFixed32(protowire.AppendTag(p, 2, protowire.Fixed32Type), math.Float32bits(score))
		p = protowire.AppendVarint(protowire.AppendTag(p, 3, protowire.VarintType), kind)
		file = protowire.AppendBytes(protowire.AppendTag(file, 1, protowire.BytesType), p)
	}
	add("<unk>", 0, piece.Unknown)
	add("<s>", 0, piece.Control)
	add("</s>", 0, piece.Control)
	add("<tool>", 0, piece.UserDefined)
	for b := range 256 {
		add(fmt.Sprintf("<0x%02X>", b), 0, piece.Byte)
	}
	for i, text := range []string{"▁a", "ab", "▁ab", "▁▁", "▁", "a", "b", "c"} {
		add(text, float32(-i), piece.Normal)
	}
	trainer := protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), 2)
	trainer = protowire.AppendVarint(protowire.AppendTag(trainer, 35, protowire.VarintType), 1)
	file = protowire.AppendBytes(protowire.AppendTag(file, 2, protowire.BytesType), trainer)
	normal := protowire.AppendVarint(protowire.AppendTag(nil, 4, protowire.VarintType), 0)
	return string(protowire.AppendBytes(protowire.AppendTag(file, 3, protowire.BytesType), normal))
}

// TestTekken checks ids of a small tekken.json: special tokens first, then the bytes.
func TestTekken(t *testing.T) {
	tokenizer, err := New(fixture.FileReader(map[string]string{tekkenFile: tekkenJSON()}))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"ab abc": "[1 286 62 287]", "[INST]a</s>": "[1 3 127 2]", " a": "[1 288]",
		"漢": "[1 289 192]", // 290 tokens in all: the last of the file's is dropped, its beginning is there
	} {
		if got := fmt.Sprint(tokenizer.Encode(text, true)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if got := tokenizer.Decode(tokenizer.Encode("漢 ab\n", true), true); got != "漢 ab\n" {
		t.Errorf("decoded %q", got)
	}
}

// TestSentencePiece checks ids of a small tokenizer.model.
func TestSentencePiece(t *testing.T) {
	tokenizer, err := New(fixture.FileReader(map[string]string{sentencePieceFile: pieceFile(),
		configFile: `{"add_bos_token": true, "legacy": true}`}))
	if err != nil {
		t.Fatal(err)
	}
	if n := tokenizer.Notices(); len(n) != 1 || !strings.Contains(n[0], "user-defined pieces") {
		t.Errorf("notices %q", n)
	}
	for text, want := range map[string]string{ // those of sentencepiece 0.2.1, after BOS
		"ab": "[1 262]", " ab": "[1 264 262]", "<tool>c": "[1 264 3 267]", "é": "[1 264 199 173]",
		"a <tool> b": "[1 260 264 3 264 266]", "ab<tool><tool>ab": "[1 262 3 3 261]",
		"a  b <tool>  ": "[1 260 263 266 264 3 263]",
	} {
		if got := fmt.Sprint(tokenizer.Encode(text, true)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if bos, _ := tokenizer.BOS(); bos != 1 {
		t.Errorf("BOS %d", bos)
	}
	// Alone, the file gets no BOS, as in transformers 5.24.
	if tokenizer, err = New(fixture.FileReader(map[string]string{sentencePieceFile: pieceFile()})); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(tokenizer.Encode("ab", true)); got != "[262]" || len(tokenizer.Notices()) != 3 {
		t.Errorf("without tokenizer_config.json: %s, notices %q", got, tokenizer.Notices())
	}
	for _, c := range []struct{ old, new, want string }{
		{"\x06<tool>", "\x06<to l>", "user-defined and has a space"}, {"\x18\x04", "\x18\x05", "of the type unused"},
	} {
		file := strings.Replace(pieceFile(), c.old, c.new, 1)
		if _, err := New(fixture.FileReader(map[string]string{sentencePieceFile: file})); err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %q", c.new, err, c.want)
		}
	}
}

// A byte without a token would vanish from texts.
func TestTekkenWithoutByte(t *testing.T) {
	file := strings.Replace(tekkenJSON(), `"token_bytes":"AA=="`, `"token_bytes":"AAA="`, 1) // two zero bytes for one
	if _, err := New(fixture.FileReader(map[string]string{tekkenFile: file})); err == nil ||
		!strings.Contains(err.Error(), "no token is the single byte 0x00") {
		t.Errorf("error %v", err)
	}
}

// SentencePiece finds BOS by its text, whatever bos_id says.
func TestPieceOfBOS(t *testing.T) {
	trainer := protowire.AppendVarint(protowire.AppendTag(nil, 41, protowire.VarintType), 50)
	file := pieceFile() + string(protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), trainer))
	tokenizer, err := New(fixture.FileReader(map[string]string{sentencePieceFile: file}))
	if err != nil {
		t.Fatal(err)
	}
	if bos, _ := tokenizer.BOS(); bos != 1 {
		t.Errorf("BOS %d, want 1", bos)
	}
}

func FuzzTekken(f *testing.F) {
	f.Add([]byte(tekkenJSON()), "ab 漢[INST]")
	f.Fuzz(func(t *testing.T, file []byte, text string) {
		checkHostile(t, map[string]string{tekkenFile: string(file)}, text)
	})
}

func FuzzPieceModel(f *testing.F) {
	f.Add([]byte(pieceFile()), "ab é <tool>")
	f.Fuzz(func(t *testing.T, file []byte, text string) {
		checkHostile(t, map[string]string{sentencePieceFile: string(file)}, text)
	})
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"bos_token": {"content": "<s>"}, "additional_special_tokens": ["a"], "split_special_tokens": true}`),
		[]byte(`{"eos_token": "</s>"}`), []byte(`{"x": 273}`), "a</s>")
	f.Fuzz(func(t *testing.T, config, specials, added []byte, text string) {
		checkHostile(t, map[string]string{jsonFile: sentencePieceJSON(nil), configFile: string(config),
			specialsFile: string(specials), addedFile: string(added)}, text)
	})
}
