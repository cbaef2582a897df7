package batch

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// target is a target written out: all tokens that its prediction may depend on, and its token id.
type target struct {
	Context []int32
	Label   int32
}

// visible returns the tokens that the token at flat position q attends to, by the rule at Batch, in the order of the
// row.
func visible(b Batch, q int) (ids, positions []int32) {
	row := q / b.Length * b.Length
	sq := b.Segments[q]
	for k := row; k <= q; k++ {
		sk := b.Segments[k]
		if sk != 0 && sk>>2 == sq>>2 && (sk&3 == 0 || sk&3 == sq&3) {
			ids, positions = append(ids, b.Tokens[k]), append(positions, b.Positions[k])
		}
	}
	return ids, positions
}

// unpack returns the targets of every response of a batch, and checks that the positions of each context count from 0.
func unpack(t interface{ Fatalf(string, ...any) }, b Batch) map[int32][]target {
	out := map[int32][]target{}
	for n, owner := range b.Owner {
		if owner < 0 {
			continue
		}
		ids, positions := visible(b, int(b.Index[n]))
		for i, p := range positions {
			if int(p) != i {
				t.Fatalf("target %d sees positions %v", n, positions)
			}
		}
		out[owner] = append(out[owner], target{ids, b.Labels[n]})
	}
	return out
}

// targetsOf returns the targets of a sequence by itself.
func targetsOf(s Sequence) []target {
	var out []target
	for i := max(1, s.PromptLength); i < len(s.IDs); i++ {
		out = append(out, target{s.IDs[:i], s.IDs[i]})
	}
	return out
}

// drawPair returns a random pair, in one case of five with two different prompts.
func drawPair(t *rapid.T, i int) Pair {
	token := rapid.Int32Range(1, 9)
	prompt := rapid.SliceOfN(token, 1, 12).Draw(t, "prompt")
	other := prompt
	if rapid.IntRange(0, 4).Draw(t, "own prompt") == 0 { // truncation in the original code makes pairs like this
		other = rapid.SliceOfN(token, 1, 12).Draw(t, "other prompt")
	}
	sequence := func(prompt []int32) Sequence {
		return Sequence{slices.Concat(prompt, rapid.SliceOfN(token, 0, 15).Draw(t, "response")), len(prompt)}
	}
	return Pair{
		ID: fmt.Sprint(i), Chosen: sequence(prompt), Rejected: sequence(other),
		ChosenSafe: i%2 == 0, RejectedSafe: i%3 == 0,
	}
}

// TestFillKeepsPairs checks in both layouts that every target of every pair, with its context, can be read back from
// the batches.
func TestFillKeepsPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var pairs []Pair
		for i := range rapid.IntRange(1, 7).Draw(t, "pairs") {
			pairs = append(pairs, drawPair(t, i))
		}
		layout := rapid.SampledFrom([]Layout{Shared, Separate}).Draw(t, "layout")
		rows := rapid.IntRange(1, 3).Draw(t, "rows")
		if layout == Separate {
			rows++ // both answers of a pair belong in one batch
		}
		shapes := PlanShapes(slices.Values([][]Pair{pairs, pairs[:1]}), layout, rows, 2)
		have, names, before := map[int32][]target{}, 0, int32(0)
		realTokens := 0
		for _, b := range fillSplit(t, pairs, layout, shapes) {
			for owner, targets := range unpack(t, b) {
				have[before+owner] = targets
			}
			for i, id := range b.IDs {
				if id != pairs[names+i].ID {
					t.Fatalf("pair %d is %s", names+i, id)
				}
			}
			names += len(b.IDs)
			before += int32(2 * len(b.IDs))
			realTokens += b.RealTokens
		}
		want := map[int32][]target{}
		real := 0
		for i, p := range pairs {
			for j, s := range []Sequence{p.Chosen, p.Rejected} {
				real += len(s.IDs)
				if targets := targetsOf(s); targets != nil {
					want[int32(2*i+j)] = targets
				}
			}
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Fatalf("targets (-want +have):\n%s", diff)
		}
		if realTokens != real || names != len(pairs) {
			t.Fatalf("%d real tokens (want %d), %d ids", realTokens, real, names)
		}
	})
}

// fillSplit splits examples into batches and fills them.
func fillSplit[T Example](t interface{ Fatal(...any) }, examples []T, layout Layout, shapes []Shape) (batches []Batch) {
	split, err := Split(examples, layout, shapes)
	if err != nil {
		t.Fatal(err)
	}
	for _, members := range split {
		b, err := Fill(members, layout, shapes)
		if err != nil {
			t.Fatal(err)
		}
		batches = append(batches, b)
	}
	return batches
}

