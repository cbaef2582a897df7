package step

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/datasets/fixture"
)

// The rates were recorded from runs of the original code with transformers 4.36.
func TestScheduleGolden(t *testing.T) {
	var runs []struct {
		Kind      string
		Total     int       `json:"total_steps"`
		Warmup    int       `json:"warmup_steps"`
		Peak      float64   `json:"peak_lr"`
		Rates     []float64 `json:"lr"`
		AfterLast float64   `json:"lr_after_last"`
	}
	fixture.Read(t, &runs, "lr_schedule.json")
	if len(runs) == 0 {
		t.Fatal("no runs")
	}
	for _, run := range runs {
		s := Schedule{Kind: run.Kind, Peak: run.Peak, Warmup: run.Warmup, Total: run.Total}
		for step, want := range append(run.Rates, run.AfterLast) {
			// The recorded rates are around 1e-6, so an absolute tolerance of 1e-9 alone would miss large errors.
			if got := s.LearningRate(step); math.Abs(got-want) > 1e-9 || math.Abs(got-want) > 1e-12*run.Peak {
				t.Errorf("%s of %d, step %d: %v, want %v", run.Kind, run.Total, step, got, want)
			}
		}
	}
}

func TestScheduleByHand(t *testing.T) {
	for _, test := range []struct {
		s    Schedule
		want []float64
	}{
		{Schedule{"linear", 4, 2, 6}, []float64{0, 2, 4, 3, 2, 1, 0, 0}},
		{Schedule{"constant_with_warmup", 4, 2, 4}, []float64{0, 2, 4, 4, 4}},
		{Schedule{"constant", 4, 2, 4}, []float64{4, 4, 4}},
		{Schedule{"cosine", 4, 0, 2}, []float64{4, 2, 0}},
		{Schedule{"cosine", 4, 3, 3}, []float64{0, 4. / 3, 8. / 3, 4}},
	} {
		for step, want := range test.want {
			if got := test.s.LearningRate(step); math.Abs(got-want) > 1e-15 {
				t.Errorf("%+v, step %d: %v, want %v", test.s, step, got, want)
			}
		}
	}
}

// stepSizes returns the number of micro-batches in each step of a run.
func stepSizes(s Count) (sizes []int) {
	size := 0
	for micro := 0; len(sizes) < s.Total; micro++ {
		size++
		if s.Ends(micro) {
			sizes, size = append(sizes, size), 0
		}
	}
	return sizes
}

func TestCount(t *testing.T) {
	for _, test := range []struct {
		name                     string
		rows, batch, accumulate  int
		epochs                   float64
		maxSteps                 int
		clean, seed              []int // micro-batches of each step; seed: as the original code groups them
		batches, perEpochOfClean int
	}{
		{"even", 48, 2, 2, 1, -1, slices.Repeat([]int{2}, 12), slices.Repeat([]int{2}, 12), 24, 12},
		{"two epochs", 16, 2, 4, 2, -1, []int{4, 4, 4, 4}, []int{4, 4, 4, 4}, 8, 4 / 2},
		{"leftover", 10, 2, 2, 2, -1, []int{2, 2, 1, 2, 2, 1}, []int{2, 2, 2, 2}, 5, 3},
		{"leftover pair", 9, 4, 2, 1, -1, []int{2, 1}, []int{2}, 3, 2},
		{"shorter than a step", 6, 2, 4, 3, -1, []int{3, 3, 3}, []int{3, 1, 2}, 3, 1},
		{"part of an epoch", 16, 2, 2, 1.3, -1, []int{2, 2, 2, 2, 2, 2}, []int{2, 2, 2, 2, 2, 2}, 8, 4},
		{"max_steps", 10, 2, 2, 1, 4, []int{2, 2, 1, 2}, []int{2, 2, 2, 2}, 5, 3},
		{"one row", 1, 8, 1, 1, -1, []int{1}, []int{1}, 1, 1},
	} {
		count := func(seed bool) Count {
			return NewCount(test.rows, test.batch, test.accumulate, test.maxSteps, test.epochs, seed)
		}
		s := count(false)
		diff := cmp.Diff(test.clean, stepSizes(s))
		if diff != "" || s.MicroBatches != test.batches || s.PerEpoch != test.perEpochOfClean {
			t.Errorf("%s, clean: %+v %s", test.name, s, diff)
		}
		if diff := cmp.Diff(test.seed, stepSizes(count(true))); diff != "" {
			t.Errorf("%s, seed: %s", test.name, diff)
		}
	}
	if s := NewCount(0, 8, 1, -1, 3, false); s.Total != 0 {
		t.Errorf("no rows: %+v", s)
	}
	if got := NewCount(9, 2, 1, -1, 3, false).MicroBatch(batch.Cursor{Epoch: 2, Position: 4}); got != 12 {
		t.Errorf("with 5 batches in an epoch, the third batch of the third epoch is micro-batch %d, want 12", got)
	}
}
