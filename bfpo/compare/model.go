package compare

import (
	"github.com/bfpo-go/bfpo/bfpo/report"
)

// Model is one evaluated model.
type Model struct {
	Name  string // shortest ending of the folder's path that tells it from the others
	Path  string // the folder with results.json
	Model string // what was evaluated, as results.json says; may be empty
	Tasks map[string]Task

	settings map[string]string // how it was evaluated, as results.json says
}

// Task is what one evaluation found for one task.
type Task struct {
	Metrics   []Metric
	Total     int              // documents that were evaluated
	Documents map[int]Document // by doc_id; nil where there are no samples
	Missing   string           // why there are none
}

// Metric is one line of results.json.
type Metric struct {
	Name         string
	Value, Error float64 // Error is NaN where results.json has none
	Better       report.Better
}

// Document is what one model did with one document.
type Document struct {
	Metrics map[string]float64
	Asked   string // the document as every model sees it, whatever its template and tokenizer: the same text in both is the same document
	Target  string // of generation: what the prompt asks
	Answer  string // of generation
	Answers bool   // it is of generation
	Verdict string // of a judge
}
