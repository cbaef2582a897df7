package evaluate

import (
	"context"
	"fmt"
)

// Judge rates answers: one verdict for each, in their order. It reports what it cannot rate as not judged; an error ends the evaluation.
type Judge func(ctx context.Context, answers []JudgedAnswer) ([]Verdict, error)

// JudgedAnswer is an answer to be rated.
type JudgedAnswer struct {
	Task      string
	Document  int
	Reference string // what the prompt asks
	Answer    string
}

// Verdict is what a judge says of an answer.
type Verdict struct {
	Judged bool
	Score  float64 // of the metric, where judged
	Reply  string  // the judge's words, or why there is no verdict
}

// judge has the answers of the tasks that need it rated.
func (r Run) judge(ctx context.Context, outcomes [][]outcome) ([][]Verdict, error) {
	verdicts := make([][]Verdict, len(outcomes))
	for i, t := range r.Plan.tasks {
		if r.Judge == nil || !t.Judged() {
			continue
		}
		answers := make([]JudgedAnswer, len(t.documents))
		for j, d := range t.documents {
			answers[j] = JudgedAnswer{t.Name, d.ID, d.Target, outcomes[i][j].Answer}
		}
		var err error
		if verdicts[i], err = r.Judge(ctx, answers); err != nil {
			return nil, fmt.Errorf("task %s: judge: %w", t.Name, err)
		}
		if len(verdicts[i]) != len(answers) {
			return nil, fmt.Errorf("task %s: judge: %d verdicts for %d answers", t.Name, len(verdicts[i]), len(answers))
		}
	}
	return verdicts, nil
}
