package batch

import (
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/bfpo-go/bfpo/datasets/fixture"
)

// TestOrderGolden compares with recorded orders of datasets.Dataset.shuffle(seed=42) in Python.
func TestOrderGolden(t *testing.T) {
	var golden struct {
		Orders map[string][]int `json:"datasets_shuffle_seed42"`
	}
	fixture.Read(t, &golden, "shuffle_orders.json")
	if len(golden.Orders) == 0 {
		t.Fatal("no orders recorded")
	}
	for length, want := range golden.Orders {
		n, err := strconv.Atoi(length)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, EpochOrder(n, 42, 0)); diff != "" {
			t.Errorf("n = %d (-want +have):\n%s", n, diff)
		}
	}
}

func TestOrderIsAPermutation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 300).Draw(t, "n")
		seed := rapid.Uint64().Draw(t, "seed")
		epoch := rapid.IntRange(0, 5).Draw(t, "epoch")
		order := EpochOrder(n, seed, epoch)
		if !slices.Equal(order, EpochOrder(n, seed, epoch)) {
			t.Fatal("two calls differ")
		}
		slices.Sort(order)
		for i, v := range order {
			if v != i {
				t.Fatalf("place %d of the sorted order is %d", i, v)
			}
		}
	})
}

func TestOrderDiffersByEpoch(t *testing.T) {
	if slices.Equal(EpochOrder(100, 42, 0), EpochOrder(100, 42, 1)) ||
		slices.Equal(EpochOrder(100, 42, 1), EpochOrder(100, 42, 2)) {
		t.Error("two epochs have the same order")
	}
	if slices.Equal(EpochOrder(100, 1<<32, 1), EpochOrder(100, 0, 1)) {
		t.Error("the upper half of the seed is ignored")
	}
}
