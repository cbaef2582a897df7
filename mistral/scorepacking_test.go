package mistral

import (
	"fmt"
	"slices"
	"testing"
)

// documentsOfLengths returns documents of the given lengths with one branch each.
func documentsOfLengths(lengths ...int) (documents []*scoredDocument) {
	for _, n := range lengths {
		ids := make([]int32, n)
		documents = append(documents, &scoredDocument{ids, []scoredBranch{{ids: ids}}, n})
	}
	return documents
}

func TestClosestSum(t *testing.T) {
	for _, c := range []struct {
		lengths []int
		space   int
		want    []int
	}{
		{[]int{60, 50, 40, 30, 30}, 90, []int{40, 50}}, // the same sum as 60 + 30
		{[]int{60, 50, 40, 30, 30}, 89, []int{30, 50}}, // the longest first would leave 29 unused
		{[]int{60, 50, 40, 30, 30}, 61, []int{60}},
		{[]int{30}, 65, []int{30}}, // there is no second one
		{[]int{30, 30, 30}, 65, []int{30, 30}},
		{[]int{30, 7}, 6, nil},
		{[]int{30, 7}, 0, nil},
		{nil, 10, nil},
	} {
		left := newUnpacked(documentsOfLengths(c.lengths...))
		if got := left.closestSum(c.space); !slices.Equal(got, c.want) {
			t.Errorf("%v into %d: %v, want %v", c.lengths, c.space, got, c.want)
		}
	}
}

func TestPackDocuments(t *testing.T) {
	times := func(n, length int) []int { return slices.Repeat([]int{length}, n) }
	for _, c := range []struct {
		name    string
		lengths []int
		size    int
		want    string // the tokens of each batch / its size
	}{
		{"none", nil, 1024, ""},
		{"few", []int{40, 30}, 1024, "70/96"},
		// 1100 plus a sixty-fourth, rounded up to a multiple of 64.
		{"even", times(300, 11), 1024, "1144/1152 1144/1152 1012/1152"},
		{"two lengths", append(times(8, 100), times(8, 28)...), 512, "568/576 456/576"},
		{"long ones alone", []int{2000, 1025, 1024, 5}, 1024, "2000/2048 1025/1280 1029/1088"},
		{"one as long as a batch", []int{600, 512, 300, 100, 100}, 512, "600/768 512/576 500/576"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, sep := "", ""
			batches, sizes := packDocuments(documentsOfLengths(c.lengths...), c.size)
			for i, documents := range batches {
				total := 0
				for _, d := range documents {
					total += d.length
				}
				got, sep = got+sep+fmt.Sprintf("%d/%d", total, sizes[i]), " "
			}
			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestPackRows(t *testing.T) {
	var got [][]int
	for _, row := range packRows(documentsOfLengths(10, 50, 30, 64, 20, 14), 64) {
		var lengths []int
		for _, d := range row {
			lengths = append(lengths, d.length)
		}
		got = append(got, lengths)
	}
	if want := [][]int{{64}, {50, 14}, {30, 20, 10}}; !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("rows %v, want %v", got, want)
	}
}

// Rows are as long as the longest document needs, but a few batches do not get a length of their own.
func TestRowLengths(t *testing.T) {
	var packed [][]*scoredDocument
	short := slices.Repeat([]int{64}, minShapeBatches)
	for _, longest := range append([]int{3000, 500, 300, 250, 200, 128, 120}, short...) {
		packed = append(packed, documentsOfLengths(longest, 5))
	}
	want := append([]int{3072, 512, 512, 512, 512, 128, 128}, short...)
	if got := rowLengths(packed); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
