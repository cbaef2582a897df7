package batch

import (
	"fmt"
	"math"
	"slices"
)

// Divide gives each device a share of a micro-batch, in the order of the examples; the sizes of the shares differ by
// one at most. With fewer examples than devices, only that many shares are returned.
func Divide[T any](examples []T, devices int) [][]T {
	shares := make([][]T, 0, devices)
	for device := range devices {
		share := examples[device*len(examples)/devices : (device+1)*len(examples)/devices]
		if len(share) > 0 {
			shares = append(shares, share)
		}
	}
	return shares
}

// Split splits examples, in their order, into the batches that cost least in all when each fills one of the shapes. The
// step adds up the gradients of its batches, so splitting does not change it, but less of the work is padding, and only
// the activations of one batch are in memory at a time. The error names the example that fits no shape and wraps
// ErrNoShape.
func Split[T Example](examples []T, layout Layout, shapes []Shape) ([][]T, error) {
	rows, longest := 0, 0
	for _, s := range shapes {
		rows, longest = s.Rows, max(longest, s.Length)
	}
	spans := listSpans(examples, layout, rows, longest)
	chosen, cost := cheapest(spans, shapes)
	if math.IsInf(cost, 1) {
		for i, ending := range spans {
			if len(ending) == 0 || ending[0].length > longest {
				return nil, fmt.Errorf("example %d of %d in its batch: %w: %v", i, len(examples), ErrNoShape, shapes)
			}
		}
		return nil, fmt.Errorf("%d examples: %w: %v", len(examples), ErrNoShape, shapes)
	}
	batches := make([][]T, len(chosen))
	for i, c := range chosen {
		batches[i] = examples[c.from:c.to]
	}
	return batches, nil
}

// span is a run of neighbouring examples, up to a known last one, that can form a batch.
type span struct {
	from, length       int // the first example; the least row length that holds them, a multiple of 16
	targets, responses int
}

// listSpans returns, for each example, the spans that end with it, the shortest first. Spans whose rows would be longer
// than limit are left out, except that an example alone may have any length.
func listSpans[T Example](examples []T, layout Layout, rows, limit int) [][]span {
	lists := make([][]span, len(examples))
	for last := range examples {
		s := span{from: last + 1}
		var lengths []int
		for s.from > 0 {
			s.from--
			var own []int
			for _, size := range sizesOf(examples[s.from], layout) {
				own = append(own, size.tokens)
				s.targets += size.targets
			}
			s.responses += responsesOf(examples[s.from])
			lengths = append(own, lengths...)
			s.length = minRowLength(lengths, layout, rows)
			if s.length > limit && s.from < last || s.length == math.MaxInt {
				break
			}
			lists[last] = append(lists[last], s)
		}
	}
	return lists
}

// placedSpan is a span of the examples from to to-1 and the index of the shape that holds it.
type placedSpan struct{ from, to, shape int }

// cheapest splits the examples into the spans whose shapes cost least in all, and returns that cost. The cost is
// infinite, and there are no spans, when some example fits no shape.
func cheapest(spans [][]span, shapes []Shape) ([]placedSpan, float64) {
	last := make([]placedSpan, len(spans)+1) // the last span of the cheapest split of the first n examples
	costs := make([]float64, len(spans)+1)   // its cost
	for end, ending := range spans {
		costs[end+1] = math.Inf(1)
		for _, s := range ending {
			for i, shape := range shapes {
				if s.length > shape.Length || s.targets > shape.Targets || s.responses > shape.Responses {
					continue
				}
				if c := costs[s.from] + shape.cost(); c < costs[end+1] {
					costs[end+1], last[end+1] = c, placedSpan{s.from, end + 1, i}
				}
			}
		}
	}
	if math.IsInf(costs[len(spans)], 1) {
		return nil, costs[len(spans)]
	}
	var chosen []placedSpan
	for at := len(spans); at > 0; at = last[at].from {
		chosen = append(chosen, last[at])
	}
	slices.Reverse(chosen)
	return chosen, costs[len(spans)]
}
