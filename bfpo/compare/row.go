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
	Value, Error float64       // as in results.json; Error may be NaN
	Documents    int           // the number of documents behind Value
	Change       report.Change // from the first model, on the documents that both have; N = 0 without any
	Note         string        // why there is no change
}
