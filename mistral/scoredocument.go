package mistral

import (
	"slices"

	"github.com/bfpo-go/bfpo/graph"
)

const (
	// maxBranches is the number of branches that segment numbers can tell apart.
	maxBranches = 1<<graph.BranchBits - 1
	// maxBranchedLength is the length up to which branches may extend a document. A document may be longer if its
	// trunk is at least half of it. In longer rows the cost of attention would exceed the savings.
	maxBranchedLength = 256
)

// Sequence is a response to be scored after its prompt. The ids are used as they are; no token is added before or
// after them.
type Sequence struct {
	PromptIDs, ResponseIDs []int32
}

// scoredDocument is a group of sequences with a common prefix, which is computed once. The common prefix is the
// document's trunk, and the rest of each sequence a branch. The last token of a sequence predicts nothing and is
// not computed, so that one-token responses to the same prompt are all the same branch.
type scoredDocument struct {
	trunk    []int32
	branches []scoredBranch
	length   int // number of tokens to compute
}

// scoredBranch is a group of sequences that are equal except for their last tokens.
type scoredBranch struct {
	ids     []int32 // of the whole sequence without its last token
	members []scoredMember
}

// scoredMember is one sequence of a branch.
type scoredMember struct {
	number int   // the caller's index of the sequence
	prompt int   // number of tokens of the prompt
	last   int32 // the last token
}

// groupByPrefix groups sequences into documents.
func groupByPrefix(sequences []Sequence) []*scoredDocument {
	var all []*scoredDocument
	for _, b := range sortedBranches(sequences) {
		if len(all) == 0 || !all[len(all)-1].join(b) {
			all = append(all, &scoredDocument{b.ids, []scoredBranch{b}, len(b.ids)})
		}
	}
	return all
}

// sortedBranches returns the sequences as branches in the order of their ids, which makes sequences with a common
// prefix neighbours. Empty responses are left out.
func sortedBranches(sequences []Sequence) []scoredBranch {
	var all []scoredBranch
	for i, q := range sequences {
		if n := len(q.ResponseIDs); n > 0 {
			member := scoredMember{i, len(q.PromptIDs), q.ResponseIDs[n-1]}
			all = append(all, scoredBranch{slices.Concat(q.PromptIDs, q.ResponseIDs[:n-1]), []scoredMember{member}})
		}
	}
	slices.SortStableFunc(all, func(a, b scoredBranch) int { return slices.Compare(a.ids, b.ids) })
	merged := all[:0]
	for _, b := range all {
		if last := len(merged) - 1; last >= 0 && slices.Equal(merged[last].ids, b.ids) {
			merged[last].members = append(merged[last].members, b.members...)
		} else {
			merged = append(merged, b)
		}
	}
	return merged
}

// join adds a branch to the document if this saves at least a fourth of the branch's tokens, and reports whether it
// did. The saving is the common prefix of trunk and branch, less the tokens that drop out of the trunk and that
// each of the other branches then has to compute itself. A document does not take more than maxBranches or a branch
// that would make it too long.
func (d *scoredDocument) join(b scoredBranch) bool {
	common := 0
	for common < min(len(d.trunk), len(b.ids)) && d.trunk[common] == b.ids[common] {
		common++
	}
	saved := common - (len(d.branches)-1)*(len(d.trunk)-common)
	length := d.length + len(b.ids) - saved
	if 4*saved < len(b.ids) || len(d.branches) == maxBranches || length > max(maxBranchedLength, 2*common) {
		return false
	}
	d.trunk, d.length, d.branches = d.trunk[:common], length, append(d.branches, b)
	return true
}
