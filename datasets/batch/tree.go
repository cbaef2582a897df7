package batch

import "slices"

// Layout is how the examples of a batch lie in its rows.
type Layout int

const (
	// Shared stores the common prefix of a chosen and a rejected sequence once, and packs rows with as many examples as
	// fit.
	Shared Layout = iota
	// Separate gives every sequence a row (chosen 2i, rejected 2i+1), padded on the right, as the original code does.
	Separate
)

// tree is the unit of packing, which lies in one row: a prompt with its two answers, a single sequence, or a row of
// documents.
type tree struct {
	tokens, positions []int32
	segments          []int32 // document<<BranchBits | branch, document counted from 0 within the tree
	documents         int32

	predictors []int32 // of each target: the place in the tree of the token that predicts it
	labels     []int32 // its token id
	responses  []int32 // the response that it belongs to, counted from 0 within the example
	reference  []float32
}

// treesOf returns the trees of an example.
func treesOf[T Example](example T, layout Layout) []tree {
	switch e := any(example).(type) {
	case Pair:
		if layout == Separate {
			var chosen, rejected tree
			chosen.documents, rejected.documents = 1, 1
			chosen.add(e.Chosen, 0, 0, 0)
			rejected.add(e.Rejected, 0, 0, 1)
			chosen.reference, rejected.reference = e.ChosenReference, e.RejectedReference
			return []tree{chosen, rejected}
		}
		return []tree{pairTree(e)}
	case Document:
		return []tree{documentTree(e)}
	}
	return nil
}

// pairTree returns trunk | rest of chosen | rest of rejected. The trunk is the common prefix of the two sequences: the
// prompt, and the words that both answers begin with. A target on the trunk counts for both answers with the same
// log-probability, so two equal answers are equally probable.
func pairTree(p Pair) tree {
	trunk := commonPrefix(p)
	t := tree{documents: 1}
	t.append(p.Chosen.IDs[:trunk], 0, 0)
	t.add(p.Chosen, trunk, 1, 0)
	t.add(p.Rejected, trunk, 2, 1)
	t.reference = slices.Concat(p.ChosenReference, p.RejectedReference)
	return t
}

// commonPrefix returns the number of leading ids that chosen and rejected have in common.
func commonPrefix(p Pair) int {
	n := 0
	for n < min(len(p.Chosen.IDs), len(p.Rejected.IDs)) && p.Chosen.IDs[n] == p.Rejected.IDs[n] {
		n++
	}
	return n
}

// add appends a sequence without its first trunk ids, which are the beginning of the tree, and adds its targets.
func (t *tree) add(s Sequence, trunk int, branch, response int32) {
	begin := len(t.tokens) - trunk
	t.append(s.IDs[trunk:], trunk, branch)
	for i := max(s.PromptLength, 1); i < len(s.IDs); i++ {
		predictor := i - 1
		if predictor >= trunk {
			predictor += begin
		}
		t.addTarget(predictor, s.IDs[i], response)
	}
}

// append appends tokens of one segment whose positions count from position.
func (t *tree) append(ids []int32, position int, segment int32) {
	for i, id := range ids {
		t.tokens = append(t.tokens, id)
		t.positions = append(t.positions, int32(position+i))
		t.segments = append(t.segments, segment)
	}
}

func (t *tree) addTarget(predictor int, label, response int32) {
	t.predictors = append(t.predictors, int32(predictor))
	t.labels = append(t.labels, label)
	t.responses = append(t.responses, response)
}

// documentTree returns the documents of a row one after the other, each a trunk.
func documentTree(d Document) tree {
	t := tree{documents: int32(len(d.Starts))}
	for n, start := range d.Starts {
		end := len(d.IDs)
		if n+1 < len(d.Starts) {
			end = d.Starts[n+1]
		}
		t.append(d.IDs[start:end], 0, int32(n)<<BranchBits)
		for i := start + 1; i < end; i++ {
			t.addTarget(i-1, d.IDs[i], 0)
		}
	}
	return t
}

// size is the size of a tree.
type size struct{ tokens, targets int }

// sizesOf returns the sizes of treesOf without building the trees.
func sizesOf[T Example](example T, layout Layout) []size {
	switch e := any(example).(type) {
	case Pair:
		c, r := size{len(e.Chosen.IDs), e.Chosen.TargetCount()}, size{len(e.Rejected.IDs), e.Rejected.TargetCount()}
		if layout == Separate {
			return []size{c, r}
		}
		return []size{{c.tokens + r.tokens - commonPrefix(e), c.targets + r.targets}}
	case Document:
		return []size{{len(e.IDs), len(e.IDs) - len(e.Starts)}}
	}
	return nil
}

// responsesOf returns the number of responses of an example: a pair has two, a document one.
func responsesOf[T Example](example T) int {
	if _, ok := any(example).(Pair); ok {
		return 2
	}
	return 1
}
