package track

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

// sampleGroups returns three main pairs and one buffer pair, with numbers small enough for mental arithmetic.
func sampleGroups() (main, buffer PairStats) {
	main.Add(PairResult{
		Loss: 4, ChosenReward: 1, RejectedReward: 0.5, Margin: 50, Target: 100, HasTarget: true,
		ChosenLogP: -10, RejectedLogP: -20, ChosenLogit: 1, RejectedLogit: 2, ChosenSafe: true,
	})
	main.Add(PairResult{
		Loss: 8, ChosenReward: 0, RejectedReward: 0, Margin: 0, Target: -100, HasTarget: true,
		ChosenLogP: -30, RejectedLogP: -40, ChosenLogit: 3, RejectedLogit: 4,
	})
	main.Add(PairResult{
		Loss: 6, ChosenReward: -1, RejectedReward: 1, Margin: -200, Target: 0, HasTarget: true,
		ChosenLogP: -50, RejectedLogP: -60, ChosenLogit: 5, RejectedLogit: 6, ChosenSafe: true,
	})
	buffer.Add(PairResult{
		Loss: 10, ChosenReward: 3, RejectedReward: 1, Margin: 200, Target: 50, HasTarget: true,
		ChosenLogP: -10, RejectedLogP: -20, ChosenLogit: 7, RejectedLogit: 8, ChosenSafe: true,
	})
	return main, buffer
}

func TestRecordOfStep(t *testing.T) {
	m := PairMetrics(sampleGroups())
	m.Step, m.Epoch, m.LearningRate, m.GradNorm, m.Tokens, m.Seconds = 3, 0.25, 5e-7, 12.5, 1000, 2
	m.Rows = []string{"a#0", "a#1", "a#2", "b#0"}
	m.MicroBatches = []MicroBatch{{
		Set: "main", Loss: 6, Chosen: []float64{-10, -30, -50}, Rejected: []float64{-20, -40, -60},
	}}
	want := `{"step":3,"epoch":0.25,"loss":16,"learning_rate":5e-7,"grad_norm":12.5,` +
		`"rewards/chosen":0.75,"rewards/rejected":0.625,"rewards/margins":0.125,"rewards/accuracies":0.5,` +
		`"rewards/safe_rewards":1,"rewards/unsafe_rewards":0,` +
		`"logps/chosen":-25,"logps/rejected":-35,"logits/chosen":4,"logits/rejected":5,` +
		`"margins/nats":12.5,"margins/target":12.5,"margins/distance":125,` +
		`"tokens_per_second":500,"pairs_per_second":2,"step_seconds":2,` +
		`"main/loss":6,"main/rewards/chosen":0,"main/rewards/rejected":0.5,"main/rewards/margins":-0.5,` +
		`"main/rewards/accuracies":0.3333333333333333,` +
		`"main/rewards/safe_rewards":0,"main/rewards/unsafe_rewards":0,"main/logps/chosen":-30,"main/logps/rejected":-40,` +
		`"main/logits/chosen":3,"main/logits/rejected":4,"main/margins/nats":-50,"main/margins/target":0,` +
		`"main/margins/distance":116.66666666666667,` +
		`"buffer/loss":10,"buffer/rewards/chosen":3,"buffer/rewards/rejected":1,"buffer/rewards/margins":2,` +
		`"buffer/rewards/accuracies":1,` +
		`"buffer/rewards/safe_rewards":3,"buffer/logps/chosen":-10,"buffer/logps/rejected":-20,` +
		`"buffer/logits/chosen":7,"buffer/logits/rejected":8,` +
		`"buffer/margins/nats":200,"buffer/margins/target":50,"buffer/margins/distance":150,` +
		`"rows":["a#0","a#1","a#2","b#0"],` +
		`"micro":[{"set":"main","loss":6,"logps/chosen":[-10,-30,-50],"logps/rejected":[-20,-40,-60]}]}`
	text, err := json.Marshal(m.Record())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
	var back Record
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m.Record(), back); diff != "" {
		t.Error("round trip:", diff)
	}
}

