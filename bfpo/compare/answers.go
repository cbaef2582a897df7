package compare

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/report"
)

// answerSet holds the answers of all models to some documents of one task.
type answerSet struct {
	Task, Metric string // Metric is empty if no judge rated the answers
	Total        int    // number of documents with answers of at least two models
	Shown        []answerRow
}

// answerRow holds the models' answers to one document.
type answerRow struct {
	Prompt string
	Sides  []answerSide
	spread float64 // of the metric: largest minus smallest value
}

// answerSide is one model's answer.
type answerSide struct {
	Model, Text    string
	Verdict, Class string // the metric's value, and better, worse or neutral
	Reply          string // the judge's words
}

// answers selects at most limit documents of each generation task, those with the largest spread of the metric
// first. It leaves out documents whose number stands for another text in some model.
func (c Comparison) answers(limit int) (sets []answerSet) {
	for _, task := range tasksOf(c.Models) {
		set := answerSet{Task: task}
		row, judged := shareOf(c.Rows, task)
		if judged {
			set.Metric = row.Metric
		}
		var all []answerRow
		for _, id := range documentsOf(c.Models, task) {
			if r, ok := c.answerRow(task, id, row); ok {
				all = append(all, r)
			}
		}
		slices.SortStableFunc(all, func(a, b answerRow) int { return cmp.Compare(b.spread, a.spread) })
		set.Total, set.Shown = len(all), all[:min(limit, len(all))]
		if len(set.Shown) > 0 {
			sets = append(sets, set)
		}
	}
	return sets
}

// answerRow collects the answers to one document. ok is false if fewer than two models answered it, or if they saw
// different texts.
func (c Comparison) answerRow(task string, id int, metric Row) (r answerRow, ok bool) {
	low, high, asked, answered := math.Inf(1), math.Inf(-1), "", 0
	for _, m := range c.Models {
		d, has := m.Tasks[task].Documents[id]
		if !has || !d.Generated {
			r.Sides = append(r.Sides, answerSide{Model: m.Name, Text: "(not asked)"})
			continue
		}
		if asked == "" {
			asked, r.Prompt = d.Identity, strings.TrimSpace(d.Target)
		} else if asked != d.Identity {
			return r, false
		}
		answered++
		side := answerSide{Model: m.Name, Text: strings.TrimSpace(d.Answer), Reply: d.Reply}
		if x, judged := d.Metrics[metric.Metric]; judged {
			low, high = min(low, x), max(high, x)
			side.Verdict = metric.Metric + " " + strconv.FormatFloat(x, 'g', 3, 64)
			side.Class = classOf(x, metric.Better)
		}
		r.Sides = append(r.Sides, side)
	}
	r.spread = max(high-low, 0)
	return r, answered > 1
}

// classOf returns the CSS class of a share: better at its good end, worse at its bad end, else neutral.
func classOf(x float64, b report.Direction) string {
	if b == report.LowerIsBetter {
		x = 1 - x
	}
	switch {
	case b == report.NeitherIsBetter:
		return "neutral"
	case x >= 0.75:
		return "better"
	case x <= 0.25:
		return "worse"
	}
	return "neutral"
}
