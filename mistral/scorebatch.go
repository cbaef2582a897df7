package mistral

import (
	"iter"
	"slices"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

const (
	// scoredTokens is the size of a batch in tokens: enough to keep a processor busy.
	scoredTokens = 2048
	// scoredRow is the length of a row that short documents share, and the length that a document may grow to by branches unless its trunk is
	// half of it. In longer rows less is left over, but attention grows.
	scoredRow = 256
	// mostBranches is the number of branches that a segment number can tell apart.
	mostBranches = 1<<graph.BranchBits - 1
	// leastTargets is the number of targets of a small batch: fewer would save little, and each number is a program of its own.
	leastTargets = 128
)

// scoredDocument is sequences that begin alike: what all begin with is its trunk, the rest of each its branch. As the last token of a
// sequence predicts nothing it is not computed, so after the same prompt yes and no are the same branch.
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
func sharePrompts(sequences []Sequence) []*scoredDocument {
	var all []*scoredDocument
	for _, b := range scoredBranches(sequences) {
		if len(all) == 0 || !all[len(all)-1].join(b) {
			all = append(all, &scoredDocument{b.ids, []scoredBranch{b}, len(b.ids)})
		}
	}
	return all
}

// scoredBranches returns the sequences in the order of their ids, such that those that begin alike are neighbours.
func scoredBranches(sequences []Sequence) []scoredBranch {
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

// join takes a branch in, if that saves a fourth of its tokens: those of the trunk that the two have in common, less what the other branches
// then have to compute each for itself. It takes none where the document has enough or would become too long.
func (d *scoredDocument) join(b scoredBranch) bool {
	common := 0
	for common < min(len(d.trunk), len(b.ids)) && d.trunk[common] == b.ids[common] {
		common++
	}
	saved := common - (len(d.branches)-1)*(len(d.trunk)-common)
	length := d.length + len(b.ids) - saved
	if 4*saved < len(b.ids) || len(d.branches) == mostBranches || length > max(scoredRow, 2*common) {
		return false
	}
	d.trunk, d.length, d.branches = d.trunk[:common], length, append(d.branches, b)
	return true
}

// scoreBatch is a batch of rows of documents, in the layout of Input and graph.GreedyLogProbs.
type scoreBatch struct {
	rows, length                int
	tokens, positions, segments []int32 // [B*S]
	index, labels               []int32 // [N]
	targets                     []scoredTarget
	used, documents             int // of the last row
}

// scoredTarget says whose log-probability a target is.
type scoredTarget struct{ sequence, token int }

// scoreBatches packs documents into batches, long ones first. A row takes the longest document that is left and then, as long as
// there is one, the longest that fits behind it.
func scoreBatches(documents []*scoredDocument) iter.Seq[*scoreBatch] {
	return func(yield func(*scoreBatch) bool) {
		longest, total := 0, 0
		for _, d := range documents {
			longest, total = max(longest, d.length), total+d.length
		}
		byLength := make([][]*scoredDocument, longest+1)
		for _, d := range documents {
			byLength[d.length] = append(byLength[d.length], d)
		}
		// take removes the longest document of at most n tokens.
		take := func(n int) *scoredDocument {
			for n = min(n, longest); n > 0; n-- {
				if same := byLength[n]; len(same) > 0 {
					byLength[n] = same[1:]
					total -= n
					return same[0]
				}
			}
			return nil
		}
		for total > 0 {
			for len(byLength[longest]) == 0 {
				longest--
			}
			b := &scoreBatch{length: paddedLength(max(longest, min(scoredRow, total)))}
			for total > 0 && b.rows < scoredRows(b.length) {
				b.newRow()
				for d := take(b.length); d != nil; d = take(b.length - b.used) {
					b.add(d)
				}
			}
			if !yield(b) {
				return
			}
		}
	}
}

// scoredRows returns how many rows of a length make a batch, a power of two.
func scoredRows(length int) int {
	rows := 1
	for 2*rows*length <= scoredTokens {
		rows *= 2
	}
	return rows
}

// newRow starts a row of padding.
func (b *scoreBatch) newRow() {
	b.rows++
	b.used, b.documents = 0, 0
	padding := make([]int32, b.length)
	b.tokens, b.positions, b.segments = append(b.tokens, padding...), append(b.positions, padding...), append(b.segments, padding...)
}

// add writes a document behind those of the last row, and its targets.
func (b *scoreBatch) add(d *scoredDocument) {
	b.documents++
	trunk := b.at()
	b.write(d.trunk, 0, 0)
	for number, branch := range d.branches {
		rest := b.at()
		b.write(branch.ids[len(d.trunk):], len(d.trunk), number+1)
		for _, m := range branch.members {
			for i, id := range append(branch.ids[m.prompt:len(branch.ids):len(branch.ids)], m.last) {
				predictor := m.prompt + i - 1 // its place in the sequence
				if predictor < len(d.trunk) {
					predictor += trunk
				} else {
					predictor += rest - len(d.trunk)
				}
				b.index, b.labels = append(b.index, int32(predictor)), append(b.labels, id)
				b.targets = append(b.targets, scoredTarget{m.number, i})
			}
		}
	}
}

// at returns the next free place, counted over all rows.
func (b *scoreBatch) at() int { return (b.rows-1)*b.length + b.used }

// write appends tokens of the last document, the first at the given position.
func (b *scoreBatch) write(ids []int32, position, branch int) {
	at := b.at()
	for i, id := range ids {
		b.tokens[at+i], b.positions[at+i], b.segments[at+i] = id, int32(position+i), int32(b.documents<<graph.BranchBits|branch)
	}
	b.used += len(ids)
}

// tensors returns tokens, positions and segments [B, S], index and labels [N], with B and N padded too.
func (b *scoreBatch) tensors() []*tensors.Tensor {
	n := powerOfTwo(len(b.targets), leastTargets)
	rows := powerOfTwo(b.rows, 1)
	if middle := rows / 4 * 3; b.rows <= middle {
		rows = middle
	}
	in := make([]*tensors.Tensor, 0, 5)
	for _, values := range [][]int32{b.tokens, b.positions, b.segments} {
		in = append(in, tensors.FromFlatDataAndDimensions(padded(values, rows*b.length), rows, b.length))
	}
	for _, values := range [][]int32{b.index, b.labels} {
		in = append(in, tensors.FromFlatDataAndDimensions(padded(values, n), n))
	}
	return in
}

// padded appends zeros.
func padded(values []int32, n int) []int32 { return append(values, make([]int32, n-len(values))...) }
