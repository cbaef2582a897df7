package gguf

import (
	"cmp"
	"slices"
	"strings"
)

// scoredMerges turns the scores of a SentencePiece BPE vocabulary into merges. The score of an entry tells how early it is formed;
// every way to make it from two other entries is a merge of that rank. Among those of equal score the order is that of the
// vocabulary: entry, left part, right part. Entries longer than any that SentencePiece learns are left alone, and those with a
// blank, which "left right" could not hold.
func (v *vocabulary) scoredMerges() []string {
	const longest = 256 // bytes
	type merge struct {
		text               string
		score              float32
		entry, left, right int
	}
	ids := make(map[string]int, len(v.tokens))
	for id, token := range v.tokens {
		ids[token] = id
	}
	var merges []merge
	for entry, token := range v.tokens {
		if len(token) > longest || strings.Contains(token, " ") {
			continue
		}
		for i := range token {
			left, okLeft := ids[token[:i]]
			right, okRight := ids[token[i:]]
			if i > 0 && okLeft && okRight {
				merges = append(merges, merge{token[:i] + " " + token[i:], v.scores[entry], entry, left, right})
			}
		}
	}
	slices.SortFunc(merges, func(a, b merge) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.entry, b.entry), cmp.Compare(a.left, b.left), cmp.Compare(a.right, b.right))
	})
	lines := make([]string, len(merges))
	for i, m := range merges {
		lines[i] = m.text
	}
	return lines
}
