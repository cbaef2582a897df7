package batch

import (
	"iter"
	"math"
	"slices"
)

// maxSample is the number of micro-batches, evenly spread, that the choice of shapes looks at.
const maxSample = 512

// maxSharedRow is the length of the longest row that several examples are packed into; attention makes longer rows
// expensive.
const maxSharedRow = 2048

// maxLengths is the number of row lengths that the choice of shapes tries.
const maxLengths = 24

// PlanShapes chooses at most limit shapes of the given number of rows for micro-batches, such that Split pads little. A
// program is compiled once per shape, so a shape that saves less than 1 % is left out. Row lengths are multiples of 16,
// numbers of targets multiples of 32. The result is nil when there are no micro-batches.
func PlanShapes[T Example](microBatches iter.Seq[[]T], layout Layout, rows, limit int) []Shape {
	var all [][][]span
	var lengths []int
	least := 0 // length of the longest example alone
	for examples := range microBatches {
		spans := listSpans(examples, layout, rows, maxSharedRow)
		for _, ending := range spans {
			for i, s := range ending {
				lengths = append(lengths, s.length)
				if i == 0 {
					least = max(least, s.length)
				}
			}
		}
		all = append(all, spans)
	}
	if len(lengths) == 0 {
		return nil
	}
	sample := all
	if len(all) > maxSample {
		sample = make([][][]span, maxSample)
		for i := range sample {
			sample[i] = all[i*len(all)/maxSample]
		}
	}
	candidates := pickEvenly(append(lengths, least), maxLengths)
	return fitShapes(all, chooseLengths(sample, candidates, least, rows, limit))
}

// pickEvenly returns at most n of the distinct values, evenly spread over their ranks and always with the greatest.
func pickEvenly(values []int, n int) []int {
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

// chooseLengths adds row lengths one by one, each time the one that lowers the total cost most, and then exchanges
// single lengths while that lowers it further. At least one length is no less than least. Targets and responses stay
// unlimited.
func chooseLengths(microBatches [][][]span, candidates []int, least, rows, limit int) []Shape {
	total := func(chosen []Shape) float64 {
		if !slices.ContainsFunc(chosen, func(s Shape) bool { return s.Length >= least }) {
			return math.Inf(1)
		}
		sum := 0.0
		for _, spans := range microBatches {
			_, cost := cheapest(spans, chosen)
			sum += cost
		}
		return sum
	}
	shape := func(length int) Shape { return Shape{rows, length, math.MaxInt, math.MaxInt} }
	// exchange replaces chosen[slot] by the shape that makes the total least, and returns the total.
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

// fitShapes limits the targets and responses of the chosen shapes to what Split puts into them, and drops shapes that
// stay empty.
func fitShapes(microBatches [][][]span, chosen []Shape) (shapes []Shape) {
	need := make([]Shape, len(chosen))
	for _, spans := range microBatches {
		placed, _ := cheapest(spans, chosen)
		for _, p := range placed {
			for _, s := range spans[p.to-1] {
				if s.from == p.from {
					n := &need[p.shape]
					n.Targets, n.Responses = max(n.Targets, s.targets), max(n.Responses, s.responses)
				}
			}
		}
	}
	for i, n := range need {
		if n.Responses > 0 {
			targets := roundUp(max(1, n.Targets), 32)
			shapes = append(shapes, Shape{chosen[i].Rows, chosen[i].Length, targets, n.Responses})
		}
	}
	slices.SortFunc(shapes, func(a, b Shape) int { return a.Length - b.Length })
	return shapes
}
