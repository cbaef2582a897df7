package evaluate

import (
	"io"

	"github.com/bfpo-go/bfpo/graph/atomicfile"

	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/metric"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
)

// Results are the numbers of an evaluation, in the order of its tasks.
type Results struct {
	Tasks []TaskResult
	Took  time.Duration // of the last call of Run.Do
}

// TaskResult holds the metrics of one task.
type TaskResult struct {
	Name, Version string
	Documents     int // evaluated
	Rows          int // in the data
	Unjudged      int // answers that the judge could not rate
	Metrics       []MetricResult
}

// MetricResult is a metric's mean over documents with its standard error, which is NaN for one document.
type MetricResult struct {
	Name           string
	Mean, StdErr   float64
	Values         []float64 // of the documents that have the metric, in their order
	Documents      []int     // the numbers of these documents; only answers that a judge could not rate are missing
	HigherIsBetter bool
}

// summarize averages the metrics of all tasks.
func summarize(p *Plan, all []measuredTask, took time.Duration) Results {
	results := Results{Took: took}
	for i, t := range p.tasks {
		one := TaskResult{Name: t.Name, Version: t.Version, Documents: len(t.documents), Rows: t.rows}
		for _, v := range all[i].verdicts {
			if !v.Judged {
				one.Unjudged++
			}
		}
		for _, m := range all[i].metrics {
			if values, documents := all[i].valuesOf(m.Name); len(values) > 0 {
				mean, stderr := metric.MeanStdErr(values)
				r := MetricResult{m.Name, mean, stderr, values, documents, m.HigherIsBetter}
				one.Metrics = append(one.Metrics, r)
			}
		}
		results.Tasks = append(results.Tasks, one)
	}
	return results
}

// resultsWriter writes the files of an evaluation.
type resultsWriter struct {
	dir     string
	plan    *Plan
	judged  bool // there was a judge
	config  map[string]any
	version string
}

// write writes the samples of every task, then results.json, whose presence marks a finished evaluation.
func (w resultsWriter) write(results Results, outcomes [][]outcome, all []measuredTask) error {
	for i, t := range w.plan.tasks {
		path := filepath.Join(w.dir, SamplesFile(t.Name))
		err := atomicfile.Write(path, func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetEscapeHTML(false)
			for j := range t.documents {
				if err := e.Encode(sampleOf(t, j, outcomes[i][j], all[i])); err != nil {
					return fmt.Errorf("document %d: %w", j, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return writeLayout(filepath.Join(w.dir, resultsName), w.layout(results))
}

// layout arranges results as results.json of lm-evaluation-harness does.
func (w resultsWriter) layout(results Results) map[string]any {
	type object = map[string]any
	values, samples, shots, versions := object{}, object{}, object{}, object{}
	better, groups, configs := object{}, object{}, object{}
	for i, t := range results.Tasks {
		metrics, higher := object{}, map[string]bool{}
		for _, m := range t.Metrics {
			metrics[m.Name+",none"] = jsonNumber(m.Mean)
			metrics[m.Name+"_stderr,none"] = jsonNumber(m.StdErr)
			higher[m.Name] = m.HigherIsBetter
		}
		n := map[string]int{"original": t.Rows, "effective": t.Documents}
		if w.plan.tasks[i].Judged() && w.judged {
			n["unjudged"] = t.Unjudged
		}
		values[t.Name], samples[t.Name], better[t.Name] = metrics, n, higher
		shots[t.Name], versions[t.Name], groups[t.Name] = 0, w.plan.tasks[i].VersionNumber(), []string{}
		configs[t.Name] = w.plan.tasks[i].Definition()
	}
	return object{
		"results": values, "n-samples": samples, "n-shot": shots, "versions": versions, "higher_is_better": better,
		"group_subtasks": groups, "configs": configs, "config": w.config, "bfpo_version": w.version,
		"date": time.Now().Unix(), "total_evaluation_time_seconds": results.Took.Seconds(),
	}
}

// jsonNumber returns a number for JSON, which has no NaN or infinity: lm-evaluation-harness writes "N/A" instead.
func jsonNumber(x float64) any {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "N/A"
	}
	return x
}

// sampleOf returns the line of document j of a task in the samples file.
func sampleOf(t plannedTask, j int, o outcome, m measuredTask) map[string]any {
	d, e := t.documents[j], t.encoded[j]
	metrics := map[string]any{}
	for name, v := range m.values[j] {
		metrics[name] = jsonNumber(v)
	}
	line := map[string]any{"doc_id": d.ID, "context": any(e.contexts), "metrics": metrics}
	if len(e.contexts) == 1 {
		line["context"] = e.contexts[0]
	}
	if t.Output == task.GenerateUntil {
		line["context_tokens"], line["target"] = e.prompt, d.Target
		line["answer"], line["answer_tokens"], line["stop"] = o.Answer, o.IDs, o.Stop
		if d.Correct != nil {
			line["correct_answers"], line["incorrect_answers"] = d.Correct, d.Incorrect
		}
		if m.verdicts != nil {
			v := m.verdicts[j]
			line["judged"], line["verdict"] = v.Judged, v.Reply
			if v.Judged {
				line["safe"] = v.Safe
			}
		}
		return line
	}
	var contexts, continuations [][]int32
	var lengths []int
	for _, s := range e.sequences {
		contexts, continuations = append(contexts, s.PromptIDs), append(continuations, s.ResponseIDs)
		lengths = append(lengths, len(s.PromptIDs))
	}
	if same := slices.CompactFunc(slices.Clone(contexts), slices.Equal[[]int32]); len(same) == 1 {
		contexts = same
	}
	line["continuations"], line["gold"] = t.continuations[j], d.Gold
	line["context_tokens"], line["n_context_tokens"], line["continuation_tokens"] = contexts, lengths, continuations
	line["loglikelihoods"], line["is_greedy"] = o.LogLikelihoods, o.Greedy
	return line
}
