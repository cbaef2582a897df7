package gguf

import (
	"cmp"
	"slices"
	"strings"
)

// scoredMerges derives the merges of a SentencePiece BPE vocabulary from its tokens and their scores. A token with
// a higher score is formed earlier, and every split of a token into two other tokens is a merge with the token's
// score. Merges of equal score are ordered by the ids of the token, its left part and its right part. Tokens longer
// than any that SentencePiece learns get no merge, nor do tokens with a space, since a merge is written as "left
// right".
func scoredMerges(tokens []string, scores []float32) []string {
	const longest = 256 // bytes
	type merge struct {
		text               string
		score              float32
		token, left, right int // ids
	}
	ids := make(map[string]int, len(tokens))
	for id, token := range tokens {
		ids[token] = id
	}
	var merges []merge
	for id, token := range tokens {
		if len(token) > longest || strings.Contains(token, " ") {
			continue
		}
		for i := range token {
			left, okLeft := ids[token[:i]]
			right, okRight := ids[token[i:]]
			if i > 0 && okLeft && okRight {
				merges = append(merges, merge{token[:i] + " " + token[i:], scores[id], id, left, right})
			}
		}
	}
	slices.SortFunc(merges, func(a, b merge) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.token, b.token),
			cmp.Compare(a.left, b.left), cmp.Compare(a.right, b.right))
	})
	lines := make([]string, len(merges))
	for i, m := range merges {
		lines[i] = m.text
	}
	return lines
}
