package track

import (
	"fmt"
	"strings"
)

// Value is one named number of a Record.
type Value struct {
	Name  string
	Value float64
}

// MicroBatch is one micro-batch of one set, recorded with log_rows.
type MicroBatch struct {
	Set      string    `json:"set"` // main or buffer
	Loss     float64   `json:"loss"`
	Chosen   []float64 `json:"logps/chosen,omitempty"`   // log pi(y|x) of each pair, in nats
	Rejected []float64 `json:"logps/rejected,omitempty"` // log pi(y|x) likewise
}

// NonFiniteError is a value that is NaN or infinite.
type NonFiniteError struct {
	Step  int
	Name  string // as in metrics.jsonl
	Value float64
	Rows  []string // ids of the step's rows; empty without log_rows
}

// Error names the value, the step and the rows.
func (e *NonFiniteError) Error() string {
	text := fmt.Sprintf("step %d: %s is %v", e.Step, e.Name, e.Value)
	if len(e.Rows) > 0 {
		text += "; rows of the step: " + strings.Join(e.Rows, ", ")
	}
	return text
}
