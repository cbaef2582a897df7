package metric

import (
	"slices"
	"strings"
)

// rouge computes ROUGE (Lin 2004) of a text against a reference: the F-measures, 0 to 100, of common words
// (rouge1), of common pairs of words (rouge2), and of the longest common subsequences of sentences (rougeL). It
// equals the package rouge_score without stemming. rougeL is that package's rougeLsum, with sentences that end at "
// . ".
func rouge(reference, text string) map[string]float64 {
	reference, text = strings.ReplaceAll(reference, " . ", ".\n"), strings.ReplaceAll(text, " . ", ".\n")
	wanted, words := rougeWords(reference), rougeWords(text)
	overlap := func(n int) float64 {
		hits := countCommon(ngrams(words, n), ngrams(wanted, n))
		return fMeasure(hits, max(len(words)-n+1, 1), max(len(wanted)-n+1, 1))
	}
	return map[string]float64{
		"rouge1": overlap(1), "rouge2": overlap(2),
		"rougeL": summaryOverlap(rougeSentences(reference), rougeSentences(text)),
	}
}

// fMeasure returns the harmonic mean of the precision hits/n and the recall hits/m, in percent.
func fMeasure(hits, n, m int) float64 {
	precision, recall := float64(hits)/float64(n), float64(hits)/float64(m)
	if precision+recall == 0 {
		return 0
	}
	return 100 * 2 * precision * recall / (precision + recall)
}

// rougeWords splits a text into words, which consist of the letters a to z and digits.
func rougeWords(text string) []string {
	separates := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }
	return strings.FieldsFunc(strings.ToLower(text), separates)
}

// rougeSentences returns the words of every line that is not empty.
func rougeSentences(text string) [][]string {
	var sentences [][]string
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" {
			sentences = append(sentences, rougeWords(line))
		}
	}
	return sentences
}

// summaryOverlap returns the F-measure of the words that a reference and a text have in common in the same order:
// for each sentence of the reference, the union of its longest common subsequences with every sentence of the text.
// A word counts at most as often as it occurs in both.
func summaryOverlap(reference, text [][]string) float64 {
	wanted, words := slices.Concat(reference...), slices.Concat(text...)
	if len(wanted) == 0 || len(words) == 0 {
		return 0
	}
	leftWanted, leftWords := ngrams(wanted, 1), ngrams(words, 1)
	hits := 0
	for _, sentence := range reference {
		shared := make([]bool, len(sentence))
		for _, other := range text {
			markSubsequence(sentence, other, shared)
		}
		for i, word := range sentence {
			if shared[i] && leftWanted[word] > 0 && leftWords[word] > 0 {
				hits++
				leftWanted[word]--
				leftWords[word]--
			}
		}
	}
	return fMeasure(hits, len(words), len(wanted))
}

// markSubsequence marks the words of a that are in a longest common subsequence of a and b. Among several it takes
// the one that a search from the ends finds: it steps back in b only where stepping back in a would shorten the
// subsequence.
func markSubsequence(a, b []string, shared []bool) {
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
			shared[i-1] = true
			i, j = i-1, j-1
		case length[i][j-1] > length[i-1][j]:
			j--
		default:
			i--
		}
	}
}
