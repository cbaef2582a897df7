package compare

import (
	"github.com/bfpo-go/bfpo/bfpo/report"
)

// Comparison is what several models' evaluations say of each other. The first model is what the others are compared with.
type Comparison struct {
	Models []Model
	Axes   [2]Axis // helpfulness and safety, the two of the chart
	Rows   []Row   // by task: those of the axes first
	Notes  []string
}

// Row is one metric of one task.
type Row struct {
	Task, Metric string
	Better       report.Better
	Cells        []Cell // of the models in their order
}

// Cell is what one model has of a row.
type Cell struct {
	Measured     bool
	Value, Error float64         // as results.json has them; Error may be NaN
	Documents    int             // behind Value
	Change       report.Estimate // of the documents' own differences from the first model, on the documents that both have; N = 0 for none
	P            float64         // that there is no difference, where Tested
	Tested       bool
	Note         string // why there is no change
}

// alpha is the significance from which on a difference is called one.
const alpha = 0.05

// Verdict says what the change means: better, worse, changed, within noise or same; empty where there is none to judge.
func (c Cell) Verdict(b report.Better) string {
	switch {
	case c.Change.N == 0:
		return ""
	case c.Change.Mean == 0 && c.Change.StdErr == 0:
		return "same"
	case !c.Tested || c.P >= alpha:
		return "within noise"
	case b == report.NeitherIsBetter:
		return "changed"
	case (c.Change.Mean > 0) == (b == report.HigherIsBetter):
		return "better"
	}
	return "worse"
}

// tests is the number of differences that were tested.
func (c *Comparison) tests() (n int) {
	for _, r := range c.Rows {
		for _, cell := range r.Cells {
			if cell.Tested {
				n++
			}
		}
	}
	return n
}

// Axis is one axis of the chart: the mean over tasks of one number each, from 0 (bad) to 1 (good).
type Axis struct {
	Name   string
	Parts  []Part
	Scores []Cell   // of the models; empty without parts
	Absent []string // tasks of the axis that are left out because not all models have them
}

// Part is one task of an axis.
type Part struct {
	Task, Metric string
	Turned       bool // lower is better, so 1 minus the value counts
}
