package train

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/batch"
)

// Every example lies in one part, in its order; the parts of a round have one shape, no device has two, and idle devices get padding.
func TestLayOnDevices(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var pairs []batch.Pair
	for i := range 37 {
		ids := func() batch.Sequence { return batch.Sequence{IDs: make([]int32, 8+rng.IntN(200)), Prompt: 5} }
		pairs = append(pairs, batch.Pair{ID: fmt.Sprint(i), Chosen: ids(), Rejected: ids()})
	}
	for _, devices := range []int{1, 2, 4, 8} {
		loader := &batch.Loader[batch.Pair]{Rows: pairs, Size: 8, Epochs: 1}
		shapes := planShapes(10, devices, loader)
		for examples, ok := loader.Next(); ok; examples, ok = loader.Next() {
			m, err := lay(examples, shapes, devices)
			if err != nil {
				t.Fatal(err)
			}
			var ids, want []string
			for _, part := range m.parts {
				ids = append(ids, part.IDs...)
			}
			for _, p := range examples {
				want = append(want, p.ID)
			}
			if !slices.Equal(ids, want) {
				t.Fatalf("%d devices: %v, want %v", devices, ids, want)
			}
			checkRounds(t, m, devices, len(examples))
		}
	}
}

func checkRounds(t *testing.T, m microBatch, devices, examples int) {
	t.Helper()
	rounds := 0
	reports, err := inRounds(m, devices, func(b Batches) ([]string, error) {
		rounds++
		names := make([]string, len(b))
		for i := range b {
			if b[i].Shape != b[0].Shape || len(b) != devices || b[i].ChosenSafe == nil || len(b[i].ChosenSafe) != len(b[i].IDs) {
				t.Errorf("%d devices: batch %d of a round is %v with %d examples, the first %v", devices, i, b[i].Shape, len(b[i].IDs), b[0].Shape)
			}
			names[i] = fmt.Sprint(b[i].IDs)
		}
		return names, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range m.parts {
		if reports[i] != fmt.Sprint(part.IDs) {
			t.Errorf("%d devices: part %d is reported as %s, it has %v", devices, i, reports[i], part.IDs)
		}
	}
	if devices >= examples && rounds > 2 || rounds > len(m.parts) {
		t.Errorf("%d devices take %d rounds for %d examples in %d parts", devices, rounds, examples, len(m.parts))
	}
}
