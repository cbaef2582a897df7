// Package part divides a text at the matches of a pattern, for the components Split, Replace and Punctuation of a
// tokenizer.json.
package part

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/tokenizer/pattern"
)

// Part is a part of a text: a match of the pattern, or what lies between two.
type Part struct {
	Begin, End int
	Match      bool
}

// Finder returns the parts of a text in order; together they are the text.
type Finder func(text string) []Part

// Pattern is what a Replace or Split component looks for: exactly one of the two is set.
type Pattern struct {
	String *string
	Regex  *string
}

// NewFinder compiles a pattern. Shortest is the least length of a match in bytes. A pattern that is not sound or not
// supported is an error.
func NewFinder(p Pattern) (find Finder, shortest int, err error) {
	switch {
	case (p.String == nil) == (p.Regex == nil):
		return nil, 0, fmt.Errorf(`a pattern is {"String": …} or {"Regex": …}`)
	case p.String != nil:
		text := *p.String
		return func(in string) []Part { return literalPieces(in, text) }, len(text), nil
	}
	re, err := pattern.Compile(*p.Regex)
	if err != nil {
		return nil, 0, err
	}
	return func(in string) []Part {
		pieces, last := make([]Part, 0, len(in)/4+1), 0
		re.Scan(in, func(begin, end int) {
			if last < begin {
				pieces = append(pieces, Part{last, begin, false})
			}
			pieces = append(pieces, Part{begin, end, true})
			last = end
		})
		if last < len(in) {
			pieces = append(pieces, Part{last, len(in), false})
		}
		return pieces
	}, re.Shortest, nil
}

// literalPieces finds a text that is not a regular expression. An empty one is nowhere.
func literalPieces(in, text string) (pieces []Part) {
	last := 0
	for text != "" {
		at := strings.Index(in[last:], text)
		if at < 0 {
			break
		}
		if at > 0 {
			pieces = append(pieces, Part{last, last + at, false})
		}
		last += at + len(text)
		pieces = append(pieces, Part{last - len(text), last, true})
	}
	if last < len(in) {
		pieces = append(pieces, Part{last, len(in), false})
	}
	return pieces
}

// OfClass makes each character of a class a match.
func OfClass(class func(rune) bool) Finder {
	return func(in string) (pieces []Part) {
		last := 0
		for at, r := range in {
			if !class(r) {
				continue
			}
			if last < at {
				pieces = append(pieces, Part{last, at, false})
			}
			last = at + len(string(r))
			pieces = append(pieces, Part{at, last, true})
		}
		if last < len(in) {
			pieces = append(pieces, Part{last, len(in), false})
		}
		return pieces
	}
}

// The behaviours of a Split component: what becomes of the matches.
const (
	Removed            = "removed"
	Isolated           = "isolated"
	mergedWithPrevious = "mergedwithprevious"
	mergedWithNext     = "mergedwithnext"
	contiguous         = "contiguous"
)

// ParseBehavior returns the behaviour of a name, which files write as Isolated or isolated, MergedWithNext or
// merged_with_next.
func ParseBehavior(name string) (string, error) {
	plain := strings.ToLower(strings.ReplaceAll(name, "_", ""))
	if !slices.Contains([]string{Removed, Isolated, mergedWithPrevious, mergedWithNext, contiguous}, plain) {
		return "", fmt.Errorf("behavior %q is not one of Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous",
			name)
	}
	return plain, nil
}

// Join applies a behaviour to the pieces of a text and returns those that are words.
func Join(pieces []Part, behavior string) []Part {
	out := pieces[:0]
	switch behavior {
	case Removed:
		for _, p := range pieces {
			if !p.Match {
				out = append(out, p)
			}
		}
		return out
	case mergedWithPrevious, contiguous:
		last := false // whether the piece before was a match
		for _, p := range pieces {
			joins := p.Match == last
			if behavior == mergedWithPrevious {
				joins = p.Match && !last
			}
			last = p.Match
			if n := len(out); joins && n > 0 {
				out[n-1].End = p.End
			} else {
				out = append(out, p)
			}
		}
		return out
	case mergedWithNext:
		slices.Reverse(pieces)
		last := false
		for _, p := range pieces {
			joins := p.Match && !last
			last = p.Match
			if n := len(out); joins && n > 0 {
				out[n-1].Begin = p.Begin
			} else {
				out = append(out, p)
			}
		}
		slices.Reverse(out)
		return out
	}
	return pieces
}
