package evaluate

import (
	"slices"
	"testing"
)

// All chunks have about the same size, and documents with the same context stay together.
func TestEvenChunks(t *testing.T) {
	documents := func(n, tokens int) (all []chunkDocument) {
		for i := range n {
			all = append(all, chunkDocument{place{0, i}, false, tokens})
		}
		return all
	}
	one := documents(4, 8000)
	for i := range one[1:] {
		one[1+i].repeated = true
	}
	for _, c := range []struct {
		name      string
		documents []chunkDocument
		want      []int // tokens
	}{
		{"no documents", nil, nil},
		{"far less than a chunk", documents(3, 10), []int{30}},
		{"exactly one chunk", documents(16, 1024), []int{16384}},
		{"slightly more than one chunk", documents(17, 1024), []int{9 * 1024, 8 * 1024}},
		{"many chunks", documents(100, 1024), []int{15360, 14336, 14336, 15360, 14336, 14336, 14336}},
		{"all with the same context", one, []int{32000}},
		{"documents longer than a chunk", documents(3, 40000), []int{40000, 40000, 40000}},
	} {
		total := 0
		for _, d := range c.documents {
			total += d.tokens
		}
		var got []int
		places := 0
		for _, chunk := range evenChunks(c.documents, total) {
			got, places = append(got, chunk.tokens), places+len(chunk.places)
		}
		if !slices.Equal(got, c.want) || places != len(c.documents) {
			t.Errorf("%s: chunks of %v tokens with %d documents, want %v with %d",
				c.name, got, places, c.want, len(c.documents))
		}
	}
}
