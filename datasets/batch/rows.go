package batch

import (
	"cmp"
	"math"
	"slices"
)

// packTrees distributes trees of the given lengths (in tokens) over rows. With Shared the longest tree comes first, and
// each goes into the fullest row that still has room for it (best fit decreasing); with Separate each tree gets a row.
// The result lists the trees of each row in their order; it is nil when a tree is longer than a row.
func packTrees(lengths []int, layout Layout, rowLength int) [][]int {
	order := make([]int, len(lengths))
	for i := range order {
		order[i] = i
	}
	if layout == Shared {
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(lengths[j], lengths[i]) })
	}
	rows := [][]int{}
	var room []int
	for _, tree := range order {
		if lengths[tree] > rowLength {
			return nil
		}
		best := -1
		for r, free := range room {
			if layout == Shared && free >= lengths[tree] && (best < 0 || free < room[best]) {
				best = r
			}
		}
		if best < 0 {
			best = len(rows)
			rows, room = append(rows, nil), append(room, rowLength)
		}
		rows[best] = append(rows[best], tree)
		room[best] -= lengths[tree]
	}
	for _, row := range rows {
		slices.Sort(row)
	}
	return rows
}

// minRowLength returns the least row length, a multiple of 16, at which the trees fit in the given number of rows;
// MaxInt if there is none.
func minRowLength(lengths []int, layout Layout, rows int) int {
	sum, longest := 0, 1
	for _, n := range lengths {
		sum, longest = sum+n, max(longest, n)
	}
	for length := roundUp(max(longest, (sum+rows-1)/rows), 16); length < sum+16; length += 16 {
		if len(packTrees(lengths, layout, length)) <= rows {
			return length
		}
	}
	if sum == 0 {
		return 16
	}
	return math.MaxInt
}

func roundUp(n, multiple int) int {
	return (n + multiple - 1) / multiple * multiple
}
