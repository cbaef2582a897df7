package batch

import (
	"iter"
	"maps"
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

// maxKept is the number of micro-batches whose spans are kept in memory. Of a longer sequence they are computed again
// when they are needed.
const maxKept = 4096

// PlanShapes chooses at most limit shapes of the given number of rows for micro-batches, such that Split pads little.
// On several devices a micro-batch is here the share that one device gets. A program is compiled once per shape, so a
// shape that saves less than 1 % is left out. Row lengths are multiples of 16, numbers of targets multiples of 32. The
// result is nil when there are no micro-batches. The memory that it takes does not grow with the number of
// micro-batches; the sequence is read up to three times.
func PlanShapes[T Example](microBatches iter.Seq[[]T], layout Layout, rows, limit int) []Shape {
	var kept [][][]span
	lengths := map[int]bool{}
	least, count := 0, 0 // length of the longest example alone; number of micro-batches
	for spans := range spansOf(microBatches, layout, rows) {
		for _, ending := range spans {
			for i, s := range ending {
				lengths[s.length] = true
				if i == 0 {
					least = max(least, s.length)
				}
			}
		}
		if count++; count <= maxKept {
			kept = append(kept, spans)
		}
	}
	if len(lengths) == 0 {
		return nil
	}
	lengths[least] = true
	all := slices.Values(kept)
	if count > maxKept {
		kept, all = nil, spansOf(microBatches, layout, rows)
	}
	candidates := pickEvenly(slices.Sorted(maps.Keys(lengths)), maxLengths)
	return fitShapes(all, chooseLengths(sampleEvenly(all, count), candidates, least, rows, limit))
}

// spansOf yields the spans of each micro-batch.
func spansOf[T Example](microBatches iter.Seq[[]T], layout Layout, rows int) iter.Seq[[][]span] {
	return func(yield func([][]span) bool) {
		for examples := range microBatches {
			if !yield(listSpans(examples, layout, rows, maxSharedRow)) {
				return
			}
		}
	}
}

// sampleEvenly returns at most maxSample of the count micro-batches, evenly spread.
func sampleEvenly(all iter.Seq[[][]span], count int) (sample [][][]span) {
	n, i := min(count, maxSample), 0
	for spans := range all {
		if len(sample) < n && i == len(sample)*count/n {
			sample = append(sample, spans)
		}
		i++
	}
	return sample
}

// Cover enlarges the longest of the shapes, which must not be empty, until each example alone fits into one of them, so
// that Split can split any micro-batch of the examples.
func Cover[T Example](shapes []Shape, examples []T, layout Layout) []Shape {
	shapes = slices.Clone(shapes)
	longest := &shapes[len(shapes)-1]
	for i := range examples {
		alone := listSpans(examples[i:i+1], layout, longest.Rows, maxSharedRow)
		if _, cost := cheapest(alone, shapes); !math.IsInf(cost, 1) || len(alone[0]) == 0 {
			continue
		}
		s := alone[0][0]
		longest.Length, longest.Responses = max(longest.Length, s.length), max(longest.Responses, s.responses)
		longest.Targets = max(longest.Targets, roundUp(s.targets, 32))
	}
	return shapes
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
func fitShapes(microBatches iter.Seq[[][]span], chosen []Shape) (shapes []Shape) {
	need := make([]Shape, len(chosen))
	for spans := range microBatches {
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
