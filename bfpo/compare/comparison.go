package compare

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/usage"
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

// Compare puts models side by side. safety and helpfulness name the tasks of the chart's axes.
func Compare(models []Model, safety, helpfulness []string) (Comparison, error) {
	c := Comparison{Models: models}
	tasks := tasksOf(models)
	if !slices.ContainsFunc(tasks, func(t string) bool { return len(having(models, t)) > 1 }) {
		var all []string
		for _, m := range models {
			all = append(all, fmt.Sprintf("%s has %s", m.Path, strings.Join(slices.Sorted(maps.Keys(m.Tasks)), ", ")))
		}
		return c, usage.Errorf("no task is in two of the folders: %s", strings.Join(all, "; "))
	}
	order := slices.Concat(safety, helpfulness)
	slices.SortStableFunc(tasks, func(a, b string) int { return place(order, a) - place(order, b) })
	for _, task := range tasks {
		c.Rows = append(c.Rows, c.rowsOf(task)...)
	}
	for _, m := range models[1:] {
		for _, key := range slices.Sorted(maps.Keys(m.settings)) {
			if first, said := models[0].settings[key]; said && first != m.settings[key] {
				c.Notes = append(c.Notes, fmt.Sprintf("%s was evaluated with %s %s, %s with %s", m.Name, key, m.settings[key], models[0].Name, first))
			}
		}
	}
	c.Axes = [2]Axis{c.axis("helpfulness", helpfulness), c.axis("safety", safety)}
	return c, nil
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

// normalP is the two-sided p-value of a mean with a standard error, by the normal distribution.
func normalP(e report.Estimate) float64 {
	return math.Erfc(math.Abs(e.Mean) / e.StdErr / math.Sqrt2)
}
