package mistral

import (
	"github.com/bfpo-go/bfpo/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// scoreBatch is a batch of documents. Its tokens lie one behind the other without gaps, and are put into rows for
// attention alone.
type scoreBatch struct {
	tokens, positions []int32 // [T]

	rows, length int     // B and S
	segments     []int32 // [B*S], as graph.Places has them
	rowTokens    []int32 // [B*S], the places of the rows' tokens
	tokenPlaces  []int32 // [T], where a token is in the rows

	targets []scoredTarget
	chunk   int // C, the number of targets whose logits are computed together
}

// scoredTarget is a token to be scored.
type scoredTarget struct {
	place, label int32         // of the token that predicts it, and what it is
	tokens       []scoredToken // whose it is: several sequences' where they begin alike
}

// scoredToken is a token of a sequence's response.
type scoredToken struct{ sequence, token int }

const (
	// scoredTokens and scoredTokensGPU are about the sizes of a batch in tokens: enough to keep the device busy. That
	// of GPUs is a guess.
	batchTokensCPU, batchTokensGPU = 1024, 4096
	// scoredChunk is the number of targets whose logits are in memory together, at most, and targetStep divides it.
	maxChunk, targetStep = 256, 32
	// shortestRow is the length of the rows that shorter documents share.
	minRowLength = 64
	// shapeBatches is the number of batches from which rows half as long save more time than it takes to compile for them.
	minShapeBatches = 6
)

// scoreBatches puts documents into batches of about size tokens. Those of rows of one length have one shape.
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

// rowLengths returns the length of the rows of each batch; the batches are those of packDocuments, which begin with
// their longest document.
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

// newScoreBatch writes documents into a batch of so many tokens and into rows of a length.
func newScoreBatch(documents []*scoredDocument, size, length int) *scoreBatch {
	b := &scoreBatch{tokens: make([]int32, size), positions: make([]int32, size), tokenPlaces: make([]int32, size), length: length}
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

// paddedRows returns what n rows are padded to, so that few shapes are compiled.
func paddedRows(n int) int {
	if n > 8 {
		return roundUpToMultiple(n, 4)
	}
	return n
}

// addRows adds empty rows.
func (b *scoreBatch) addRows(n int) {
	b.rows += n
	b.segments = append(b.segments, make([]int32, n*b.length)...)
	b.rowTokens = append(b.rowTokens, make([]int32, n*b.length)...)
}

// add writes a document, the given one of its row, at a place and at one in the rows, and its targets.
func (b *scoreBatch) add(d *scoredDocument, at, in, number int) {
	trunk := at
	known := map[[2]int32]int{} // targets by place and label
	write := func(ids []int32, position, segment int) {
		for i, id := range ids {
			b.tokens[at], b.positions[at], b.tokenPlaces[at] = id, int32(position+i), int32(in)
			b.segments[in], b.rowTokens[in] = int32(segment), int32(at)
			at, in = at+1, in+1
		}
	}
	target := func(place, label int32, token scoredToken) {
		key := [2]int32{place, label}
		n, ok := known[key]
		if !ok {
			n = len(b.targets)
			known[key], b.targets = n, append(b.targets, scoredTarget{place: place, label: label})
		}
		b.targets[n].tokens = append(b.targets[n].tokens, token)
	}
	write(d.trunk, 0, number<<graph.BranchBits)
	for i, branch := range d.branches {
		rest := at - len(d.trunk)
		write(branch.ids[len(d.trunk):], len(d.trunk), number<<graph.BranchBits|(i+1))
		for _, m := range branch.members {
			for i, id := range append(branch.ids[m.prompt:len(branch.ids):len(branch.ids)], m.last) {
				place := m.prompt + i - 1 // of the predictor, in the sequence
				if place < len(d.trunk) {
					place += trunk
				} else {
					place += rest
				}
				target(int32(place), id, scoredToken{m.number, i})
			}
		}
	}
}

// read returns tokens and positions [1, T] and the rows' segments [B, S].
func (b *scoreBatch) inputs() []*tensors.Tensor {
	return []*tensors.Tensor{tensors.FromFlatDataAndDimensions(b.tokens, 1, len(b.tokens)),
		tensors.FromFlatDataAndDimensions(b.positions, 1, len(b.tokens)), tensors.FromFlatDataAndDimensions(b.segments, b.rows, b.length)}
}

// layout returns how rows are filled from tokens [B, S], and tokens found in rows [T].
func (b *scoreBatch) rowIndices() []*tensors.Tensor {
	return []*tensors.Tensor{tensors.FromFlatDataAndDimensions(b.rowTokens, b.rows, b.length), tensors.FromValue(b.tokenPlaces)}
}

// asked returns the places and labels [C] of targets.
func (b *scoreBatch) targetTensors(targets []scoredTarget) []*tensors.Tensor {
	places, labels := make([]int32, b.chunk), make([]int32, b.chunk)
	for i, t := range targets {
		places[i], labels[i] = t.place, t.label
	}
	return []*tensors.Tensor{tensors.FromValue(places), tensors.FromValue(labels)}
}
