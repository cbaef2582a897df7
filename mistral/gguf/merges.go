package gguf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxMerges bounds the merges for each token of a vocabulary; published ones have about two.
const maxMerges = 8

// scoredMerges derives the merges of a SentencePiece BPE vocabulary from its tokens and their scores. A token with
// a higher score is formed earlier, and every split of a token into two other tokens is a merge with the token's
// score. Merges of equal score are ordered by the ids of the token, its left part and its right part. Tokens longer
// than any that SentencePiece learns get no merge, nor do tokens with a space, since a merge is written as "left
// right".
func scoredMerges(tokens []string, scores []float32) ([]string, error) {
	const longest = 256 // bytes
	ids := make(map[string]int32, len(tokens))
	for id, token := range tokens {
		ids[token] = int32(id)
	}
	type merge struct{ token, left, right int32 } // ids
	var merges []merge
	for id, token := range tokens {
		if len(token) > longest || strings.Contains(token, " ") {
			continue
		}
		for i := range token {
			left, okLeft := ids[token[:i]]
			right, okRight := ids[token[i:]]
			if i > 0 && okLeft && okRight {
				merges = append(merges, merge{int32(id), left, right})
			}
		}
		if len(merges) > maxMerges*len(tokens)+1<<12 {
			return nil, fmt.Errorf("metadata key tokenizer.ggml.tokens: the %d tokens give more than %d merges for each",
				len(tokens), maxMerges)
		}
	}
	slices.SortFunc(merges, func(a, b merge) int {
		return cmp.Or(cmp.Compare(scores[b.token], scores[a.token]), cmp.Compare(a.token, b.token),
			cmp.Compare(a.left, b.left), cmp.Compare(a.right, b.right))
	})
	lines := make([]string, len(merges))
	for i, m := range merges {
		lines[i] = tokens[m.left] + " " + tokens[m.right]
	}
	return lines, nil
}