// TestFillKeepsDocuments checks that no document of a packed row sees another one.
func TestFillKeepsDocuments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var docs []Document
		want := map[int32][]target{}
		for i := range rapid.IntRange(1, 6).Draw(t, "rows") {
			var d Document
			for range rapid.IntRange(1, 4).Draw(t, "documents") {
				ids := rapid.SliceOfN(rapid.Int32Range(1, 9), 1, 9).Draw(t, "ids")
				d.Starts = append(d.Starts, len(d.IDs))
				d.IDs = append(d.IDs, ids...)
				if targets := targetsOf(Sequence{ids, 1}); targets != nil {
					want[int32(i)] = append(want[int32(i)], targets...)
				}
			}
			docs = append(docs, d)
		}
		have, before := map[int32][]target{}, int32(0)
		for _, b := range fillSplit(t, docs, Shared, PlanShapes(slices.Values([][]Document{docs}), Shared, 1, 3)) {
			for owner, targets := range unpack(t, b) {
				have[before+owner] = targets
			}
			before += int32(len(b.IDs))
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Fatalf("targets (-want +have):\n%s", diff)
		}
	})
}

// TestFillByHand compares with one pair worked out by hand: prompt 1 5, chosen 6 2, rejected 7 8 2.
func TestFillByHand(t *testing.T) {
	pair := Pair{
		ID: "set#0", Chosen: Sequence{[]int32{1, 5, 6, 2}, 2}, Rejected: Sequence{[]int32{1, 5, 7, 8, 2}, 2},
		ChosenSafe: true,
	}
	have, err := Fill([]Pair{pair}, Shared, []Shape{{Rows: 1, Length: 8, Targets: 6, Responses: 4}})
	if err != nil {
		t.Fatal(err)
	}
	want := Batch{
		Shape:        Shape{Rows: 1, Length: 8, Targets: 6, Responses: 4},
		Tokens:       []int32{1, 5, 6, 2, 7, 8, 2, 0},
		Positions:    []int32{0, 1, 2, 3, 2, 3, 4, 0},
		Segments:     []int32{256, 256, 257, 257, 258, 258, 258, 0},
		Index:        []int32{1, 2, 1, 4, 5, 0},
		Labels:       []int32{6, 2, 7, 8, 2, 0},
		Owner:        []int32{0, 0, 1, 1, 1, -1},
		IDs:          []string{"set#0"},
		ChosenSafe:   []bool{true},
		RejectedSafe: []bool{false},
		RealTokens:   9,
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("batch (-want +have):\n%s", diff)
	}
}

func TestFillNoShape(t *testing.T) {
	pair := Pair{Chosen: Sequence{[]int32{1, 5, 6}, 2}, Rejected: Sequence{[]int32{1, 5, 7}, 2}}
	for _, s := range []Shape{{1, 3, 9, 9}, {1, 9, 1, 9}, {1, 9, 9, 1}, {0, 9, 9, 9}} {
		if _, err := Fill([]Pair{pair}, Shared, []Shape{s}); err == nil {
			t.Errorf("shape %v holds a pair of 4 tokens, 2 targets, 2 responses", s)
		}
	}
}

// TestPlanShapes checks that every micro-batch can be split into the planned shapes, and that there are no more than
// the limit.
func TestPlanShapes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var microBatches [][]Pair
		for range rapid.IntRange(1, 6).Draw(t, "micro-batches") {
			var pairs []Pair
			for i := range rapid.IntRange(1, 4).Draw(t, "pairs") {
				pairs = append(pairs, drawPair(t, i))
			}
			microBatches = append(microBatches, pairs)
		}
		limit := rapid.IntRange(1, 3).Draw(t, "limit")
		rows := rapid.IntRange(1, 3).Draw(t, "rows")
		shapes := PlanShapes(slices.Values(microBatches), Shared, rows, limit)
		if len(shapes) > limit || len(shapes) == 0 {
			t.Fatalf("%d shapes, limit %d", len(shapes), limit)
		}
		for _, pairs := range microBatches {
			for _, b := range fillSplit(t, pairs, Shared, shapes) {
				if b.Rows != rows {
					t.Fatalf("shape %v, want %d rows", b.Shape, rows)
				}
			}
		}
	})
}

// TestPlanShapesByHand checks that short and long micro-batches get two shapes, since a third would save nothing.
func TestPlanShapesByHand(t *testing.T) {
	pair := func(n int) []Pair {
		rejected := make([]int32, n)
		rejected[10] = 1
		return []Pair{{Chosen: Sequence{make([]int32, n), 10}, Rejected: Sequence{rejected, 10}}}
	}
	microBatches := [][]Pair{pair(40), pair(200), pair(40), pair(40)}
	want := []Shape{
		{Rows: 1, Length: 80, Targets: 64, Responses: 2},
		{Rows: 1, Length: 400, Targets: 384, Responses: 2},
	}
	have := PlanShapes(slices.Values(microBatches), Shared, 1, 3)
	slices.SortFunc(have, func(a, b Shape) int { return a.Length - b.Length })
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("shapes (-want +have):\n%s", diff)
	}
	if PlanShapes(slices.Values([][]Pair(nil)), Shared, 1, 3) != nil {
		t.Error("there are shapes without micro-batches")
	}
}

