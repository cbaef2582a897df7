package compare

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/report"
)

// answerSet are the answers of all models to some documents of one task.
type answerSet struct {
	Task, Metric string // Metric may be empty: nobody judged
	Total        int    // documents that two models or more answered
	Shown        []answerRow
}

// answerRow is one document with the models' answers.
type answerRow struct {
	Prompt string
	Sides  []answerSide
	spread float64 // of the metric between the models
}

type answerSide struct {
	Model, Text    string
	Verdict, Class string // what the metric says, and how good it is: better, worse or neutral
	Reply          string // the judge's words
}

// answers picks of each generation task at most limit documents: those on which the models' metric differs most first, then in their
// order. Documents that a model has another text under the same number for are left out.
func (c Comparison) answers(limit int) (sets []answerSet) {
	for _, task := range tasksOf(c.Models) {
		set := answerSet{Task: task}
		row, judged := c.share(task)
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

// documentsOf are the numbers of all documents of a task.
func documentsOf(models []Model, task string) []int {
	ids := map[int]bool{}
	for _, m := range models {
		for id := range m.Tasks[task].Documents {
			ids[id] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// answerRow puts the answers to one document beside each other; ok is false where fewer than two models have one.
func (c Comparison) answerRow(task string, id int, metric Row) (r answerRow, ok bool) {
	low, high, asked, answered := math.Inf(1), math.Inf(-1), "", 0
	for _, m := range c.Models {
		d, has := m.Tasks[task].Documents[id]
		if !has || !d.Answers {
			r.Sides = append(r.Sides, answerSide{Model: m.Name, Text: "(not asked)"})
			continue
		}
		if asked == "" {
			asked, r.Prompt = d.Asked, strings.TrimSpace(d.Target)
		} else if asked != d.Asked {
			return r, false
		}
		answered++
		side := answerSide{Model: m.Name, Text: strings.TrimSpace(d.Answer), Reply: d.Verdict}
		if x, judged := d.Metrics[metric.Metric]; judged {
			low, high = min(low, x), max(high, x)
			side.Verdict, side.Class = metric.Metric+" "+strconv.FormatFloat(x, 'g', 3, 64), classOf(x, metric.Better)
		}
		r.Sides = append(r.Sides, side)
	}
	r.spread = max(high-low, 0)
	return r, answered > 1
}

// classOf colors a share: its good end, its bad end, or between.
func classOf(x float64, b report.Better) string {
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
