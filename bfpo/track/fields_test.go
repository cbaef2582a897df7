package track

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestFields checks that the list of fields names exactly what a line of metrics.jsonl can have.
func TestFields(t *testing.T) {
	var pairs PairStats
	pairs.Add(PairResult{HasTarget: true, ChosenSafe: true})
	pairs.Add(PairResult{})
	full := PairMetrics(pairs, pairs)
	full.Seconds, full.TaskSeconds, full.Tasks = 1, 1, []Value{{"TASK/METRIC", 1}}
	full.Rows, full.MicroBatches = []string{"a"}, []MicroBatch{{}}
	listed := map[string]bool{}
	for _, f := range Fields() {
		listed[f.Name] = false
	}
	for _, evaluation := range []bool{false, true} {
		full.Evaluation = evaluation
		text, err := json.Marshal(full.Record())
		if err != nil {
			t.Fatal(err)
		}
		var written map[string]any
		if err := json.Unmarshal(text, &written); err != nil {
			t.Fatal(err)
		}
		for name := range written {
			general := name
			for _, prefix := range []string{"main/", "buffer/", "eval_"} {
				rest, ok := strings.CutPrefix(name, prefix)
				if ok && (slices.Contains(meanNames[:], rest) && name != "eval_loss" || rest == "rows" || rest == "micro") {
					general = prefix + "NAME"
				}
			}
			if _, ok := listed[general]; !ok {
				t.Errorf("%s is not listed", name)
			}
			listed[general] = true
		}
	}
	for name, seen := range listed {
		if !seen {
			t.Errorf("%s is listed, and no line has it", name)
		}
	}
}
