package compare

import "github.com/bfpo-go/bfpo/bfpo/report"

// Row compares one metric of one task.
type Row struct {
	Task, Metric string
	Better       report.Direction
	Cells        []Cell // one for each model
}

// Cell is one model's value in a row, with its change from the first model.
type Cell struct {
	Measured     bool
	Value, Error float64         // as in results.json; Error may be NaN
	Documents    int             // the number of documents behind Value
	Change       report.Estimate // from the first model, on the documents that both have; N = 0 without any
	P            float64         // p-value of Change, if Tested
	Tested       bool
	Note         string // why there is no change
}

// alpha is the p-value below which a change counts as significant.
const alpha = 0.05

// Verdict names the change: better, worse, changed, within noise or same. It is empty without a change to judge.
func (c Cell) Verdict(b report.Direction) string {
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
