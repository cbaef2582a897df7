package compare

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/bfpo-go/bfpo/bfpo/report"
)

// rowsOf are the metrics of a task, those of the first model that has it first, and what is wrong with its documents.
func (c *Comparison) rowsOf(task string) (rows []Row) {
	for i, m := range c.Models {
		if reason := c.differ(i, task); reason != "" {
			c.Notes = append(c.Notes, fmt.Sprintf("%s, %s: %s", m.Name, task, reason))
		}
		for _, metric := range m.Tasks[task].Metrics {
			if slices.ContainsFunc(rows, func(r Row) bool { return r.Metric == metric.Name }) {
				continue
			}
			r := Row{Task: task, Metric: metric.Name, Better: metric.Better}
			for j := range c.Models {
				r.Cells = append(r.Cells, c.cell(j, task, metric.Name))
			}
			rows = append(rows, r)
		}
	}
	return rows
}

// differ says why a model's documents of a task are not those of the first model; empty where they are, or where either has none.
func (c *Comparison) differ(i int, task string) string {
	first, other := c.Models[0].Tasks[task], c.Models[i].Tasks[task]
	if other.Missing != "" {
		return other.Missing + ": its differences cannot be tested"
	}
	if len(first.Documents) == 0 || len(other.Documents) == 0 {
		return ""
	}
	same, different := 0, 0
	for id, d := range other.Documents {
		switch before, ok := first.Documents[id]; {
		case ok && before.Asked == d.Asked:
			same++
		case ok:
			different++
		}
	}
	switch {
	case same == 0:
		return fmt.Sprintf("none of its documents is among those of %s: the values cannot be compared", c.Models[0].Name)
	case different > 0:
		return fmt.Sprintf("%d documents have the same number as others of %s (another data set or version?): the change is that of the other %d",
			different, c.Models[0].Name, same)
	case same < len(first.Documents) || same < len(other.Documents):
		return fmt.Sprintf("%d documents against %d of %s: the change is that of the %d which both have", len(other.Documents),
			len(first.Documents), c.Models[0].Name, same)
	}
	return ""
}

// cell is what model i has of a metric.
func (c *Comparison) cell(i int, task, metric string) (cell Cell) {
	first, t := c.Models[0].Tasks[task], c.Models[i].Tasks[task]
	at := slices.IndexFunc(t.Metrics, func(m Metric) bool { return m.Name == metric })
	if at < 0 {
		return Cell{Note: "not measured"}
	}
	cell = Cell{Measured: true, Value: t.Metrics[at].Value, Error: t.Metrics[at].Error, Documents: t.Total}
	if i == 0 {
		return cell
	}
	differences := paired(first, t, metric)
	cell.Change = report.NewEstimate(differences)
	cell.P, cell.Tested = significance(differences)
	if len(differences) == 0 {
		cell.Note = "no document in common"
		if t.Missing != "" || first.Missing != "" {
			cell.Note = "no samples"
		}
		if !slices.ContainsFunc(first.Metrics, func(m Metric) bool { return m.Name == metric }) {
			cell.Note = "not measured by the first"
		}
	}
	return cell
}

// paired are the differences of a metric, second minus first, of the documents that both have, in the documents' order.
func paired(first, second Task, metric string) (differences []float64) {
	for _, id := range slices.Sorted(maps.Keys(second.Documents)) {
		before, ok := first.Documents[id]
		after := second.Documents[id]
		a, measuredA := before.Metrics[metric]
		b, measuredB := after.Metrics[metric]
		if ok && before.Asked == after.Asked && measuredA && measuredB {
			differences = append(differences, b-a)
		}
	}
	return differences
}

// place is where a name stands in a list; a name that is not there comes last.
func place(order []string, name string) int {
	if i := slices.Index(order, name); i >= 0 {
		return i
	}
	return len(order)
}

// tasksOf are the names of all tasks, sorted.
func tasksOf(models []Model) []string {
	all := map[string]bool{}
	for _, m := range models {
		for name := range m.Tasks {
			all[name] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func having(models []Model, task string) (with []Model) {
	for _, m := range models {
		if _, ok := m.Tasks[task]; ok {
			with = append(with, m)
		}
	}
	return with
}

// normalP is the two-sided p-value of a mean with a standard error, by the normal distribution.
func normalP(e report.Estimate) float64 {
	return math.Erfc(math.Abs(e.Mean) / e.StdErr / math.Sqrt2)
}
