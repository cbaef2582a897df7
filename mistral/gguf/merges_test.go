package gguf

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/fixture"
)

// TestScoredMerges rebuilds the merges of Mistral's tokenizer from its vocabulary. The scores fall with the id,
// except that runs of spaces come last.
func TestScoredMerges(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(fixture.Mistral(t), "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Model struct {
			Vocab  map[string]int
			Merges []string
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	tokens, scores := make([]string, len(file.Model.Vocab)), make([]float32, len(file.Model.Vocab))
	for token, id := range file.Model.Vocab {
		tokens[id] = token
		if id > 258 { // after the special tokens and the bytes
			scores[id] = float32(259 - id)
		}
		if strings.Trim(token, "▁") == "" {
			scores[id] = -1e9
		}
	}
	got, err := scoredMerges(tokens, scores)
	if err != nil {
		t.Fatal(err)
	}
	want := file.Model.Merges
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("merge %d is %q, want %q", i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d merges, want %d", len(got), len(want))
	}
}

// TestScoredMergesBound refuses a vocabulary of all runs of one letter, which has as many merges as its square.
func TestScoredMergesBound(t *testing.T) {
	var tokens []string
	for first := range 200 {
		for n := range 200 {
			tokens = append(tokens, strings.Repeat(string(rune(0x4E00+first)), n+1))
		}
	}
	if _, err := scoredMerges(tokens, make([]float32, len(tokens))); err == nil {
		t.Error("no error for 4 million merges of 40,000 tokens")
	}
}

// TestUnpermute restores the order of the rows of two heads of width 4.
func TestUnpermute(t *testing.T) {
	var in []byte
	for row := range 8 {
		in = binary.LittleEndian.AppendUint32(in, math.Float32bits(float32(row)))
	}
	got := unpermute(in, 8, 2)
	for i, want := range []float32{0, 2, 1, 3, 4, 6, 5, 7} {
		if v := math.Float32frombits(binary.LittleEndian.Uint32(got[4*i:])); v != want {
			t.Errorf("row %d is %g, want %g", i, v, want)
		}
	}
}
