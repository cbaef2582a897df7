package metric

import (
	"math"
	"regexp"
	"strings"
	"unicode"
)

// bleuOrder is the length of the longest n-grams that BLEU compares.
const bleuOrder = 4

// bleu is how much of a text stands in a reference, 0 to 100 (Papineni et al. 2002; with the smoothing that Chen and Cherry 2014 call
// method 3), as sacrebleu has it for a corpus of one sentence:
//
//	BLEU = BP * exp( 1/4 * sum over n of log p_n )    BP = exp(1 - r/c) if c < r, else 1
//
// p_n is the share of the text's n-grams that the reference has, in percent; the k-th p_n without a match counts as 1/2^k matches. A
// text too short to have an n-gram scores 0.
func bleu(reference, text string) float64 {
	words, wanted := bleuWords(text), bleuWords(reference)
	c, r := float64(len(words)), float64(len(wanted))
	logs, smooth, matched := 0.0, 1.0, false
	for n := 1; n <= bleuOrder; n++ {
		total := len(words) - n + 1
		if total <= 0 {
			return 0
		}
		matches := float64(common(ngrams(words, n), ngrams(wanted, n)))
		matched = matched || matches > 0
		if matches == 0 {
			smooth *= 2
			matches = 1 / smooth
		}
		logs += math.Log(100 * matches / float64(total))
	}
	if !matched {
		return 0
	}
	return math.Exp(min(0, 1-r/c)) * math.Exp(logs/bleuOrder)
}

// The steps of the tokenizer "intl": punctuation that does not stand between digits, and symbols, become words of their own.
var (
	behindLetter = regexp.MustCompile(`(\P{N})(\p{P})`)
	beforeLetter = regexp.MustCompile(`(\p{P})(\P{N})`)
	symbol       = regexp.MustCompile(`(\p{S})`)
)

func bleuWords(text string) []string {
	text = strings.TrimRightFunc(text, IsSpace)
	text = behindLetter.ReplaceAllString(text, "$1 $2 ")
	text = beforeLetter.ReplaceAllString(text, " $1 $2")
	text = symbol.ReplaceAllString(text, " $1 ")
	return strings.FieldsFunc(text, IsSpace)
}

// ngrams counts the runs of n words.
func ngrams(words []string, n int) map[string]int {
	counts := map[string]int{}
	for i := 0; i+n <= len(words); i++ {
		counts[strings.Join(words[i:i+n], " ")]++ // no word has a blank in it
	}
	return counts
}

// common counts what both have.
func common(a, b map[string]int) int {
	n := 0
	for gram, count := range a {
		n += min(count, b[gram])
	}
	return n
}

// pythonSpace is str.isspace.
func IsSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
