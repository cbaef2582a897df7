package metric

import (
	"slices"
	"strings"
)

// rouge compares a text with a reference (Lin 2004): the F-measures, 0 to 100, of common words (rouge1) and pairs of words (rouge2), and
// of the longest common subsequences of their sentences (rougeL), as the package rouge_score has them without stemming. rougeL is its
// rougeLsum, with " . " taken for the end of a sentence.
func rouge(reference, text string) map[string]float64 {
	reference, text = strings.ReplaceAll(reference, " . ", ".\n"), strings.ReplaceAll(text, " . ", ".\n")
	wanted, words := rougeWords(reference), rougeWords(text)
	overlap := func(n int) float64 {
		hits := common(ngrams(words, n), ngrams(wanted, n))
		return fMeasure(hits, max(len(words)-n+1, 1), max(len(wanted)-n+1, 1))
	}
	return map[string]float64{
		"rouge1": overlap(1), "rouge2": overlap(2), "rougeL": summaryOverlap(rougeSentences(reference), rougeSentences(text)),
	}
}

// fMeasure is the harmonic mean of precision hits/n and recall hits/m, in percent.
func fMeasure(hits, n, m int) float64 {
	precision, recall := float64(hits)/float64(n), float64(hits)/float64(m)
	if precision+recall == 0 {
		return 0
	}
	return 100 * 2 * precision * recall / (precision + recall)
}

// rougeWords are the runs of the letters a to z and digits.
func rougeWords(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
}

// rougeSentences are the words of each line that is not empty.
func rougeSentences(text string) [][]string {
	var sentences [][]string
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" {
			sentences = append(sentences, rougeWords(line))
		}
	}
	return sentences
}

// summaryOverlap is the F-measure of the words that the sentences of a reference have in common with a text in the same order: of each
// sentence the union of its longest common subsequences with all sentences of the text, no word counted more often than both have it.
func summaryOverlap(reference, text [][]string) float64 {
	wanted, words := slices.Concat(reference...), slices.Concat(text...)
	if len(wanted) == 0 || len(words) == 0 {
		return 0
	}
	leftWanted, leftWords := ngrams(wanted, 1), ngrams(words, 1)
	hits := 0
	for _, sentence := range reference {
		in := make([]bool, len(sentence))
		for _, other := range text {
			markCommon(sentence, other, in)
		}
		for i, word := range sentence {
			if in[i] && leftWanted[word] > 0 && leftWords[word] > 0 {
				hits++
				leftWanted[word]--
				leftWords[word]--
			}
		}
	}
	return fMeasure(hits, len(words), len(wanted))
}

// markCommon marks the places of a that are in one longest common subsequence of a and b: of several the one that is found from the end,
// going up in a unless going left in b is better.
func markCommon(a, b []string, in []bool) {
	length := make([][]int, len(a)+1)
	for i := range length {
		length[i] = make([]int, len(b)+1)
	}
	for i := range a {
		for j := range b {
			if a[i] == b[j] {
				length[i+1][j+1] = length[i][j] + 1
			} else {
				length[i+1][j+1] = max(length[i][j+1], length[i+1][j])
			}
		}
	}
	for i, j := len(a), len(b); i > 0 && j > 0; {
		switch {
		case a[i-1] == b[j-1]:
			in[i-1] = true
			i, j = i-1, j-1
		case length[i][j-1] > length[i-1][j]:
			j--
		default:
			i--
		}
	}
}
