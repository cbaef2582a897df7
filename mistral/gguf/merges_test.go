package gguf

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/fixture"
)

// TestScoredMerges rebuilds the merges of Mistral's tokenizer from its vocabulary. Its scores fall with the id, but runs of blanks
// come last of all.
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
	v := &vocabulary{tokens: make([]string, len(file.Model.Vocab)), scores: make([]float32, len(file.Model.Vocab))}
	for token, id := range file.Model.Vocab {
		v.tokens[id] = token
		if id > 258 { // behind the special tokens and the bytes
			v.scores[id] = float32(259 - id)
		}
		if strings.Trim(token, "▁") == "" {
			v.scores[id] = -1e9
		}
	}
	got := v.scoredMerges()
	if !slices.Equal(got, file.Model.Merges) {
		for i := range min(len(got), len(file.Model.Merges)) {
			if got[i] != file.Model.Merges[i] {
				t.Fatalf("%d merges, want %d; merge %d is %q, want %q", len(got), len(file.Model.Merges), i, got[i], file.Model.Merges[i])
			}
		}
		t.Fatalf("%d merges, want %d", len(got), len(file.Model.Merges))
	}
}

// TestUnpermute puts the rows of two heads of width 4 back.
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
