package task

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/metric"
)

// Task is an evaluation task as its file defines it: where its rows are, which texts the model gets from a row, and
// what is measured.
type Task struct {
	Name    string
	Version string   // of the task's definition, for results.json
	Aliases []string // other names of the task
	File    string   // the task file

	Rows                            string   // a file that takes the place of the next two; no task file sets it
	DatasetPath, DatasetName, Split string   // on the hub
	Local                           []string // file patterns in the data folder; the first that matches counts

	ApplyChatTemplate bool   // renders contexts as user messages, whatever the other tasks do
	Output            string // MultipleChoice or GenerateUntil
	Where             field  // drops the rows for which it is false
	Text              field  // the context; where the choices are contexts, the index of the gold choice
	Target            field  // the gold choice; where the choices are contexts, the continuation of all of them
	Choice            field
	Delimiter         string // before every continuation
	Correct           field  // correct reference answers
	Incorrect         field  // incorrect reference answers
	Metrics           []Metric
	Generation        Generation
}

// The values of Task.Output.
const (
	MultipleChoice = "multiple_choice" // the model scores continuations, and the likeliest is its answer
	GenerateUntil  = "generate_until"  // the model generates an answer
)

// Metric is one measure of a task. Results have its mean over the documents.
type Metric struct {
	Kind           string // what is computed, one of metricKinds
	Name           string // in results; Kind unless the task file names it
	HigherIsBetter bool
	Labels         field // of true_mass: 1 for a true choice
}

// Generation configures how answers are generated.
type Generation struct {
	Until       []string // stop strings; the end-of-sequence token stops an answer too
	MaxTokens   int
	Temperature float64 // 0 = greedy
	TopP        float64 // 0 = no nucleus sampling
	TopK        int     // 0 = all tokens
}

// metricKinds returns the supported kinds of metrics of tasks with an output.
func metricKinds(output string) []string {
	if output == MultipleChoice {
		return metric.ChoiceKinds()
	}
	return append([]string{judged}, metric.AnswerKinds()...)
}

// judged is the kind of metric that a judge computes, named as in the task files of the original code.
const judged = "llama2"

// Judged reports whether a judge computes the metric.
func (m Metric) Judged() bool { return m.Kind == judged }

// Judged reports whether a judge rates the task's answers.
func (t Task) Judged() bool {
	return slices.ContainsFunc(t.Metrics, Metric.Judged)
}

// check returns an error if keys are missing or do not fit together.
func (t Task) check() error {
	var missing []string
	for _, f := range []struct {
		key     string
		missing bool
	}{
		{"task", t.Name == ""},
		{"dataset_path (a set on the hub) or local (files)", t.DatasetPath == "" && len(t.Local) == 0},
		{"test_split or validation_split", t.Split == ""},
		{"output_type", t.Output == ""},
		{"doc_to_text", t.Text.source == nil},
		{"doc_to_target", t.Target.source == nil},
		{"doc_to_choice", t.Choice.source == nil && t.Output == MultipleChoice},
		{"metric_list", len(t.Metrics) == 0},
	} {
		if f.missing {
			missing = append(missing, f.key)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("missing: %s", strings.Join(missing, "; "))
	}
	if err := CheckName(t.Name); err != nil {
		return err
	}
	for _, pattern := range t.Local {
		if !filepath.IsLocal(filepath.FromSlash(pattern)) {
			return fmt.Errorf("local: %q leaves the data folder", pattern)
		}
	}
	for _, m := range t.Metrics {
		if !taskName.MatchString(m.Name) {
			return fmt.Errorf("metric_list: as: %.80q: want letters, digits and any of _ . : -", m.Name)
		}
		switch known := metricKinds(t.Output); {
		case !slices.Contains(known, m.Kind):
			return fmt.Errorf("metric %s is not one of %s tasks: %s", m.Kind, t.Output, strings.Join(known, ", "))
		case m.Kind == "true_mass" && m.Labels.source == nil:
			return errors.New("metric true_mass needs labels, 1 for each true choice")
		case m.needsReferences() && (t.Correct.source == nil || t.Incorrect.source == nil):
			return fmt.Errorf("metric %s needs references, correct and incorrect ones", m.Kind)
		}
	}
	return nil
}

// taskName matches the names of tasks and metrics. Names of tasks become names of files.
var taskName = regexp.MustCompile(`^[\pL\pN_.:-]{1,200}$`)

// CheckName refuses the name of a task that could not be part of a file's name, or would name a file elsewhere.
func CheckName(name string) error {
	if !taskName.MatchString(name) || strings.Contains(name, "..") {
		return fmt.Errorf("task: %.80q: want a name of letters, digits and any of _ . : -", name)
	}
	return nil
}

func (m Metric) needsReferences() bool {
	return slices.Contains(metric.AnswerKinds(), m.Kind)
}

// Definition returns the task's entry under configs in results.json.
func (t Task) Definition() map[string]any {
	out := map[string]any{
		"task": t.Name, "dataset_path": t.DatasetPath, "dataset_name": t.DatasetName, "split": t.Split,
		"output_type": t.Output, "doc_to_text": t.Text.source, "doc_to_target": t.Target.source, "num_fewshot": 0,
		"metadata": map[string]any{"version": t.VersionNumber()},
	}
	if t.Output == MultipleChoice {
		out["doc_to_choice"], out["target_delimiter"] = t.Choice.source, t.Delimiter
		return out
	}
	g := t.Generation
	out["generation_kwargs"] = map[string]any{
		"until": g.Until, "max_gen_toks": g.MaxTokens, "do_sample": g.Temperature > 0, "temperature": g.Temperature,
		"top_p": g.TopP, "top_k": g.TopK,
	}
	return out
}

// VersionNumber returns the version as a JSON number if it is one, else as a string.
func (t Task) VersionNumber() any {
	if _, err := strconv.ParseFloat(t.Version, 64); err != nil || !json.Valid([]byte(t.Version)) {
		return t.Version
	}
	return json.Number(t.Version)
}
