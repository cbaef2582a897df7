package data

import (
	"encoding/binary"
	"fmt"

	"github.com/zeebo/xxh3"

	"github.com/bfpo-go/bfpo/datasets/batch"
)

// NoteOverlap adds a warning to a set of held-out pairs if some of them are among pairs that are trained on: such pairs
// show what a model has learned by heart.
func NoteOverlap(heldOut *Set, trained ...Set) {
	found := make(map[uint64]bool, len(heldOut.Pairs)) // by the hash of a pair: is it trained on?
	for _, p := range heldOut.Pairs {
		found[hashPair(p)] = false
	}
	for _, set := range trained {
		for _, p := range set.Pairs {
			key := hashPair(p)
			if _, ok := found[key]; ok {
				found[key] = true
			}
		}
	}
	var ids []string
	for _, p := range heldOut.Pairs {
		if found[hashPair(p)] {
			ids = append(ids, p.ID)
		}
	}
	if len(ids) > 0 {
		heldOut.Notes = append(heldOut.Notes, fmt.Sprintf("warning: %d of %d held-out pairs are trained on too (%s): they "+
			"do not show how the model does on rows that it has not seen", len(ids), len(heldOut.Pairs), firstIDs(ids)))
	}
}

// NoteRepeated adds a warning to a set of held-out pairs if some of them stand there more than once: tests count them
// as independent rows.
func NoteRepeated(heldOut *Set) {
	seen := map[uint64]bool{}
	var ids []string
	for _, p := range heldOut.Pairs {
		key := hashPair(p)
		if seen[key] {
			ids = append(ids, p.ID)
		}
		seen[key] = true
	}
	if len(ids) > 0 {
		heldOut.Notes = append(heldOut.Notes, fmt.Sprintf("warning: %d of %d held-out pairs repeat another one (%s): tests "+
			"count them as independent rows", len(ids), len(heldOut.Pairs), firstIDs(ids)))
	}
}

// hashPair hashes the token ids of both responses of a pair, with their prompts.
func hashPair(p batch.Pair) uint64 {
	var bytes []byte
	for _, s := range []batch.Sequence{p.Chosen, p.Rejected} {
		bytes = binary.LittleEndian.AppendUint32(bytes, uint32(len(s.IDs)))
		for _, id := range s.IDs {
			bytes = binary.LittleEndian.AppendUint32(bytes, uint32(id))
		}
	}
	return xxh3.Hash(bytes)
}
