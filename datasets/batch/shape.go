package batch

import (
	"fmt"
	"iter"
	"math"
	"slices"
)

// callCost is what a call of a program costs beside its tokens, in token units: weights are read and gradients added up.
const callCost = 64

// cost estimates a call's work in token units. Attention grows with the row's length: it equals the rest of a layer at about 4 k tokens
// for a model of width 512 and beyond that for wider ones.
func (s Shape) cost() float64 {
	return callCost + float64(s.Rows*s.Length)*(1+float64(s.Length)/4096)
}

// stretch is a run of a batch's examples up to some end that can lie in one call.
type stretch struct {
	from, length       int // first example; row length that holds them, a multiple of 16
	targets, responses int
}

// stretchesOf lists for each example the stretches of a batch that end with it, the shortest first, as far as their rows are no longer
// than limit. Rows of any length are listed for an example alone.
func stretchesOf[T Example](examples []T, layout Layout, rows, limit int) [][]stretch {
	lists := make([][]stretch, len(examples))
	for end := range examples {
		s := stretch{from: end + 1}
		var lengths []int
		for s.from > 0 {
			s.from--
			var own []int
			for _, x := range extentsOf(examples[s.from], layout) {
				own = append(own, x.tokens)
				s.targets += x.targets
			}
			s.responses += responsesOf(examples[s.from])
			lengths = append(own, lengths...)
			if s.length = rowLength(lengths, layout, rows); s.length > limit && s.from < end || s.length == math.MaxInt {
				break
			}
			lists[end] = append(lists[end], s)
		}
	}
	return lists
}

// rowLength is the least multiple of 16 such that so many rows of that length hold all pieces; MaxInt where they are too few for any.
func rowLength(lengths []int, layout Layout, rows int) int {
	sum, longest := 0, 1
	for _, n := range lengths {
		sum, longest = sum+n, max(longest, n)
	}
	for length := roundUp(max(longest, (sum+rows-1)/rows), 16); length < sum+16; length += 16 {
		if len(place(lengths, layout, length)) <= rows {
			return length
		}
	}
	if sum == 0 {
		return 16
	}
	return math.MaxInt
}

// cut is a stretch of a batch and the shape that is to hold it.
type cut struct{ from, to, shape int }

// cheapest cuts a batch into stretches such that the shapes that hold them cost least in all. Without cuts the cost is infinite: some
// example fits no shape.
func cheapest(lists [][]stretch, shapes []Shape) ([]cut, float64) {
	last := make([]cut, len(lists)+1)
	costs := make([]float64, len(lists)+1)
	for end, list := range lists {
		costs[end+1] = math.Inf(1)
		for _, s := range list {
			for i, shape := range shapes {
				if s.length > shape.Length || s.targets > shape.Targets || s.responses > shape.Responses {
					continue
				}
				if c := costs[s.from] + shape.cost(); c < costs[end+1] {
					costs[end+1], last[end+1] = c, cut{s.from, end + 1, i}
				}
			}
		}
	}
	if math.IsInf(costs[len(lists)], 1) {
		return nil, costs[len(lists)]
	}
	var cuts []cut
	for at := len(lists); at > 0; at = last[at].from {
		cuts = append(cuts, last[at])
	}
	slices.Reverse(cuts)
	return cuts, costs[len(lists)]
}

// Split cuts a batch, in its order, into the parts that cost least when each fills one of the shapes. A step adds up what its examples
// say, so it is the same step; but rows that stand alone are padded less, and only one part's activations are alive at a time.
func Split[T Example](examples []T, layout Layout, shapes []Shape) ([][]T, error) {
	rows, longest := 0, 0
	for _, s := range shapes {
		rows, longest = s.Rows, max(longest, s.Length)
	}
	lists := stretchesOf(examples, layout, rows, longest)
	cuts, cost := cheapest(lists, shapes)
	if math.IsInf(cost, 1) {
		for i, list := range lists {
			if len(list) == 0 || list[0].length > longest {
				return nil, fmt.Errorf("example %d of %d in its batch: %w: %v", i, len(examples), ErrNoShape, shapes)
			}
		}
		return nil, fmt.Errorf("%d examples: %w: %v", len(examples), ErrNoShape, shapes)
	}
	parts := make([][]T, len(cuts))
	for i, c := range cuts {
		parts[i] = examples[c.from:c.to]
	}
	return parts, nil
}

