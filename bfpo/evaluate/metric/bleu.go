package metric

import (
	"math"
	"regexp"
	"strings"
)

// bleuOrder is the length of the longest n-grams in BLEU.
const bleuOrder = 4

// bleu computes the BLEU of a text against one reference, 0 to 100 (Papineni et al. 2002), with the smoothing that
// Chen and Cherry (2014) call method 3, as sacrebleu does for a corpus of one sentence:
//
//	BLEU = BP * exp( 1/4 * sum over n of log p_n )    BP = exp(1 - r/c) if c < r, else 1
//
// c and r are the lengths of the text and of the reference in words. p_n is the percentage of the text's n-grams
// that occur in the reference; the k-th p_n without a match counts as 1/2^k matches. A text of fewer than bleuOrder
// words scores 0.
func bleu(reference, text string) float64 {
	words, wanted := bleuWords(text), bleuWords(reference)
	c, r := float64(len(words)), float64(len(wanted))
	logs, smooth, matched := 0.0, 1.0, false
	for n := 1; n <= bleuOrder; n++ {
		total := len(words) - n + 1
		if total <= 0 {
			return 0
		}
		matches := float64(countCommon(ngrams(words, n), ngrams(wanted, n)))
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

// The steps of sacrebleu's tokenizer "intl", which separates symbols, and punctuation except between digits, from
// words.
var (
	punctuationAfterNonDigit  = regexp.MustCompile(`(\P{N})(\p{P})`)
	punctuationBeforeNonDigit = regexp.MustCompile(`(\p{P})(\P{N})`)
	symbol                    = regexp.MustCompile(`(\p{S})`)
)

// bleuWords splits a text into words.
func bleuWords(text string) []string {
	text = strings.TrimRightFunc(text, IsSpace)
	text = punctuationAfterNonDigit.ReplaceAllString(text, "$1 $2 ")
	text = punctuationBeforeNonDigit.ReplaceAllString(text, " $1 $2")
	text = symbol.ReplaceAllString(text, " $1 ")
	return strings.FieldsFunc(text, IsSpace)
}
