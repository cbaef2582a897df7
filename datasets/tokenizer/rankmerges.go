package tokenizer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/tokenizer/vocabulary"
)

// halves is a way to make a token of two others: the ids of the three.
type halves struct{ token, left, right int32 }

// The limits of the merges that are derived from a vocabulary: published ones have about two for each token.
const (
	maxHalves      = 8   // for each token, and some more
	maxDerivedSize = 512 // bytes of a token that may have merges
)

// deriveMerges returns every way to make a token of two others, where size says how many tokens there are and text and
// find look them up. The tokens come in the order of their ids; bytes: a token may be split inside a character.
func deriveMerges(size int, text func(id int32) string, find func(string) (int32, bool), bytes bool) ([]halves, error) {
	var merges []halves
	for id := range int32(size) {
		token := text(id)
		if len(token) > maxDerivedSize {
			return nil, fmt.Errorf("token %d has %d bytes; at most %d are supported", id, len(token), maxDerivedSize)
		}
		for at := 1; at < len(token); at++ {
			if !bytes && token[at]&0xC0 == 0x80 {
				continue
			}
			left, ok := find(token[:at])
			if !ok {
				continue
			}
			right, ok := find(token[at:])
			if ok {
				merges = append(merges, halves{id, left, right})
			}
		}
		if len(merges) > maxHalves*size+1<<12 {
			return nil, fmt.Errorf("the vocabulary of %d tokens gives more than %d merges for each", size, maxHalves)
		}
	}
	return merges, nil
}

// addDerived adds merges in their order.
func (m *bpe) addDerived(merges []halves) {
	m.merges = vocabulary.NewMerges(len(merges))
	m.merged = make([]int32, len(merges))
	for rank, h := range merges {
		m.merges.Add(h.left, h.right, int32(rank))
		m.merged[rank] = h.token
	}
}

// sortByScore orders merges as transformers does for SentencePiece: by the score of the token, the highest first, then
// longer left halves first, then longer right halves, then by the ids of the token and of its halves.
func sortByScore(merges []halves, scores []float32, text func(id int32) string) {
	slices.SortFunc(merges, func(a, b halves) int {
		return cmp.Or(cmp.Compare(scores[b.token], scores[a.token]), cmp.Compare(chars(text(b.left)), chars(text(a.left))),
			cmp.Compare(chars(text(b.right)), chars(text(a.right))), cmp.Compare(a.token, b.token),
			cmp.Compare(a.left, b.left), cmp.Compare(a.right, b.right))
	})
}

// chars returns the number of characters of a text.
func chars(text string) int { return strings.Count(text, "") - 1 }
