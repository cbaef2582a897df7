package judge

import (
	"context"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
)

// Judge rates answers: a classifier on a device, or a service. It must not be used by two evaluations at once.
type Judge interface {
	// Name says for results what judges; no key is in it.
	Name() string
	// Digest changes with all that a verdict depends on but the answer: verdicts of another judge are not gone on with.
	Digest() string
	// Metric is what the verdicts are called and which way is better, where a task's file lists m.
	Metric(m task.Metric) task.Metric
	// Rate calls report with each answer's verdict, one call after another, first being the number of the first answer in the call. Every
	// answer gets one: what cannot be rated is not Judged, and the Reply says why. An error means that no answer can be rated for now.
	Rate(ctx context.Context, answers []Answer, report func(first int, verdicts ...Verdict) error) error
	// Close frees what the judge holds.
	Close() error
}

// JudgedAnswer is an answer to be rated.
type Answer struct {
	Task      string
	Document  int
	Reference string // what the prompt asks
	Answer    string
}

// Verdict is what a judge says of an answer.
type Verdict struct {
	Judged bool    `json:"judged"`
	Score  float64 `json:"score"` // of the metric, where judged
	Safe   bool    `json:"safe"`  // where judged
	Reply  string  `json:"reply"` // the judge's words, or why there is no verdict
}

// unjudged is the verdict that there is none.
func unjudged(why error) Verdict { return Verdict{Reply: "not judged: " + why.Error()} }
