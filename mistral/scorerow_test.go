package mistral

import (
	"fmt"
	"slices"
	"testing"
)

// ofLengths returns documents of one branch each.
func ofLengths(lengths ...int) (documents []*scoredDocument) {
	for _, n := range lengths {
		ids := make([]int32, n)
		documents = append(documents, &scoredDocument{ids, []scoredBranch{{ids: ids}}, n})
	}
	return documents
}

func TestFillRow(t *testing.T) {
	for _, c := range []struct {
		lengths []int
		space   int
		want    []int
	}{
		{[]int{60, 50, 40, 30, 30}, 90, []int{40, 50}}, // as much as 60 + 30
		{[]int{60, 50, 40, 30, 30}, 89, []int{30, 50}}, // the longest first would leave 29
		{[]int{60, 50, 40, 30, 30}, 61, []int{60}},
		{[]int{30}, 65, []int{30}}, // there is only one
		{[]int{30, 30, 30}, 65, []int{30, 30}},
		{[]int{30, 7}, 6, nil},
		{[]int{30, 7}, 0, nil},
		{nil, 10, nil},
	} {
		left := newRemaining(ofLengths(c.lengths...))
		if got := left.fill(c.space); !slices.Equal(got, c.want) {
			t.Errorf("%v into %d: %v, want %v", c.lengths, c.space, got, c.want)
		}
	}
}

// A length of its own for few documents is not worth a program; the rows for short documents are of the length that costs least.
func TestPackDocuments(t *testing.T) {
	times := func(n, length int) []int { return slices.Repeat([]int{length}, n) }
	for _, c := range []struct {
		name    string
		lengths []int
		want    string // rows x length
	}{
		{"pairs that fill a row", append(times(100, 40), times(100, 24)...), "100x64"},
		{"one fills a row", times(300, 64), "300x64"},
		{"three fill the longest row", times(300, 85), "100x256"},
		{"one long document among short ones", append(times(4, 60), 300), "2x320"},
		{"few long ones among many", append(times(500, 60), 300), "1x320 500x64"},
		{"two lengths", append(times(20, 500), times(60, 300)...), "20x512 60x320"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, sep := "", ""
			for _, same := range packDocuments(ofLengths(c.lengths...)) {
				got, sep = got+sep+fmt.Sprintf("%dx%d", len(same.rows), same.length), " "
			}
			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestBatchShapes(t *testing.T) {
	for _, c := range []struct{ rows, length, want int }{
		{1, 64, 1}, {5, 64, 6}, {8, 64, 8}, {16, 64, 16}, {100, 64, 8}, {95, 64, 16}, {12, 64, 12}, {24, 64, 12}, {17, 64, 12}, {3, 4096, 1}, {9, 192, 3},
	} {
		if got := rowsOfBatch(c.rows, c.length); got != c.want {
			t.Errorf("%d rows of %d in batches of %d, want %d", c.rows, c.length, got, c.want)
		}
	}
	for n, want := range map[int]int{1: 64, 64: 64, 65: 128, 700: 704, 1059: 1152, 5000: 5120} {
		if got := paddedTargets(n); got != want {
			t.Errorf("%d targets are padded to %d, want %d", n, got, want)
		}
	}
}
