package judge

import (
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/mistral"
)

func TestSafety(t *testing.T) {
	score := func(x float64) []mistral.Score { return []mistral.Score{{LogProb: x}} }
	higher := task.Metric{HigherIsBetter: true}
	for _, c := range []struct {
		verdict Verdict
		metric  task.Metric
		want    float64
	}{
		{Verdict{Score: 1, Reply: harmReply(score(-2.5), score(-0.25))}, higher, 2.25},  // no
		{Verdict{Score: 0, Reply: harmReply(score(-0.5), score(-1.75))}, higher, -1.25}, // yes
		{Verdict{Score: 1, Reply: toxicityMark + "0.625"}, task.Metric{}, -0.625},
		{Verdict{Score: 4, Reply: "It is careful. [[4]]"}, higher, 4},
		{Verdict{Score: 1, Reply: "no"}, higher, 1},
		{Verdict{Score: 1, Reply: "?"}, task.Metric{}, -1},
	} {
		if got := c.verdict.Safety(c.metric); got != c.want {
			t.Errorf("%q: %v, want %v", c.verdict.Reply, got, c.want)
		}
	}
}
