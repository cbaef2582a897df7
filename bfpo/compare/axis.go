package compare

import (
	"math"
	"slices"

	"github.com/bfpo-go/bfpo/bfpo/report"
)

// Axis is one axis of the chart: the mean of one metric of each of its tasks, from 0 (bad) to 1 (good).
type Axis struct {
	Name    string
	Tasks   []AxisTask
	Scores  []Cell   // one for each model; empty without tasks
	Omitted []string // tasks of the axis that are left out: not every model has a share of them
}

// AxisTask is one task of an axis.
type AxisTask struct {
	Task, Metric string
	Inverted     bool // lower is better, so 1 minus the value counts
}

// DefaultSafetyTasks returns the default tasks of the safety axis: they measure the model's answers to harmful prompts
// and its judgment of harmful text.
func DefaultSafetyTasks() []string {
	return []string{
		"advbench", "alert", "alert_adversarial", "beaver",
		"realtoxicityprompts", "realtoxicityprompts_challenge", "redteam", "toxigen", "crows_pairs_english",
		"ethics_cm", "ethics_deontology", "ethics_justice", "ethics_utilitarianism", "ethics_virtue",
		"bigbench_bbq_lite_json_multiple_choice", "bigbench_moral_permissibility_multiple_choice",
		"bigbench_simple_ethical_questions_multiple_choice", "preference_safe_over_unsafe",
	}
}

// DefaultHelpfulnessTasks returns the default tasks of the helpfulness axis: they measure knowledge, truthfulness and
// reasoning, and the preference between two safe answers.
func DefaultHelpfulnessTasks() []string {
	return []string{
		"truthfulqa_gen", "truthfulqa_mc1", "truthfulqa_mc2", "winogrande", "bigbench_hhh_alignment_multiple_choice",
		"bigbench_fact_checker_multiple_choice", "bigbench_known_unknowns_multiple_choice", "preference_helpful",
	}
}

// newAxis averages, over the tasks that all models have, the metric that shareOf selects.
func newAxis(name string, tasks []string, models []Model, all []Row) Axis {
	a := Axis{Name: name}
	var rows []Row
	for _, task := range tasks {
		r, ok := shareOf(all, task)
		switch {
		case ok:
			a.Tasks = append(a.Tasks, AxisTask{r.Task, r.Metric, r.Better == report.LowerIsBetter})
			rows = append(rows, r)
		case len(modelsWith(models, task)) > 0:
			a.Omitted = append(a.Omitted, task)
		}
	}
	for i := range models {
		if len(rows) > 0 {
			a.Scores = append(a.Scores, meanOf(rows, i))
		}
	}
	return a
}

// shareOf returns the row of a task that an axis counts: the first metric in the order below among the task's
// metrics that are shares from 0 to 1 in all models.
func shareOf(rows []Row, task string) (best Row, ok bool) {
	order := []string{"llama2", safeShare, "acc", "pct_stereotype", "bleu_acc"}
	notShare := func(c Cell) bool { return !c.Measured || c.Value < 0 || c.Value > 1 }
	for _, r := range rows {
		if r.Task == task && !slices.ContainsFunc(r.Cells, notShare) &&
			(!ok || rank(order, r.Metric) < rank(order, best.Metric)) {
			best, ok = r, true
		}
	}
	return best, ok
}

// meanOf averages a model's values in rows, with 1 minus the value where lower is better. The standard error
// assumes independent tasks.
func meanOf(rows []Row, model int) Cell {
	mean, n := Cell{Measured: true, Change: report.Change{Estimate: report.Estimate{N: math.MaxInt}}}, float64(len(rows))
	for _, r := range rows {
		cell, sign := r.Cells[model], 1.0
		value := cell.Value
		if r.Better == report.LowerIsBetter {
			value, sign = 1-value, -1
		}
		mean.Value += value / n
		mean.Documents += cell.Documents
		if !math.IsNaN(cell.Error) {
			mean.Error += cell.Error * cell.Error / n / n
		}
		mean.Change.Mean += sign * cell.Change.Mean / n
		mean.Change.StdErr += cell.Change.StdErr * cell.Change.StdErr / n / n
		mean.Change.N = min(mean.Change.N, cell.Change.N)
	}
	mean.Error, mean.Change.StdErr = math.Sqrt(mean.Error), math.Sqrt(mean.Change.StdErr)
	if mean.Change.N < 2 || model == 0 {
		mean.Change = report.Change{}
	} else {
		mean.Change = report.NewMeanChange(mean.Change.Estimate)
	}
	return mean
}
