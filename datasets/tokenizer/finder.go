package tokenizer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/tokenizer/pattern"
)

// part is a part of a text that a Split component looks at: a match of its pattern, or what lies between two.
type part struct {
	begin, end int
	match      bool
}

// finder returns the pieces of a text in order; together they are the text.
type finder func(text string) []part

// newFinder compiles the pattern of a Split or Replace component.
func newFinder(p patternFile) (find finder, shortest int, err error) {
	switch {
	case (p.String == nil) == (p.Regex == nil):
		return nil, 0, fmt.Errorf(`a pattern is {"String": …} or {"Regex": …}`)
	case p.String != nil:
		text := *p.String
		return func(in string) []part { return literalPieces(in, text) }, len(text), nil
	}
	re, err := pattern.Compile(*p.Regex)
	if err != nil {
		return nil, 0, err
	}
	return func(in string) []part {
		pieces, last := make([]part, 0, len(in)/4+1), 0
		re.Scan(in, func(begin, end int) {
			if last < begin {
				pieces = append(pieces, part{last, begin, false})
			}
			pieces = append(pieces, part{begin, end, true})
			last = end
		})
		if last < len(in) {
			pieces = append(pieces, part{last, len(in), false})
		}
		return pieces
	}, re.Shortest, nil
}

// literalPieces finds a text that is not a regular expression. An empty one is nowhere.
func literalPieces(in, text string) (pieces []part) {
	last := 0
	for text != "" {
		at := strings.Index(in[last:], text)
		if at < 0 {
			break
		}
		if at > 0 {
			pieces = append(pieces, part{last, last + at, false})
		}
		last += at + len(text)
		pieces = append(pieces, part{last - len(text), last, true})
	}
	if last < len(in) {
		pieces = append(pieces, part{last, len(in), false})
	}
	return pieces
}

// classFinder makes each character of a class a match.
func classFinder(class func(rune) bool) finder {
	return func(in string) (pieces []part) {
		last := 0
		for at, r := range in {
			if !class(r) {
				continue
			}
			if last < at {
				pieces = append(pieces, part{last, at, false})
			}
			last = at + len(string(r))
			pieces = append(pieces, part{at, last, true})
		}
		if last < len(in) {
			pieces = append(pieces, part{last, len(in), false})
		}
		return pieces
	}
}

// The behaviours of a Split component: what becomes of the matches.
const (
	removed            = "removed"
	isolated           = "isolated"
	mergedWithPrevious = "mergedwithprevious"
	mergedWithNext     = "mergedwithnext"
	contiguous         = "contiguous"
)

// parseBehavior returns the behaviour of a name, which files write as Isolated or isolated, MergedWithNext or
// merged_with_next.
func parseBehavior(name string) (string, error) {
	plain := strings.ToLower(strings.ReplaceAll(name, "_", ""))
	if !slices.Contains([]string{removed, isolated, mergedWithPrevious, mergedWithNext, contiguous}, plain) {
		return "", fmt.Errorf("behavior %q is not one of Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous",
			name)
	}
	return plain, nil
}

// join applies a behaviour to the pieces of a text and returns those that are words.
func join(pieces []part, behavior string) []part {
	out := pieces[:0]
	switch behavior {
	case removed:
		for _, p := range pieces {
			if !p.match {
				out = append(out, p)
			}
		}
		return out
	case mergedWithPrevious, contiguous:
		last := false // whether the piece before was a match
		for _, p := range pieces {
			joins := p.match == last
			if behavior == mergedWithPrevious {
				joins = p.match && !last
			}
			last = p.match
			if n := len(out); joins && n > 0 {
				out[n-1].end = p.end
			} else {
				out = append(out, p)
			}
		}
		return out
	case mergedWithNext:
		slices.Reverse(pieces)
		last := false
		for _, p := range pieces {
			joins := p.match && !last
			last = p.match
			if n := len(out); joins && n > 0 {
				out[n-1].begin = p.begin
			} else {
				out = append(out, p)
			}
		}
		slices.Reverse(out)
		return out
	}
	return pieces
}
