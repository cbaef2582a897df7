package mistral

import (
	"slices"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// scoreBatch is a batch of rows of documents, in the layout of Input and graph.GreedyLogProbs.
type scoreBatch struct {
	rows, length, places        int     // B and S, and N
	tokens, positions, segments []int32 // [B*S]
	index, labels               []int32 // of the targets, up to N
	targets                     []scoredTarget
}

// scoredTarget says whose log-probability a target is.
type scoredTarget struct{ sequence, token int }

const (
	// scoredTokens is the size of a batch in tokens: enough to keep a processor busy.
	scoredTokens = 1024
	// batchCost is how many tokens take as long as a batch takes more than its tokens, a rough guess.
	batchCost = 50
)

// scoreBatches puts documents into batches. All batches of rows of one length have one shape, since each shape needs a program (programCost).
func scoreBatches(documents []*scoredDocument) []*scoreBatch {
	var batches []*scoreBatch
	for _, same := range packDocuments(documents) {
		number := rowsOfBatch(len(same.rows), same.length)
		first, most := len(batches), 0
		for rows := range slices.Chunk(same.rows, number) {
			b := newScoreBatch(rows, number, same.length)
			batches = append(batches, b)
			most = max(most, len(b.targets))
		}
		for _, b := range batches[first:] {
			b.places = paddedTargets(most)
		}
	}
	return batches
}

// rowsOfBatch returns how many rows of a length the batches of so many have: about scoredTokens, such that few rows remain empty.
func rowsOfBatch(rows, length int) int {
	full := max(1, scoredTokens/length)
	if rows <= full/2 {
		return roundedUp(rows, 1)
	}
	best := full
	for _, n := range []int{full * 3 / 4, full / 2} {
		if n > 0 && batchesCost(rows, n, length) < batchesCost(rows, best, length) {
			best = n
		}
	}
	return best
}

// batchesCost returns how many tokens take as long as so many rows of a length take without their attention, n rows a batch.
func batchesCost(rows, n, length int) int { return (rows + n - 1) / n * (n*length + batchCost) }

// paddedTargets returns what n targets are padded to. A target costs a fourth of a token in a small model, and each number is a program of its own.
func paddedTargets(n int) int {
	step := max(64, powerOfTwo(n, 1)/16)
	return (n + step - 1) / step * step
}

// newScoreBatch writes rows into a batch of so many of a length.
func newScoreBatch(rows [][]*scoredDocument, number, length int) *scoreBatch {
	n := number * length
	b := &scoreBatch{rows: number, length: length, tokens: make([]int32, n), positions: make([]int32, n), segments: make([]int32, n)}
	for i, row := range rows {
		at := i * length
		for j, d := range row {
			at = b.add(d, at, j+1)
		}
	}
	return b
}

// add writes a document, the given one of its row, at a place counted over all rows, and its targets. It returns the place behind it.
func (b *scoreBatch) add(d *scoredDocument, at, number int) int {
	trunk := at
	at = b.write(d.trunk, at, 0, number<<graph.BranchBits)
	for i, branch := range d.branches {
		rest := at
		at = b.write(branch.ids[len(d.trunk):], at, len(d.trunk), number<<graph.BranchBits|(i+1))
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
	return at
}

// write writes tokens of a segment, the first at the given position. It returns the place behind them.
func (b *scoreBatch) write(ids []int32, at, position, segment int) int {
	for i, id := range ids {
		b.tokens[at+i], b.positions[at+i], b.segments[at+i] = id, int32(position+i), int32(segment)
	}
	return at + len(ids)
}

// tensors returns tokens, positions and segments [B, S], index and labels [N].
func (b *scoreBatch) tensors() []*tensors.Tensor {
	in := make([]*tensors.Tensor, 0, 5)
	for _, values := range [][]int32{b.tokens, b.positions, b.segments} {
		in = append(in, tensors.FromFlatDataAndDimensions(values, b.rows, b.length))
	}
	for _, values := range [][]int32{b.index, b.labels} {
		padded := make([]int32, b.places)
		copy(padded, values)
		in = append(in, tensors.FromFlatDataAndDimensions(padded, b.places))
	}
	return in
}
