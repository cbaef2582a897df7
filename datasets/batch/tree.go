package batch

import "slices"

// Example is what a batch is made of: a preference pair, or a packed row of supervised text.
type Example interface{ Pair | Document }

// Layout says how examples lie in the rows of a batch.
type Layout int

const (
	// Shared stores once what the chosen and the rejected row begin with, and fills rows with as many examples as fit.
	Shared Layout = iota
	// Separate gives every sequence a row of its own (chosen 2i, rejected 2i+1), right-padded, as reference implementations do.
	Separate
)

// BranchBits is the number of bits of a segment that number the branch. Package bfpo fails to compile unless it equals
// graph.BranchBits.
const BranchBits = 8

// tree is a piece of a batch that lies in one row: a prompt with its two answers, one sequence, or a packed row of documents.
type tree struct {
	tokens, positions []int32
	segments          []int32 // doc<<BranchBits | branch, doc counted from 0 within the tree
	docs              int32

	from, labels []int32 // scored tokens: place in the tree of the token that predicts it, and its id
	responses    []int32 // the response each belongs to, counted from 0 within the example
	reference    []float32
}

// treesOf cuts an example into the pieces a layout places.
func treesOf[T Example](example T, layout Layout) []tree {
	switch e := any(example).(type) {
	case Pair:
		if layout == Separate {
			var chosen, rejected tree
			chosen.docs, rejected.docs = 1, 1
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

// pairTree is trunk | rest of chosen | rest of rejected, where the trunk is all that the two begin with: the prompt, and the words that both
// answers open with. What is scored there counts for both, with the same numbers, so two equal answers are equally probable.
func pairTree(p Pair) tree {
	trunk := commonPrefix(p)
	t := tree{docs: 1}
	t.append(p.Chosen.IDs[:trunk], 0, 0)
	t.add(p.Chosen, trunk, 1, 0)
	t.add(p.Rejected, trunk, 2, 1)
	t.reference = slices.Concat(p.ChosenReference, p.RejectedReference)
	return t
}

// commonPrefix counts the leading ids that chosen and rejected have in common.
func commonPrefix(p Pair) int {
	n := 0
	for n < min(len(p.Chosen.IDs), len(p.Rejected.IDs)) && p.Chosen.IDs[n] == p.Rejected.IDs[n] {
		n++
	}
	return n
}

// add appends a sequence without its first trunk ids, which stand at the beginning of the tree, and scores what follows its prompt.
func (t *tree) add(s Sequence, trunk int, branch, response int32) {
	begin := len(t.tokens) - trunk
	t.append(s.IDs[trunk:], trunk, branch)
	for i := max(s.Prompt, 1); i < len(s.IDs); i++ {
		from := i - 1
		if from >= trunk {
			from += begin
		}
		t.score(from, s.IDs[i], response)
	}
}

func (t *tree) append(ids []int32, position int, segment int32) {
	for i, id := range ids {
		t.tokens = append(t.tokens, id)
		t.positions = append(t.positions, int32(position+i))
		t.segments = append(t.segments, segment)
	}
}

func (t *tree) score(from int, label, response int32) {
	t.from = append(t.from, int32(from))
	t.labels = append(t.labels, label)
	t.responses = append(t.responses, response)
}

func documentTree(d Document) tree {
	t := tree{docs: int32(len(d.Starts))}
	for n, start := range d.Starts {
		end := len(d.IDs)
		if n+1 < len(d.Starts) {
			end = d.Starts[n+1]
		}
		t.append(d.IDs[start:end], 0, int32(n)<<BranchBits)
		for i := start + 1; i < end; i++ {
			t.score(i-1, d.IDs[i], 0)
		}
	}
	return t
}

// extent is the size of a tree, known without building it.
type extent struct{ tokens, targets int }

// extentsOf are the sizes of treesOf.
func extentsOf[T Example](example T, layout Layout) []extent {
	switch e := any(example).(type) {
	case Pair:
		c, r := extent{len(e.Chosen.IDs), e.Chosen.Scored()}, extent{len(e.Rejected.IDs), e.Rejected.Scored()}
		if layout == Separate {
			return []extent{c, r}
		}
		return []extent{{c.tokens + r.tokens - commonPrefix(e), c.targets + r.targets}}
	case Document:
		return []extent{{len(e.IDs), len(e.IDs) - len(e.Starts)}}
	}
	return nil
}

// responsesOf is the number of log-probabilities an example gives.
func responsesOf[T Example](example T) int {
	if _, ok := any(example).(Pair); ok {
		return 2
	}
	return 1
}