func TestRecordOfOtherKinds(t *testing.T) {
	sft := Metrics{Step: 1, Epoch: 0.5, Loss: 2.5, LearningRate: 1e-5, GradNorm: 3, Tokens: 100, Samples: 2, Seconds: 4}
	main, _ := sampleGroups()
	eval := PairMetrics(main, PairStats{})
	eval.Step, eval.Epoch, eval.Evaluation, eval.Batches, eval.Seconds = 7, 1, true, 2, 4
	eval.Rows, eval.MicroBatches = []string{"h#0"}, []MicroBatch{{Set: "main", Loss: 6}}
	for want, m := range map[string]Metrics{
		`{"step":1,"epoch":0.5,"loss":2.5,"learning_rate":0.00001,"grad_norm":3,` +
			`"tokens_per_second":25,"step_seconds":4}`: sft,
		`{"step":7,"epoch":1,"eval_loss":6,"eval_rewards/chosen":0,"eval_rewards/rejected":0.5,"eval_rewards/margins":-0.5,` +
			`"eval_rewards/accuracies":0.3333333333333333,"eval_rewards/safe_rewards":0,"eval_rewards/unsafe_rewards":0,` +
			`"eval_logps/chosen":-30,"eval_logps/rejected":-40,"eval_logits/chosen":3,"eval_logits/rejected":4,` +
			`"eval_margins/nats":-50,"eval_margins/target":0,"eval_margins/distance":116.66666666666667,` +
			`"eval_samples":3,"eval_runtime":4,"eval_samples_per_second":0.75,"eval_steps_per_second":0.5,` +
			`"eval_rows":["h#0"],"eval_micro":[{"set":"main","loss":6}]}`: eval,
	} {
		text, err := json.Marshal(m.Record())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(text)); diff != "" {
			t.Error(diff)
		}
		if got := m.Record().IsEvaluation(); got != m.Evaluation {
			t.Errorf("Evaluation() = %v", got)
		}
	}
}

func TestNonFinite(t *testing.T) {
	main, buffer := sampleGroups()
	buffer.Add(PairResult{Loss: math.NaN()})
	m := PairMetrics(main, buffer)
	m.Step, m.Rows = 9, []string{"train.jsonl#4", "buffer.jsonl#7"}
	err := m.CheckFinite()
	var bad *NonFiniteError
	if !errors.As(err, &bad) || bad.Step != 9 || bad.Name != "loss" {
		t.Fatalf("Check() = %v", err)
	}
	if want := "step 9: loss is NaN; rows of the step: train.jsonl#4, buffer.jsonl#7"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	if _, err := m.Record().MarshalJSON(); !errors.As(err, &bad) {
		t.Errorf("MarshalJSON: %v", err)
	}
	if err := (Metrics{GradNorm: math.Inf(1)}).CheckFinite(); err == nil {
		t.Error("an infinite gradient norm passed")
	}
	if err := (Metrics{MicroBatches: []MicroBatch{{Set: "main", Loss: math.NaN()}}}).CheckFinite(); err == nil {
		t.Error("a NaN micro-batch passed")
	}
	if err := PairMetrics(sampleGroups()).CheckFinite(); err != nil {
		t.Error(err)
	}
}

func TestTieIsNotAWin(t *testing.T) {
	var g PairStats
	g.Add(PairResult{ChosenReward: 0.25, RejectedReward: 0.25})
	if x, ok := g.Accuracies.Value(); !ok || x != 0 {
		t.Errorf("accuracy of a tie = %v, %v", x, ok)
	}
	if _, ok := g.Safe.Value(); ok {
		t.Error("a mean over no safe rows has a value")
	}
	if _, ok := g.Target.Value(); ok {
		t.Error("a pair without a target has a mean target")
	}
}

func FuzzRecord(f *testing.F) {
	main, buffer := sampleGroups()
	text, _ := PairMetrics(main, buffer).Record().MarshalJSON()
	f.Add(text)
	f.Add([]byte(`{"step":1,"epoch":0.1,"loss":1e3,"rows":["a"],"micro":[{"set":"main"}]}`))
	f.Add([]byte(`{"loss":null}`))
	f.Add([]byte(`[1]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var r, again Record
		fuzztest.Bounded(t, len(text), 10*time.Second, func() {
			if json.Unmarshal(text, &r) != nil {
				r = Record{}
				return
			}
			written, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(written, &again); err != nil {
				t.Fatalf("%s: %v", written, err)
			}
		})
		if diff := cmp.Diff(r, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
