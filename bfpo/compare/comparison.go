package compare

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// Comparison compares the evaluations of several models with the first one.
type Comparison struct {
	Models []Model
	Axes   [2]Axis  // helpfulness and safety, the axes of the chart
	Rows   []Row    // by task; the tasks of the axes come first
	Notes  []string // warnings: different settings or documents
}

// Compare compares models. safety and helpfulness name the tasks of the chart's axes. It refuses models without a
// common task.
func Compare(models []Model, safety, helpfulness []string) (Comparison, error) {
	c := Comparison{Models: models}
	tasks := tasksOf(models)
	if !slices.ContainsFunc(tasks, func(t string) bool { return len(modelsWith(models, t)) > 1 }) {
		var all []string
		for _, m := range models {
			all = append(all, fmt.Sprintf("%s has %s", m.Path, strings.Join(slices.Sorted(maps.Keys(m.Tasks)), ", ")))
		}
		return c, usage.Errorf("no task is in two of the folders: %s", strings.Join(all, "; "))
	}
	order := slices.Concat(safety, helpfulness)
	slices.SortStableFunc(tasks, func(a, b string) int { return rank(order, a) - rank(order, b) })
	for _, task := range tasks {
		c.Rows = append(c.Rows, c.rowsOf(task)...)
	}
	for _, m := range models[1:] {
		for _, key := range slices.Sorted(maps.Keys(m.settings)) {
			if first, known := models[0].settings[key]; known && first != m.settings[key] {
				c.Notes = append(c.Notes, fmt.Sprintf("%s was evaluated with %s %s, %s with %s",
					m.Name, key, m.settings[key], models[0].Name, first))
			}
		}
	}
	c.Axes = [2]Axis{newAxis("helpfulness", helpfulness, models, c.Rows), newAxis("safety", safety, models, c.Rows)}
	return c, nil
}

// rowsOf returns the rows of a task's metrics, in the order in which the models have them, and notes how the
// models' documents differ.
func (c *Comparison) rowsOf(task string) (rows []Row) {
	for i, m := range c.Models {
		if reason := c.documentDifference(i, task); reason != "" {
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

// documentDifference describes how model i's documents of a task differ from the first model's. It is empty if they
// are the same or if either model has none.
func (c *Comparison) documentDifference(i int, task string) string {
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
		case ok && before.Identity == d.Identity:
			same++
		case ok:
			different++
		}
	}
	switch {
	case same == 0:
		return fmt.Sprintf("it has no document in common with %s: the values cannot be compared", c.Models[0].Name)
	case different > 0:
		return fmt.Sprintf("%d documents have the numbers of different documents of %s "+
			"(another data set or version?): the change is over the other %d", different, c.Models[0].Name, same)
	case same < len(first.Documents) || same < len(other.Documents):
		return fmt.Sprintf("%d documents against %d of %s: the change is over the %d that both have",
			len(other.Documents), len(first.Documents), c.Models[0].Name, same)
	}
	return ""
}

// cell returns model i's cell of a metric.
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
	cell.Change = report.NewChange(differences)
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

// paired returns the differences of a metric, second minus first, on the documents that both have, in the
// documents' order.
func paired(first, second Task, metric string) (differences []float64) {
	for _, id := range slices.Sorted(maps.Keys(second.Documents)) {
		before, ok := first.Documents[id]
		after := second.Documents[id]
		a, measuredA := before.Metrics[metric]
		b, measuredB := after.Metrics[metric]
		if ok && before.Identity == after.Identity && measuredA && measuredB {
			differences = append(differences, b-a)
		}
	}
	return differences
}

// countTests counts the differences that were tested.
func (c *Comparison) countTests() (n int) {
	for _, r := range c.Rows {
		for _, cell := range r.Cells {
			if cell.Change.Tested() {
				n++
			}
		}
	}
	return n
}
