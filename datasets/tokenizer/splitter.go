package tokenizer

import (
	"github.com/bfpo-go/bfpo/datasets/tokenizer/part"
	"github.com/bfpo-go/bfpo/datasets/tokenizer/pattern"
)

// splitter splits normalised text into the words that the model encodes one by one. first: the text is the beginning of
// the input; emit tells the same of each word.
type splitter func(text string, first bool, emit func(word string, first bool))

// whole is the splitter that leaves a text as it is.
func whole(text string, first bool, emit func(string, bool)) { emit(text, first) }

// chainSplitters is the splitter that splits the words of outer by inner.
func chainSplitters(outer, inner splitter) splitter {
	return func(text string, first bool, emit func(string, bool)) {
		outer(text, first, func(word string, first bool) { inner(word, first, emit) })
	}
}

// scanWords emits the words of text; next returns the length of the word at the start of a text that is not empty.
func scanWords(text string, first bool, next func(rest string) int, emit func(word string, first bool)) {
	for text != "" {
		n := next(text)
		emit(text[:n], first)
		text, first = text[n:], false
	}
}

// prefixLen returns the length in bytes of the leading characters of text that belong to a class.
func prefixLen(text string, class func(rune) bool) int {
	for i, r := range text {
		if !class(r) {
			return i
		}
	}
	return len(text)
}

// newPieceSplitter is the splitter that emits the words of a finder's pieces.
func newPieceSplitter(find part.Finder, behavior string, invert bool) splitter {
	return func(text string, first bool, emit func(string, bool)) {
		pieces := find(text)
		if invert {
			for i := range pieces {
				pieces[i].Match = !pieces[i].Match
			}
		}
		for _, p := range part.Join(pieces, behavior) {
			if p.Begin < p.End {
				emit(text[p.Begin:p.End], first && p.Begin == 0)
			}
		}
	}
}

// newPatternSplitter is newPieceSplitter for a regular expression whose matches are isolated: what lies between two
// matches is a word too, so that no list of pieces is needed.
func newPatternSplitter(text string) (splitter, error) {
	re, err := pattern.Compile(text)
	if err != nil {
		return nil, err
	}
	return func(text string, first bool, emit func(string, bool)) {
		last := 0
		re.Scan(text, func(begin, end int) {
			if last < begin {
				emit(text[last:begin], first && last == 0)
			}
			if begin < end {
				emit(text[begin:end], first && begin == 0)
			}
			last = end
		})
		if last < len(text) {
			emit(text[last:], first && last == 0)
		}
	}, nil
}
