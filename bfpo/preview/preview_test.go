package preview

import (
	"reflect"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/datasets/batch"
)

// pair returns a pair with a prompt and two responses of these lengths.
func pair(prompt, chosen, rejected int) batch.Pair {
	response := func(n int) batch.Sequence {
		return batch.Sequence{IDs: make([]int32, prompt+n), PromptLength: prompt}
	}
	return batch.Pair{Chosen: response(chosen), Rejected: response(rejected)}
}

func TestNewPairs(t *testing.T) {
	set := data.Set{
		SetSummary: data.SetSummary{
			Name: "main", Rows: 3, Cases: data.Cases{SafeUnsafe: 2, UnsafeUnsafe: 1},
			Drops: []data.Drop{{Reason: "too long", Rows: 4}}, Notes: []string{"a note"},
		},
		Pairs: []batch.Pair{pair(5, 1, 9), pair(3, 7, 9), pair(4, 4, 9)},
	}
	got := New("bfpo", []data.Set{set}, 2)
	if got.Stage != "bfpo" || got.Prompts != 2 || len(got.Sets) != 1 {
		t.Fatalf("%+v", got)
	}
	s := got.Sets[0]
	want := Lengths{
		Prompt:   &Quantiles{Min: 3, Median: 4, P95: 4, Max: 5, Total: 12}, // P95 is at 0.95 · 2, rounded down
		Chosen:   &Quantiles{Min: 1, Median: 4, P95: 4, Max: 7, Total: 12},
		Rejected: &Quantiles{Min: 9, Median: 9, P95: 9, Max: 9, Total: 27},
	}
	if !reflect.DeepEqual(s.Lengths, want) {
		t.Errorf("lengths %+v, want %+v", s.Lengths, want)
	}
	if s.Rows != 3 || s.Cases["safe/unsafe"] != 2 || s.Cases["unsafe/unsafe"] != 1 || s.Drops["too long"] != 4 ||
		!reflect.DeepEqual(s.Notes, []string{"a note"}) {
		t.Errorf("%+v", s)
	}
}

func TestNewDocuments(t *testing.T) {
	set := data.Set{Documents: []batch.Document{{IDs: make([]int32, 8)}, {IDs: make([]int32, 6)}}}
	s := New("sft", []data.Set{set}, 0).Sets[0]
	if row := s.Lengths.Row; row == nil || *row != (Quantiles{Min: 6, Median: 6, P95: 6, Max: 8, Total: 14}) {
		t.Errorf("rows %+v", s.Lengths.Row)
	}
	if s.Cases != nil || s.Lengths.Chosen != nil {
		t.Errorf("%+v", s)
	}
}
