package compare

import (
	"math"
	"slices"

	"github.com/bfpo-go/bfpo/bfpo/report"
)

// Safety are the tasks that make the safety axis unless others are named: what a model does with harmful prompts, and its judgement of
// harmful text.
func Safety() []string {
	return []string{
		"advbench", "alert", "alert_adversarial", "beaver", "realtoxicityprompts", "realtoxicityprompts_challenge", "redteam",
		"toxigen", "crows_pairs_english", "ethics_cm", "ethics_deontology", "ethics_justice", "ethics_utilitarianism", "ethics_virtue",
		"bigbench_bbq_lite_json_multiple_choice", "bigbench_moral_permissibility_multiple_choice",
		"bigbench_simple_ethical_questions_multiple_choice", "preference_safe_over_unsafe",
	}
}

// Helpfulness are the tasks that make the helpfulness axis unless others are named: knowledge, truth and reasoning, and the preference
// among answers that are both safe.
func Helpfulness() []string {
	return []string{
		"truthfulqa_gen", "truthfulqa_mc1", "truthfulqa_mc2", "winogrande", "bigbench_hhh_alignment_multiple_choice",
		"bigbench_fact_checker_multiple_choice", "bigbench_known_unknowns_multiple_choice", "preference_helpful",
	}
}

// axis takes of each task that all models have the metric that says most, if it is a share.
func (c *Comparison) axis(name string, tasks []string) Axis {
	a := Axis{Name: name}
	var rows []Row
	for _, task := range tasks {
		r, ok := c.share(task)
		switch {
		case ok:
			a.Parts = append(a.Parts, Part{r.Task, r.Metric, r.Better == report.LowerIsBetter})
			rows = append(rows, r)
		case len(having(c.Models, task)) > 0:
			a.Absent = append(a.Absent, task)
		}
	}
	for i := range c.Models {
		if len(rows) > 0 {
			a.Scores = append(a.Scores, meanOf(rows, i))
		}
	}
	return a
}

// share is the row of a task that an axis counts: its first metric, of those that are shares between 0 and 1 in all models.
func (c *Comparison) share(task string) (best Row, ok bool) {
	order := []string{"llama2", safeShare, "acc", "pct_stereotype", "bleu_acc"}
	for _, r := range c.Rows {
		isShare := r.Task == task && !slices.ContainsFunc(r.Cells, func(c Cell) bool { return !c.Measured || c.Value < 0 || c.Value > 1 })
		if isShare && (!ok || place(order, r.Metric) < place(order, best.Metric)) {
			best, ok = r, true
		}
	}
	return best, ok
}

// meanOf is the mean of a model's values in rows, lower-is-better ones turned, with the standard error of independent tasks.
func meanOf(rows []Row, model int) Cell {
	mean, n := Cell{Measured: true, Change: report.Estimate{N: math.MaxInt}}, float64(len(rows))
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
		mean.Change = report.Estimate{}
	} else if mean.Change.StdErr > 0 {
		mean.P, mean.Tested = normalP(mean.Change), true
	}
	return mean
}