// planned is how many batches the choice of shapes looks at, evenly spread.
const planned = 512

// longestRow is the longest row that several examples are put into; attention makes longer ones dear.
const longestRow = 2048

// PlanShapes chooses at most limit shapes of so many rows for all batches, such that Split pads little. A program is compiled once per
// shape, so a shape that saves less than 1 % is left out. Row lengths are multiples of 16, target counts of 32.
func PlanShapes[T Example](batches iter.Seq[[]T], layout Layout, rows, limit int) []Shape {
	var all [][][]stretch
	var lengths []int
	least := 0 // length of the longest example alone
	for batch := range batches {
		lists := stretchesOf(batch, layout, rows, longestRow)
		for _, list := range lists {
			for i, s := range list {
				lengths = append(lengths, s.length)
				if i == 0 {
					least = max(least, s.length)
				}
			}
		}
		all = append(all, lists)
	}
	if len(lengths) == 0 {
		return nil
	}
	sample := all
	if len(all) > planned {
		sample = make([][][]stretch, planned)
		for i := range sample {
			sample[i] = all[i*len(all)/planned]
		}
	}
	candidates := spread(append(lengths, least), 24)
	return fitted(all, choose(sample, candidates, least, rows, limit))
}

// spread is at most n of the distinct values, evenly over their ranks, the greatest always among them.
func spread(values []int, n int) []int {
	slices.Sort(values)
	values = slices.Compact(values)
	if len(values) <= n {
		return values
	}
	out := make([]int, n)
	for i := range out {
		out[i] = values[(i+1)*len(values)/n-1]
	}
	return out
}

// choose picks row lengths one by one, each the one that lowers the total cost most, then exchanges single ones while that helps. One of
// them is at least least.
func choose(batches [][][]stretch, candidates []int, least, rows, limit int) []Shape {
	total := func(chosen []Shape) float64 {
		if !slices.ContainsFunc(chosen, func(s Shape) bool { return s.Length >= least }) {
			return math.Inf(1)
		}
		sum := 0.0
		for _, lists := range batches {
			_, cost := cheapest(lists, chosen)
			sum += cost
		}
		return sum
	}
	shape := func(length int) Shape { return Shape{rows, length, math.MaxInt, math.MaxInt} }
	// exchange replaces chosen[slot] by whatever makes the total least.
	exchange := func(chosen []Shape, slot int) float64 {
		best, keep := total(chosen), chosen[slot]
		for _, length := range candidates {
			chosen[slot] = shape(length)
			if t := total(chosen); t < best {
				best, keep = t, chosen[slot]
			}
		}
		chosen[slot] = keep
		return best
	}

	chosen := []Shape{shape(candidates[len(candidates)-1])}
	cost := exchange(chosen, 0)
	for len(chosen) < limit {
		more := append(slices.Clone(chosen), chosen[0])
		next := exchange(more, len(more)-1)
		for before := math.Inf(1); next < before; {
			before = next
			for slot := range more {
				next = exchange(more, slot)
			}
		}
		if next > 0.99*cost {
			break
		}
		chosen, cost = more, next
	}
	return chosen
}

// fitted gives the chosen shapes the targets and responses of what Split will put into them, and leaves out those that stay empty.
func fitted(batches [][][]stretch, chosen []Shape) (shapes []Shape) {
	need := make([]Shape, len(chosen))
	for _, lists := range batches {
		cuts, _ := cheapest(lists, chosen)
		for _, c := range cuts {
			for _, s := range lists[c.to-1] {
				if s.from == c.from {
					n := &need[c.shape]
					n.Targets, n.Responses = max(n.Targets, s.targets), max(n.Responses, s.responses)
				}
			}
		}
	}
	for i, n := range need {
		if n.Responses > 0 {
			shapes = append(shapes, Shape{chosen[i].Rows, chosen[i].Length, roundUp(max(1, n.Targets), 32), n.Responses})
		}
	}
	slices.SortFunc(shapes, func(a, b Shape) int { return a.Length - b.Length })
	return shapes
}

func roundUp(n, multiple int) int {
	return (n + multiple - 1) / multiple * multiple
}
