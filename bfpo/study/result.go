package study

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/measure"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/report"
)

// Result is what a study found; it is the content of study.json.
type Result struct {
	Runs        []RunResult        `json:"runs"`        // setting by setting, and there in the order of the seeds
	Before      map[string]float64 `json:"before"`      // metrics of the model before training
	Frontier    []Point            `json:"frontier"`    // settings between safety and helpfulness
	Differences []Difference       `json:"differences"` // between the first setting and each other
	Comparisons int                `json:"comparisons"` // how many of the differences were tested
}

// RunResult is one training run of a study.
type RunResult struct {
	Objective string             `json:"objective"`
	Name      string             `json:"name"` // of its setting
	Seed      int64              `json:"seed"`
	Settings  map[string]string  `json:"settings"`         // the keys that its setting names, with their values as YAML
	Model     string             `json:"model"`            // the folder of the run, relative to the study's
	Metrics   map[string]float64 `json:"metrics"`          // CASE/accuracy or /down, /p, /margin; fluency/…, refusal/share
	Failed    string             `json:"failed,omitempty"` // why there are no metrics: the run diverged
}

// newResult computes the result of a study from what its models make of the held-out rows.
func newResult(s recipe.Study, before measure.HeldOut, all []measured) Result {
	r := Result{
		Runs: []RunResult{}, Before: metrics(&before, nil), Frontier: frontier(s, before, all),
		Differences: differences(s, before, all),
	}
	for i := range all {
		m := &all[i]
		run := RunResult{
			Objective: m.setting.Config.Objective, Name: m.setting.Name, Seed: m.seed, Settings: m.setting.Given,
			Model: filepath.ToSlash(m.model), Metrics: map[string]float64{}, Failed: m.failed,
		}
		if m.failed == "" {
			run.Metrics = metrics(&m.HeldOut, &before)
		}
		r.Runs = append(r.Runs, run)
	}
	for _, d := range r.Differences {
		if d.P != nil {
			r.Comparisons++
		}
	}
	return r
}

// column is a column of the table of runs.
type column struct {
	title, metric string
	factor        float64
	format        string
}

func columns() []column {
	percent := func(title, metric string) column { return column{title, metric, 100, "%.1f"} }
	return []column{
		percent("safe up, %", "safe_over_unsafe/accuracy"), percent("helpful up, %", "helpful/accuracy"),
		percent("unsafe down, %", "unsafe_better/down"), percent("both unsafe down, %", "both_unsafe/down"),
		{"perplexity", "fluency/perplexity", 1, "%.2f"}, percent("repeated, %", "fluency/repetition"),
		percent("ended, %", "fluency/ended"), percent("refused, %", "refusal/share"),
	}
}

// table returns the metrics of the model before training and of every run as text. Columns without values are left out.
func (r Result) table() (lines [][]string) {
	shown := slices.DeleteFunc(columns(), func(c column) bool {
		return !slices.ContainsFunc(r.Runs, func(run RunResult) bool { _, ok := run.Metrics[c.metric]; return ok })
	})
	head := []string{"run"}
	for _, c := range shown {
		head = append(head, c.title)
	}
	row := func(name string, values map[string]float64) []string {
		line := []string{name}
		for _, c := range shown {
			text := "–"
			if x, ok := values[c.metric]; ok {
				text = fmt.Sprintf(c.format, c.factor*x)
			}
			line = append(line, text)
		}
		return line
	}
	lines = append(lines, head, row("before", r.Before))
	for _, run := range r.Runs {
		name := fmt.Sprintf("%s, seed %d", run.Name, run.Seed)
		if run.Failed != "" {
			name += " (diverged)"
		}
		lines = append(lines, row(name, run.Metrics))
	}
	return lines
}

// differenceTable returns the differences as text.
func (r Result) differenceTable() (lines [][]string) {
	lines = append(lines, []string{"measure", "rows", "difference", "p", ""})
	pair := ""
	for _, d := range r.Differences {
		if p := d.Name + " against " + d.Against; p != pair {
			pair = p
			lines = append(lines, []string{pair})
		}
		text := fmt.Sprintf("%+.1f ± %.1f %%", 100*d.Mean, 100*d.StdErr)
		if d.Measure == "fluency" {
			text = fmt.Sprintf("%+.3f ± %.3f nat", d.Mean, d.StdErr)
		}
		p := ""
		if d.P != nil {
			p = fmt.Sprintf("%.2g", *d.P)
		}
		text = strings.ReplaceAll(text, "-", "−")
		lines = append(lines, []string{"  " + d.Measure, fmt.Sprint(d.Rows), text, p, d.Verdict})
	}
	return lines
}

// notes explain the tables.
func (r Result) notes() []string {
	list := []string{"up, down: the share of held-out pairs whose margin against the model before training has the " +
		"wanted sign; perplexity: of good answers"}
	if len(r.Differences) > 0 {
		list = append(list, fmt.Sprintf("%d differences were tested, each at p < %g: expect %.1f by chance",
			r.Comparisons, report.Alpha, report.Alpha*float64(r.Comparisons)))
	}
	var on []string
	for _, p := range r.Frontier {
		if p.OnFrontier {
			on = append(on, p.Name)
		}
	}
	if len(on) > 0 {
		list = append(list, "on the frontier of safety and helpfulness: "+strings.Join(on, "; "))
	}
	return list
}

// WriteTo writes the tables.
func (r Result) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	report.WriteColumns(&b, r.table())
	if len(r.Differences) > 0 {
		b.WriteByte('\n')
		report.WriteColumns(&b, r.differenceTable())
	}
	for _, note := range r.notes() {
		b.WriteString(note + "\n")
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}
