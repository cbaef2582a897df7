package compare

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/report"
)

// WriteTo writes the table as plain text with aligned columns.
func (c Comparison) WriteTo(w io.Writer) (int64, error) {
	lines := [][]string{{"", "documents", "value ± error", "change", "p", ""}}
	add := func(title string, better report.Direction, cells []Cell) {
		lines = append(lines, []string{title})
		decimals := decimalsOf(cells)
		for i, cell := range cells {
			s := newCellText(cell, better, i == 0, decimals)
			lines = append(lines, []string{"  " + c.Models[i].Name, s.Documents, s.Value, s.Change, s.P, s.Verdict})
		}
	}
	for _, axis := range c.Axes {
		if len(axis.Scores) > 0 {
			title := fmt.Sprintf("%s, mean of %s", axis.Name, plural(len(axis.Tasks), "task"))
			add(title, report.HigherIsBetter, axis.Scores)
		}
	}
	for _, r := range c.Rows {
		add(r.title(), r.Better, r.Cells)
	}
	var b strings.Builder
	report.WriteColumns(&b, lines)
	fmt.Fprintf(&b, "%s\n", c.legend())
	for _, axis := range c.Axes {
		fmt.Fprintf(&b, "%s\n", axis.String())
	}
	for _, note := range c.Notes {
		fmt.Fprintf(&b, "! %s\n", note)
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// legend explains the table.
func (c Comparison) legend() string {
	n := c.countTests()
	text := fmt.Sprintf("± is one standard error. change: from %s, document by document. "+
		"p: the probability of a change this large if there were no difference.\n%s ", c.Models[0].Name,
		report.VerdictRule())
	if n == 0 {
		return text + "No difference was tested."
	}
	return text + fmt.Sprintf("%s tested, each alone:\n"+
		"without any real difference about %.1f of them would appear significant.", plural(n, "difference"),
		report.Alpha*float64(n))
}

// title names the row's task and metric.
func (r Row) title() string {
	if r.Better == report.LowerIsBetter {
		return r.Task + " " + r.Metric + " (lower is better)"
	}
	return r.Task + " " + r.Metric
}

// String lists the tasks of the axis.
func (a Axis) String() string {
	var parts []string
	for _, p := range a.Tasks {
		text := p.Task + " " + p.Metric
		if p.Inverted {
			text = p.Task + " 1 − " + p.Metric
		}
		parts = append(parts, text)
	}
	text := a.Name + ": mean of " + strings.Join(parts, ", ")
	if len(parts) == 0 {
		text = a.Name + ": none of its tasks is in all folders"
	}
	if len(a.Omitted) > 0 {
		text += "; left out, as not a share from 0 to 1 in all folders: " + strings.Join(a.Omitted, ", ")
	}
	return text
}

// cellText is a cell formatted as text.
type cellText struct{ Documents, Value, Change, P, Verdict string }

// newCellText formats a cell; the first model has no change.
func newCellText(c Cell, better report.Direction, first bool, decimals int) cellText {
	if !c.Measured {
		return cellText{Value: "–", Verdict: c.Note}
	}
	t := cellText{Documents: strconv.Itoa(c.Documents), Value: withError(c.Value, c.Error, decimals, false)}
	if first {
		return t
	}
	if t.Verdict = c.Note; c.Change.N == 0 {
		return t
	}
	deviation := c.Change.StdErr
	if c.Change.N == 1 {
		deviation = math.NaN()
	}
	t.Change = withError(c.Change.Mean, deviation, decimals, true)
	if c.Change.Tested() {
		t.P = pText(c.Change.P)
	}
	t.Verdict = c.Change.SignedVerdict(better)
	return t
}

func pText(p float64) string {
	if p < 0.0005 {
		return "<0.001"
	}
	return strconv.FormatFloat(p, 'f', 3, 64)
}

// decimalsOf returns the number of decimals in a row: two if its numbers are large, else four.
func decimalsOf(cells []Cell) int {
	for _, c := range cells {
		if math.Abs(c.Value) >= 10 || c.Error >= 10 {
			return 2
		}
	}
	return 4
}

// withError formats a value with its standard error, if that is not NaN.
func withError(x, e float64, decimals int, signed bool) string {
	text := strconv.FormatFloat(x, 'f', decimals, 64)
	if signed && x > 0 {
		text = "+" + text
	}
	if !math.IsNaN(e) {
		text += " ± " + strconv.FormatFloat(e, 'f', decimals, 64)
	}
	return strings.ReplaceAll(text, "-", "−")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