// TestSplitByHand splits documents of 300, 40, 40 and 300 tokens into shapes of 96 and 320. The two short ones together
// cost less than apart, and less than together with a long one: 64 + 96(1 + 96/4096) + 2(64 + 320(1 + 320/4096)).
func TestSplitByHand(t *testing.T) {
	document := func(n int) Document { return Document{ID: fmt.Sprint(n), IDs: make([]int32, n), Starts: []int{0}} }
	docs := []Document{document(300), document(40), document(40), document(300)}
	shapes := []Shape{{1, 96, 96, 4}, {1, 320, 320, 4}}
	split, err := Split(docs, Shared, shapes)
	if diff := cmp.Diff([][]Document{docs[:1], docs[1:3], docs[3:]}, split); err != nil || diff != "" {
		t.Errorf("%v, batches (-want +have):\n%s", err, diff)
	}
	chosen, cost := cheapest(listSpans(docs, Shared, 1, 320), shapes)
	if want := 64 + 96*(1+96./4096) + 2*(64+320*(1+320./4096)); len(chosen) != 3 || cost != want {
		t.Errorf("%d spans cost %v, want 3 for %v", len(chosen), cost, want)
	}
	_, err = Split(append(docs, document(321)), Shared, shapes)
	if !errors.Is(err, ErrNoShape) || !strings.Contains(err.Error(), "example 4 of 5") {
		t.Errorf("error %v", err)
	}
}

// TestPairsShareTheirPrefix checks that the words which both answers begin with are stored once and are targets of
// both.
func TestPairsShareTheirPrefix(t *testing.T) {
	p := Pair{ID: "p", Chosen: Sequence{[]int32{1, 2, 7, 8, 3}, 2}, Rejected: Sequence{[]int32{1, 2, 7, 9, 4}, 2}}
	b, err := Fill([]Pair{p}, Shared, []Shape{{Rows: 1, Length: 8, Targets: 6, Responses: 2}})
	if err != nil {
		t.Fatal(err)
	}
	want := Batch{
		Shape:     b.Shape,
		Tokens:    []int32{1, 2, 7, 8, 3, 9, 4, 0},
		Positions: []int32{0, 1, 2, 3, 4, 3, 4, 0},
		Segments:  []int32{256, 256, 256, 257, 257, 258, 258, 0},
		Index:     []int32{1, 2, 3, 1, 2, 5},
		Labels:    []int32{7, 8, 3, 7, 9, 4},
		Owner:     []int32{0, 0, 0, 1, 1, 1},
		IDs:       []string{"p"}, ChosenSafe: []bool{false}, RejectedSafe: []bool{false}, RealTokens: 10,
	}
	if diff := cmp.Diff(want, b); diff != "" {
		t.Errorf("batch (-want +have):\n%s", diff)
	}
}

func TestDivide(t *testing.T) {
	for _, test := range []struct {
		n, devices int
		want       string
	}{
		{8, 4, "[[0 1] [2 3] [4 5] [6 7]]"}, {5, 2, "[[0 1] [2 3 4]]"}, {2, 4, "[[0] [1]]"},
		{3, 1, "[[0 1 2]]"}, {0, 2, "[]"},
	} {
		if got := fmt.Sprint(Divide(numbers(test.n), test.devices)); got != test.want {
			t.Errorf("%d for %d devices: %s, want %s", test.n, test.devices, got, test.want)
		}
	}
}

// pairOfLengths returns a pair of the given numbers of tokens.
func pairOfLengths(prompt, chosen, rejected int) Pair {
	return Pair{
		Chosen:   Sequence{IDs: make([]int32, prompt+chosen), PromptLength: prompt},
		Rejected: Sequence{IDs: make([]int32, prompt+rejected), PromptLength: prompt},
	}
}

// A sequence that is too long to keep gets the shapes of the same micro-batches kept in memory.
func TestPlanShapesOfLongSequence(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var pairs []Pair
	for range 600 {
		pairs = append(pairs, pairOfLengths(1+r.IntN(90), 1+r.IntN(60), 1+r.IntN(60)))
	}
	repeated := func(times int) iter.Seq[[]Pair] {
		return func(yield func([]Pair) bool) {
			for range times {
				for i := 0; i+3 <= len(pairs); i += 3 {
					if !yield(pairs[i : i+3]) {
						return
					}
				}
			}
		}
	}
	once, often := PlanShapes(repeated(1), Shared, 1, 4), PlanShapes(repeated(maxKept/200+1), Shared, 1, 4)
	if diff := cmp.Diff(once, often); diff != "" {
		t.Error(diff)
	}
	few := PlanShapes(slices.Values([][]Pair{pairs[:1]}), Shared, 1, 4)
	covered := Cover(few, pairs, Shared)
	for i := range pairs {
		if _, err := Split(pairs[i:i+1], Shared, covered); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Split(pairs, Shared, few); err == nil {
		t.Error("the shapes of one pair hold all pairs: the test shows nothing")
	}
}
