package value

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestSearch compares the search with the standard library's, on texts of few letters and patterns of all lengths.
func TestSearch(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	letters := func(n int) string {
		b := []byte(strings.Repeat("a", n))
		for range random.IntN(3) {
			if n > 0 {
				b[random.IntN(n)] = 'b'
			}
		}
		return string(b)
	}
	for range 20000 {
		text, sub := letters(random.IntN(400)), letters(random.IntN(150))
		if random.IntN(2) == 0 {
			text += sub + letters(random.IntN(9)) + sub
		}
		m := NewMeter(context.Background(), 0)
		if got, want := Find(m, text, sub), strings.Index(text, sub); got != want {
			t.Fatalf("Find(%q, %q) = %d, want %d", text, sub, got, want)
		}
		if got, want := FindLast(m, text, sub), strings.LastIndex(text, sub); got != want {
			t.Fatalf("FindLast(%q, %q) = %d, want %d", text, sub, got, want)
		}
		if got, want := Count(m, text, sub), strings.Count(text, sub); got != want {
			t.Fatalf("Count(%q, %q) = %d, want %d", text, sub, got, want)
		}
	}
}
