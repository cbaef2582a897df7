package step

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/batch"
)

// LayOut puts every example into one batch and keeps the order. Each batch is in one call, the batches of a call have
// the same shape, and idle devices get padding.
func TestLayOutOnDevices(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var pairs []batch.Pair
	for i := range 37 {
		ids := func() batch.Sequence { return batch.Sequence{IDs: make([]int32, 8+rng.IntN(200)), PromptLength: 5} }
		pairs = append(pairs, batch.Pair{ID: fmt.Sprint(i), Chosen: ids(), Rejected: ids()})
	}
	for _, devices := range []int{1, 2, 4, 8} {
		loader := &batch.Loader[batch.Pair]{Rows: pairs, Size: 8, Epochs: 1}
		shapes := PlanShapes(10, devices, loader)
		for examples, ok := loader.Next(); ok; examples, ok = loader.Next() {
			m, err := LayOut(examples, shapes, devices)
			if err != nil {
				t.Fatal(err)
			}
			var ids, want []string
			for _, b := range m.Batches {
				ids = append(ids, b.IDs...)
			}
			for _, p := range examples {
				want = append(want, p.ID)
			}
			if !slices.Equal(ids, want) {
				t.Fatalf("%d devices: %v, want %v", devices, ids, want)
			}
			checkCalls(t, m, devices, len(examples))
		}
	}
}

// checkCalls checks the calls of a micro-batch on devices.
func checkCalls(t *testing.T, m MicroBatch, devices, examples int) {
	t.Helper()
	calls := 0
	callsOf := make([]int, len(m.Batches))
	for indices, batches := range m.Calls(devices) {
		calls++
		for i, b := range batches {
			if b.Shape != batches[0].Shape || len(batches) != devices ||
				b.ChosenSafe == nil || len(b.ChosenSafe) != len(b.IDs) {
				t.Errorf("%d devices: batch %d of a call is %v with %d examples, the first is %v",
					devices, i, b.Shape, len(b.IDs), batches[0].Shape)
			}
			if i < len(indices) {
				callsOf[indices[i]]++
				if !slices.Equal(b.IDs, m.Batches[indices[i]].IDs) {
					t.Errorf("%d devices: device %d has %v, want %v", devices, i, b.IDs, m.Batches[indices[i]].IDs)
				}
			} else if len(b.IDs) > 0 {
				t.Errorf("%d devices: device %d has %v, want padding", devices, i, b.IDs)
			}
		}
	}
	for i, n := range callsOf {
		if n != 1 {
			t.Errorf("%d devices: batch %d is in %d calls", devices, i, n)
		}
	}
	if devices >= examples && calls > 2 || calls > len(m.Batches) {
		t.Errorf("%d devices take %d calls for %d examples in %d batches", devices, calls, examples, len(m.Batches))
	}
}
