package tokenizer

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/datasets/tokenizer/vocabulary"
)

// naiveEncode is byte-pair encoding as it is defined, in quadratic time.
func naiveEncode(m *bpe, text string) []int32 {
	var w workspace
	if m.byteLevel {
		m.splitBytes(&w, text)
	} else {
		m.splitCharacters(&w, text)
	}
	ids := w.ids
	for {
		best, at := int32(vocabulary.NoRank), -1
		for i := range len(ids) - 1 {
			if rank := m.merges.Rank(ids[i], ids[i+1]); rank < best {
				best, at = rank, i
			}
		}
		if at < 0 {
			return ids
		}
		ids[at] = m.merged[best]
		ids = slices.Delete(ids, at+1, at+2)
	}
}

// TestBPEDefinition compares the encodings of short and long words with the definition, for random vocabularies over
// three letters.
func TestBPEDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	letters := "abc"
	for range 50 {
		m := randomBPE(t, random, letters)
		for range 40 {
			text := make([]byte, random.IntN(4*shortWord))
			for i := range text {
				text[i] = letters[random.IntN(len(letters))]
			}
			var w workspace
			if got, want := m.encode(&w, string(text), nil), naiveEncode(m, string(text)); !slices.Equal(got, want) {
				t.Fatalf("%s: %v, want %v", text, got, want)
			}
		}
	}
}

// randomBPE returns a model with 30 random merges.
func randomBPE(t *testing.T, random *rand.Rand, letters string) *bpe {
	vocab := make(map[string]int)
	var tokens []string
	for _, letter := range letters {
		vocab[string(letter)] = len(vocab)
		tokens = append(tokens, string(letter))
	}
	var merges [][2]string
	for len(merges) < 30 {
		pair := [2]string{tokens[random.IntN(len(tokens))], tokens[random.IntN(len(tokens))]}
		if slices.Contains(merges, pair) {
			continue
		}
		merges = append(merges, pair)
		if _, ok := vocab[pair[0]+pair[1]]; !ok {
			vocab[pair[0]+pair[1]] = len(vocab)
			tokens = append(tokens, pair[0]+pair[1])
		}
	}
	raw, err := json.Marshal(map[string]any{"type": "BPE", "vocab": vocab, "merges": merges})
	if err != nil {
		t.Fatal(err)
	}
	m, err := newBPE(raw, false)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// BenchmarkEncode measures the Mistral tokenizer on prose and on texts that are slow for a quadratic tokenizer.
func BenchmarkEncode(b *testing.B) {
	tokenizer := goldenTokenizer(b)
	prose, err := os.ReadFile(fixture.Shared(b, "data", "eval", "hendrycks_ethics", "commonsense", "test.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	for name, text := range map[string]string{
		"prose":  string(prose),
		"a":      strings.Repeat("a", 1<<20),
		"spaces": strings.Repeat(" ", 1<<20),
		"emoji":  strings.Repeat("🙂", 1<<18),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				tokenizer.Encode(text, true)
			}
		})
	}
}

func BenchmarkNewTokenizer(b *testing.B) {
	read := fixture.FolderReader(fixture.Mistral(b))
	for b.Loop() {
		if _, err := New(read); err != nil {
			b.Fatal(err)
		}
	}
}
