package mistral

import (
	"slices"

	"github.com/bfpo-go/bfpo/graph"
)

const (
	// mostBranches is the number of branches that a segment number can tell apart.
	maxBranches = 1<<graph.BranchBits - 1
	// branchedLength is the length that a document may grow to by branches unless its trunk is half of it: in longer
	// rows attention grows.
	maxBranchedLength = 256
)

// scoredDocument is sequences that begin alike: what all begin with is its trunk, the rest of each its branch. As
// the last token of a sequence predicts nothing it is not computed, so after the same prompt yes and no are the
// same branch.
type scoredDocument struct {
	trunk    []int32
	branches []scoredBranch
	length   int // tokens to compute
}

// scoredBranch is sequences that are equal but for their last tokens.
type scoredBranch struct {
	ids     []int32 // of the whole sequence, without the last token
	members []scoredMember
}

// scoredMember is one sequence.
type scoredMember struct {
	number int   // the caller's
	prompt int   // tokens of the prompt
	last   int32 // token
}

// sharePrompts puts sequences into documents.
func groupByPrefix(sequences []Sequence) []*scoredDocument {
	var all []*scoredDocument
	for _, b := range sortedBranches(sequences) {
		if len(all) == 0 || !all[len(all)-1].join(b) {
			all = append(all, &scoredDocument{b.ids, []scoredBranch{b}, len(b.ids)})
		}
	}
	return all
}

// scoredBranches returns the sequences in the order of their ids, such that those that begin alike are neighbours.
func sortedBranches(sequences []Sequence) []scoredBranch {
	var all []scoredBranch
	for i, q := range sequences {
		if n := len(q.ResponseIDs); n > 0 {
			all = append(all, scoredBranch{slices.Concat(q.PromptIDs, q.ResponseIDs[:n-1]), []scoredMember{{i, len(q.PromptIDs), q.ResponseIDs[n-1]}}})
		}
	}
	slices.SortStableFunc(all, func(a, b scoredBranch) int { return slices.Compare(a.ids, b.ids) })
	different := all[:0]
	for _, b := range all {
		if last := len(different) - 1; last >= 0 && slices.Equal(different[last].ids, b.ids) {
			different[last].members = append(different[last].members, b.members...)
		} else {
			different = append(different, b)
		}
	}
	return different
}

// join takes a branch in, if that saves a fourth of its tokens: those of the trunk that the two have in common,
// less what the other branches then have to compute each for itself. It takes none where the document has enough or
// would become too long.
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

// Sequence is a response to be scored after its prompt. Ids are taken as they stand: nothing is put before or
// behind them.
type Sequence struct {
	PromptIDs, ResponseIDs []int32
}
