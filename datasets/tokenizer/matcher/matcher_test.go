package matcher

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestMatcherDefinition compares the automaton with the definition: the leftmost token, and of those the longest.
func TestMatcherDefinition(t *testing.T) {
	patterns := []string{"a", "ab", "abc", "bca", "cc", "caab", "aaaa"}
	var m Matcher
	for i, p := range patterns {
		if err := m.Add(p, Token{ID: int64(i), Content: p}); err != nil {
			t.Fatal(err)
		}
	}
	m.Link()
	for n := range 3 * 3 * 3 * 3 * 3 * 3 * 3 {
		text := ""
		for k := n; len(text) < 7; k /= 3 {
			text += string("abc"[k%3])
		}
		var want, got []string
		for at := 0; at < len(text); {
			best := ""
			for _, p := range patterns {
				if strings.HasPrefix(text[at:], p) && len(p) > len(best) {
					best = p
				}
			}
			if best != "" {
				want = append(want, fmt.Sprint(at, best))
			}
			at += max(1, len(best))
		}
		at := 0
		m.Split(text, func(Token) bool { return false }, func(plain string, _ int) { at += len(plain) }, func(id int32) {
			got = append(got, fmt.Sprint(at, patterns[id]))
			at += len(patterns[id])
		})
		if !slices.Equal(got, want) {
			t.Fatalf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestMatcherSpace checks added tokens of white space against what the original library gives.
func TestMatcherSpace(t *testing.T) {
	for _, c := range []struct {
		lstrip, rstrip bool
		text, want     string
	}{
		{false, false, "é  ", "é[ ][ ]"}, {false, true, "é  ", "é[ ][ ]"}, {true, false, "é  ", "é[ ][ ]"},
		{true, true, "é  ", "é[ ]"}, {true, true, "é   é", "é[ ]é"}, {true, true, "   ", "[ ]"},
		{true, true, " é  é ", "[ ]é[ ]é[ ]"},
	} {
		var m Matcher
		if err := m.Add(" ", Token{Content: " ", LStrip: c.lstrip, RStrip: c.rstrip}); err != nil {
			t.Fatal(err)
		}
		m.Link()
		got := ""
		m.Split(c.text, func(Token) bool { return false }, func(plain string, _ int) { got += plain },
			func(int32) { got += "[ ]" })
		if got != c.want {
			t.Errorf("lstrip %v, rstrip %v: %q gives %q, want %q", c.lstrip, c.rstrip, c.text, got, c.want)
		}
	}
}
