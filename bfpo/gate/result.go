package gate

import (
	"fmt"
	"io"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/report"
)

// Result is what a gate found.
type Result struct {
	Pass        bool      `json:"pass"`                   // the new model may ship
	Reasons     []string  `json:"reasons"`                // why it may not, a sentence for each measure that fails
	Measures    []Measure `json:"measures"`               // in the order of the table
	NotMeasured []string  `json:"not_measured,omitempty"` // kinds of measures without rows

	Comparison report.Comparison `json:"-"`
}

// Measure is one quantity of both models on the same rows.
type Measure struct {
	Kind      string   `json:"kind"`        // harm, helpfulness, over-refusal, fluency or capability
	Name      string   `json:"name"`        // e.g. "safe answer is likelier"
	Unit      string   `json:"unit"`        // %: before, after and change are shares from 0 to 1; nat; "" for tasks
	Rows      int      `json:"rows"`        // pairs, prompts or documents
	Before    float64  `json:"before"`      // mean over the rows
	After     float64  `json:"after"`       // mean over the rows
	Change    float64  `json:"change"`      // mean of the differences
	P         *float64 `json:"p,omitempty"` // of the paired test of no change; absent with fewer than ten rows
	Verdict   string   `json:"verdict"`     // better, worse, within noise, same or too few rows
	Tolerance float64  `json:"tolerance"`   // the loss that passes even if it is significant
	Fails     bool     `json:"fails"`       // whether the loss is significant and above the tolerance

	loss float64
}

// tested returns how many measures have been tested.
func (r Result) tested() (n int) {
	for _, m := range r.Measures {
		if m.P != nil {
			n++
		}
	}
	return n
}

// untested names the measures that have too few rows for a test.
func (r Result) untested() (names []string) {
	for _, m := range r.Measures {
		if m.P == nil {
			names = append(names, m.Kind+": "+m.Name)
		}
	}
	return names
}

// counts lists how many rows each measure has.
func (r Result) counts() string {
	var counts []string
	for _, m := range r.Measures {
		counts = append(counts, fmt.Sprintf("%s: %d", m.Name, m.Rows))
	}
	if len(counts) == 0 {
		return "no rows, prompts or tasks fit any measure"
	}
	return strings.Join(counts, "; ")
}

// reason says why a measure fails.
func (m Measure) reason(c report.Comparison, unit string) string {
	number := func(x float64) string { return fmt.Sprintf("%.3g", x) }
	if unit == "%" {
		number = func(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) }
	} else if unit != "" {
		number = func(x float64) string { return fmt.Sprintf("%.3g %s", x, unit) }
	}
	return fmt.Sprintf("%s: %s: %s → %s (%s → %s, %d rows, p = %.2g)", m.Kind, m.Name, number(m.Before), number(m.After),
		c.Before, c.After, m.Rows, *m.P)
}

// WriteTo writes the table, what was not measured, and the verdict.
func (r Result) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	if _, err := r.Comparison.WriteTo(&b); err != nil {
		return 0, err
	}
	if len(r.NotMeasured) > 0 {
		fmt.Fprintf(&b, "Not measured, for want of rows, prompts or tasks: %s.\n", strings.Join(r.NotMeasured, ", "))
	}
	verdict := "pass: no significant loss"
	if !r.Pass {
		verdict = fmt.Sprintf("fail: %d significantly worse", len(r.Reasons))
	}
	if names := r.untested(); len(names) > 0 {
		verdict += fmt.Sprintf("; too few rows to test %s", strings.Join(names, ", "))
	}
	fmt.Fprintf(&b, "\n%d measures tested; %s\n", r.tested(), verdict)
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}
