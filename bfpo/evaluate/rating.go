package evaluate

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/judge"
)

// rateTask has the judge rate the answers of one task, except those with a verdict in the journal. It journals every
// report of the judge and calls advance with the number of answers in it. number is the task's place in the plan.
func rateTask(ctx context.Context, rater judge.Judge, j *journal, number int, t plannedTask, outcomes []outcome,
	advance func(rated int)) ([]judge.Verdict, error) {
	known := j.verdictsOf(rater.Digest(), number)
	if len(known) == len(t.documents) && firstFailure(slices.Collect(maps.Values(known))) != "" {
		known = nil // the judge could rate none; ask again
	}
	verdicts := make([]judge.Verdict, len(t.documents))
	var answers []judge.Answer
	var documents []int // of the answers
	for i, d := range t.documents {
		if v, ok := known[i]; ok {
			verdicts[i] = v
			continue
		}
		answers = append(answers, judge.Answer{
			Task: t.Name, Document: d.ID, Reference: d.Target, Answer: outcomes[i].Answer,
		})
		documents = append(documents, i)
	}
	if len(answers) == 0 {
		return verdicts, nil
	}
	rated := 0
	err := rater.Rate(ctx, answers, func(first int, some ...judge.Verdict) error {
		for i, v := range some {
			verdicts[documents[first+i]] = v
		}
		rated += len(some)
		advance(len(some))
		return j.addVerdicts(rater.Digest(), number, documents[first:first+len(some)], some)
	})
	if err == nil && rated != len(answers) {
		err = fmt.Errorf("got %d verdicts on %d answers", rated, len(answers))
	}
	if reason := firstFailure(verdicts); err == nil && reason != "" {
		err = fmt.Errorf("none of %d answers could be rated: %s", len(verdicts), reason)
	}
	return verdicts, err
}

// firstFailure returns why the first answer could not be rated if none could, and otherwise "".
func firstFailure(verdicts []judge.Verdict) string {
	if len(verdicts) == 0 || slices.ContainsFunc(verdicts, func(v judge.Verdict) bool { return v.Judged }) {
		return ""
	}
	return cmp.Or(verdicts[0].Reply, "no reason given")
}
