package mistral

import (
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph"
)

// scoreBatch is a batch of documents. Its tokens are stored one after another without gaps; they are arranged in
// rows only for the attention.
type scoreBatch struct {
	tokens, positions []int32 // [T]

	rows, length int     // B and S
	segments     []int32 // [B*S], with the meaning they have in graph.Layout
	rowTokens    []int32 // [B*S], the index in tokens of the token at each place of the rows
	tokenPlaces  []int32 // [T], the place of each token in the rows; the inverse of rowTokens

	targets []scoredTarget
	chunk   int // C, the number of targets whose logits are computed at once
}

// scoredTarget is a token whose log-probability is asked for.
type scoredTarget struct {
	predictor, label int32         // the index in tokens of the token that predicts it, and the target's id
	tokens           []scoredToken // the response tokens that it is; several if sequences share it
}

// scoredToken is a token of a response: the index of its sequence and its index in the response.
type scoredToken struct{ sequence, token int }

const (
	// batchTokensCPU and batchTokensGPU are the approximate sizes of a batch, enough to keep the device busy. The
	// value for GPUs is a guess.
	batchTokensCPU, batchTokensGPU = 1024, 4096
	// maxChunk is the largest number of targets whose logits are in memory at once. The number is a multiple of
	// targetStep.
	maxChunk, targetStep = 256, 32
	// minRowLength is the smallest length of a row. Shorter documents share rows of this length.
	minRowLength = 64
	// minShapeBatches is the number of batches from which on shorter rows save more time than compiling for another
	// length takes.
	minShapeBatches = 6
)

// makeBatches puts documents into batches of about size tokens. Batches with the same row length have the same
// number of rows.
func makeBatches(documents []*scoredDocument, size int) []*scoreBatch {
	packed, sizes := packDocuments(documents, size)
	batches := make([]*scoreBatch, len(packed))
	lengths := rowLengths(packed)
	targets, rows := 1, map[int]int{}
	for i, documents := range packed {
		b := newScoreBatch(documents, sizes[i], lengths[i])
		batches[i] = b
		targets, rows[b.length] = max(targets, len(b.targets)), max(rows[b.length], b.rows)
	}
	chunks := (targets + maxChunk - 1) / maxChunk
	for _, b := range batches {
		b.addRows(rows[b.length] - b.rows)
		b.chunk = roundUpToMultiple((targets+chunks-1)/chunks, targetStep)
	}
	return batches
}

// rowLengths returns the row length of each batch of packDocuments, whose first document is its longest. A length
// that fewer than minShapeBatches batches have is replaced by the previous batch's if that is at most twice as
// long.
func rowLengths(packed [][]*scoredDocument) []int {
	own := make([]int, len(packed))
	number := map[int]int{}
	for i, documents := range packed {
		longest := documents[0].length
		own[i] = min(powerOfTwo(longest, minRowLength), roundUpToMultiple(longest, longBatchStep))
		number[own[i]]++
	}
	for i := 1; i < len(own); i++ {
		if number[own[i]] < minShapeBatches && own[i-1] <= 2*own[i] {
			own[i] = own[i-1]
		}
	}
	return own
}

// newScoreBatch fills a batch of size tokens, in rows of the given length, with documents.
func newScoreBatch(documents []*scoredDocument, size, length int) *scoreBatch {
	b := &scoreBatch{
		tokens: make([]int32, size), positions: make([]int32, size), tokenPlaces: make([]int32, size), length: length,
	}
	rows := packRows(documents, length)
	b.addRows(paddedRows(len(rows)))
	at := 0
	for i, row := range rows {
		in := i * length
		for j, d := range row {
			b.add(d, at, in, j+1)
			at, in = at+d.length, in+d.length
		}
	}
	return b
}

// paddedRows returns the number of rows that n rows are padded to, so that few shapes are compiled.
func paddedRows(n int) int {
	if n > 8 {
		return roundUpToMultiple(n, 4)
	}
	return n
}

// addRows adds n empty rows.
func (b *scoreBatch) addRows(n int) {
	b.rows += n
	b.segments = append(b.segments, make([]int32, n*b.length)...)
	b.rowTokens = append(b.rowTokens, make([]int32, n*b.length)...)
}

// add writes a document and its targets into the batch. The document's tokens begin at index at and at place in of
// the rows; number is the document's number in its row, from 1.
func (b *scoreBatch) add(d *scoredDocument, at, in, number int) {
	trunk := at
	known := map[[2]int32]int{} // index of a target by predictor and label
	write := func(ids []int32, position, segment int) {
		for i, id := range ids {
			b.tokens[at], b.positions[at], b.tokenPlaces[at] = id, int32(position+i), int32(in)
			b.segments[in], b.rowTokens[in] = int32(segment), int32(at)
			at, in = at+1, in+1
		}
	}
	addTarget := func(predictor, label int32, token scoredToken) {
		key := [2]int32{predictor, label}
		n, ok := known[key]
		if !ok {
			n = len(b.targets)
			known[key], b.targets = n, append(b.targets, scoredTarget{predictor: predictor, label: label})
		}
		b.targets[n].tokens = append(b.targets[n].tokens, token)
	}
	write(d.trunk, 0, number<<graph.BranchBits)
	for i, branch := range d.branches {
		branchStart := at - len(d.trunk) // plus a position in the branch gives an index in tokens
		write(branch.ids[len(d.trunk):], len(d.trunk), number<<graph.BranchBits|(i+1))
		for _, m := range branch.members {
			for i, id := range append(branch.ids[m.prompt:len(branch.ids):len(branch.ids)], m.last) {
				predictor := m.prompt + i - 1 // position in the sequence
				if predictor < len(d.trunk) {
					predictor += trunk
				} else {
					predictor += branchStart
				}
				addTarget(int32(predictor), id, scoredToken{m.number, i})
			}
		}
	}
}

// inputs returns the tokens and positions, [1, T], and the segments of the rows, [B, S].
func (b *scoreBatch) inputs() []*tensors.Tensor {
	return []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(b.tokens, 1, len(b.tokens)),
		tensors.FromFlatDataAndDimensions(b.positions, 1, len(b.tokens)),
		tensors.FromFlatDataAndDimensions(b.segments, b.rows, b.length),
	}
}

// rowIndices returns rowTokens [B, S] and tokenPlaces [T].
func (b *scoreBatch) rowIndices() []*tensors.Tensor {
	rowTokens := tensors.FromFlatDataAndDimensions(b.rowTokens, b.rows, b.length)
	return []*tensors.Tensor{rowTokens, tensors.FromValue(b.tokenPlaces)}
}

// targetTensors returns the predictors and the labels, [C], of at most C targets.
func (b *scoreBatch) targetTensors(targets []scoredTarget) []*tensors.Tensor {
	predictors, labels := make([]int32, b.chunk), make([]int32, b.chunk)
	for i, t := range targets {
		predictors[i], labels[i] = t.predictor, t.label
	}
	return []*tensors.Tensor{tensors.FromValue(predictors), tensors.FromValue(labels)}
}
