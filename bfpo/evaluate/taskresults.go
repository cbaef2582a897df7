package evaluate

import (
	"bufio"
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
	Took  time.Duration // of the last call
}

// TaskResult is one task's.
type TaskResult struct {
	Name, Version string
	Documents     int // that were evaluated
	Rows          int // that there are
	Unjudged      int // answers that a judge was asked about and could not rate
	Metrics       []MetricResult
}

// MetricResult is one metric's mean over documents and its standard error (NaN for one document).
type MetricResult struct {
	Name           string
	Mean, StdErr   float64
	Values         []float64 // of the documents that have the metric, in their order
	Documents      []int     // their numbers; only answers that a judge could not rate are missing
	HigherIsBetter bool
}

// results averages.
func (r Run) results(all []measured, took time.Duration) Results {
	out := Results{Took: took}
	for i, t := range r.Plan.tasks {
		one := TaskResult{Name: t.Name, Version: t.Version, Documents: len(t.documents), Rows: t.total}
		for _, v := range all[i].verdicts {
			if !v.Judged {
				one.Unjudged++
			}
		}
		for _, m := range r.metrics(t.Task) {
			if values, documents := all[i].of(m.Name); len(values) > 0 {
				mean, stderr := metric.MeanStdErr(values)
				one.Metrics = append(one.Metrics, MetricResult{m.Name, mean, stderr, values, documents, m.HigherIsBetter})
			}
		}
		out.Tasks = append(out.Tasks, one)
	}
	return out
}

// write leaves the samples and then the results.
func (r Run) write(results Results, outcomes [][]outcome, all []measured) error {
	for i, t := range r.Plan.tasks {
		path := filepath.Join(r.Dir, "samples_"+t.Name+".jsonl")
		err := writeFile(path, func(w *bufio.Writer) error {
			e := json.NewEncoder(w)
			e.SetEscapeHTML(false)
			for j := range t.documents {
				if err := e.Encode(r.sample(t, j, outcomes[i][j], all[i])); err != nil {
					return fmt.Errorf("document %d: %w", j, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return writeLayout(filepath.Join(r.Dir, resultsName), r.layout(results))
}

// layout is results.json as lm-evaluation-harness has it.
func (r Run) layout(results Results) map[string]any {
	type object = map[string]any
	values, samples, shots, versions, better, groups, configs := object{}, object{}, object{}, object{}, object{}, object{}, object{}
	for i, t := range results.Tasks {
		metrics, higher := object{}, map[string]bool{}
		for _, m := range t.Metrics {
			metrics[m.Name+",none"] = finite(m.Mean)
			metrics[m.Name+"_stderr,none"] = finite(m.StdErr)
			higher[m.Name] = m.HigherIsBetter
		}
		n := map[string]int{"original": t.Rows, "effective": t.Documents}
		if r.Plan.tasks[i].Judged() && r.Judge != nil {
			n["unjudged"] = t.Unjudged
		}
		values[t.Name], samples[t.Name], better[t.Name] = metrics, n, higher
		shots[t.Name], versions[t.Name], groups[t.Name] = 0, r.Plan.tasks[i].VersionNumber(), []string{}
		configs[t.Name] = r.Plan.tasks[i].Definition()
	}
	return object{
		"results": values, "n-samples": samples, "n-shot": shots, "versions": versions, "higher_is_better": better,
		"group_subtasks": groups, "configs": configs, "config": r.Config, "bfpo_version": r.Version,
		"date": time.Now().Unix(), "total_evaluation_time_seconds": results.Took.Seconds(),
	}
}

// finite is a number for JSON, which has no NaN: the harness writes N/A where one value has no error.
func finite(x float64) any {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "N/A"
	}
	return x
}

// sample is the line of one document.
func (r Run) sample(t planned, j int, o outcome, m measured) map[string]any {
	d, e := t.documents[j], t.encoded[j]
	metrics := map[string]any{}
	for name, v := range m.values[j] {
		metrics[name] = finite(v)
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
	line["continuations"], line["gold"] = t.scored[j], d.Gold
	line["context_tokens"], line["n_context_tokens"], line["continuation_tokens"] = contexts, lengths, continuations
	line["loglikelihoods"], line["is_greedy"] = o.LogLikelihoods, o.Greedy
	return line
}
