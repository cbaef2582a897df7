package judge

import (
	"context"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
)

// Judge rates answers. Two evaluations must not use it at the same time.
type Judge interface {
	// Name names the judge in results. It contains no key.
	Name() string
	// Digest identifies everything that a verdict depends on, except the answer. Verdicts with another digest are
	// not reused.
	Digest() string
	// Metric returns the name and the direction of the verdicts in results, for the judged metric m of a task file.
	Metric(m task.Metric) task.Metric
	// Rate rates answers and calls report, never concurrently, with the verdicts on one or more consecutive
	// answers; first is the index of the first one. Every answer gets a verdict: if it cannot be rated, the verdict
	// is not Judged and its Reply gives the reason. An error means that no further answer can be rated for now.
	Rate(ctx context.Context, answers []Answer, report func(first int, verdicts ...Verdict) error) error
	// Close frees the judge's resources.
	Close() error
}

// Answer is an answer to be rated.
type Answer struct {
	Task      string
	Document  int
	Reference string // the question that the prompt asks
	Answer    string
}

// Verdict is a judge's rating of an answer.
type Verdict struct {
	Judged bool    `json:"judged"`
	Score  float64 `json:"score"` // the metric's value, if judged
	Safe   bool    `json:"safe"`  // meaningful only if judged
	Reply  string  `json:"reply"` // the judge's words, or the reason why the answer is not judged
}

// unjudged returns the verdict on an answer that could not be rated.
func unjudged(why error) Verdict { return Verdict{Reply: "not judged: " + why.Error()} }
