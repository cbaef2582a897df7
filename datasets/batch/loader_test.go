package batch

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func numbers(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func TestLoaderEpochs(t *testing.T) {
	l := Loader[int]{Rows: numbers(5), Size: 2, Epochs: 2, Shuffle: true, Seed: 42}
	var have [][]int
	for rows, ok := l.Next(); ok; rows, ok = l.Next() {
		have = append(have, rows)
	}
	o := EpochOrder(5, 42, 1)
	want := [][]int{{0, 1}, {2, 3}, {4}, o[0:2], o[2:4], o[4:5]}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("micro-batches (-want +have):\n%s", diff)
	}
	if l.MicroBatches() != 3 {
		t.Errorf("%d micro-batches in an epoch, want 3", l.MicroBatches())
	}
}

func TestLoaderFileOrder(t *testing.T) {
	l := Loader[int]{Rows: numbers(3), Size: 2}
	var have []int
	for range 5 {
		rows, _ := l.Next()
		have = append(have, rows...)
	}
	if !slices.Equal(have, []int{0, 1, 2, 0, 1, 2, 0, 1}) {
		t.Errorf("have %v", have)
	}
	empty := Loader[int]{Size: 2}
	if _, ok := empty.Next(); ok {
		t.Error("an empty set has a micro-batch")
	}
}

// TestLoaderResumes checks that a loader which continues from a stored cursor returns the micro-batches of an
// uninterrupted run, and that Ahead changes nothing.
func TestLoaderResumes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, size := rapid.IntRange(1, 20).Draw(t, "rows"), rapid.IntRange(1, 7).Draw(t, "size")
		epochs := rapid.IntRange(0, 3).Draw(t, "epochs")
		shuffle := rapid.Bool().Draw(t, "shuffle")
		fresh := func() *Loader[int] {
			return &Loader[int]{Rows: numbers(n), Size: size, Epochs: epochs, Shuffle: shuffle, Seed: 7}
		}
		steps := rapid.IntRange(0, 12).Draw(t, "steps")
		uninterrupted, first := fresh(), fresh()
		for range steps {
			uninterrupted.Next()
			first.Next()
		}
		stored, err := json.Marshal(first.Cursor())
		if err != nil {
			t.Fatal(err)
		}
		var cursor Cursor
		if err := json.Unmarshal(stored, &cursor); err != nil {
			t.Fatal(err)
		}
		second := fresh()
		if err := second.Seek(cursor); err != nil {
			t.Fatal(err)
		}
		ahead := slices.Collect(second.Peek(6))
		for i := range 6 {
			want, more := uninterrupted.Next()
			have, ok := second.Next()
			if ok != more || !slices.Equal(want, have) {
				t.Fatalf("micro-batch %d after the stop: have %v, want %v", i, have, want)
			}
			if more != (i < len(ahead)) || more && !slices.Equal(want, ahead[i]) {
				t.Fatalf("micro-batch %d: have %v, Ahead returned %v", i, want, ahead)
			}
		}
	})
}

func TestLoaderSeekOutside(t *testing.T) {
	l := Loader[int]{Rows: numbers(5), Size: 2, Epochs: 1}
	for _, c := range []Cursor{{0, 5}, {0, -1}, {-1, 0}, {2, 0}} {
		if l.Seek(c) == nil {
			t.Errorf("%+v is taken for a place in 5 rows and 1 epoch", c)
		}
	}
}

func ExampleLoader() {
	l := Loader[string]{Rows: []string{"a", "b", "c"}, Size: 2, Epochs: 1}
	for rows, ok := l.Next(); ok; rows, ok = l.Next() {
		fmt.Println(rows, l.Cursor())
	}
	// Output:
	// [a b] {0 2}
	// [c] {1 0}
}

// The two answers of a pair share their prompt.
func ExampleFill() {
	pair := Pair{
		ID:       "set.jsonl#0",
		Chosen:   Sequence{IDs: []int32{1, 5, 6, 2}, PromptLength: 2},
		Rejected: Sequence{IDs: []int32{1, 5, 7, 2}, PromptLength: 2},
	}
	batch, err := Fill([]Pair{pair}, Shared, []Shape{{Rows: 1, Length: 6, Targets: 4, Responses: 2}})
	if err != nil {
		panic(err)
	}
	fmt.Println(batch.Tokens, batch.Positions, batch.Segments)
	fmt.Println(batch.Index, batch.Labels, batch.Owner)
	// Output:
	// [1 5 6 2 7 2] [0 1 2 3 2 3] [256 256 257 257 258 258]
	// [1 2 1 4] [6 2 7 2] [0 0 1 1]
}

func ExampleEpochOrder() {
	fmt.Println(EpochOrder(5, 42, 0)) // numpy.random.default_rng(42).permutation(5)
	// Output: [4 2 3 1 0]
}
