package compare

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// Model is the evaluation of one model.
type Model struct {
	Name  string // the shortest ending of the folder's path that distinguishes it from the others
	Path  string // the folder with results.json
	Model string // the model's name in results.json; may be empty
	Tasks map[string]Task

	settings map[string]string // settings of the evaluation, from results.json
}

// Task holds the results of one task in one evaluation.
type Task struct {
	Metrics   []Metric
	Total     int              // number of evaluated documents
	Documents map[int]Document // by doc_id; nil without samples
	Missing   string           // why there are no samples
}

// Metric is a metric in results.json.
type Metric struct {
	Name         string
	Value, Error float64 // Error is NaN if results.json has none
	Better       report.Direction
}

// Open reads the evaluations in folders. A folder holds an evaluation, a pipeline run or a training stage. For a
// pipeline run Open reads eval/after, and eval/before too if that run is the only folder; for a training stage it reads
// the last evaluation during training. Errors name the folder and what it lacks.
func Open(folders []string) ([]Model, error) {
	var paths, named []string // named: the folders that give the evaluations their names
	for _, folder := range folders {
		found, err := evaluationsOf(folder, len(folders) == 1)
		if err != nil {
			return nil, err
		}
		paths, named = append(paths, found...), append(named, folder)
		if len(found) > 1 {
			named = found
		}
	}
	if len(paths) < 2 {
		return nil, usage.Errorf("%s is one evaluation: "+
			"name two or more folders to compare, or one with eval/before and eval/after", strings.Join(folders, ", "))
	}
	var models []Model
	names := shortNames(named)
	for i, path := range paths {
		if slices.Index(paths, path) != i {
			return nil, usage.Errorf("%s is named twice", path)
		}
		m, err := read(path)
		if err != nil {
			return nil, err
		}
		m.Name = names[i]
		models = append(models, m)
	}
	if len(folders) == 1 { // before and after training: the models' names say more
		first, last := report.ModelName(models[0].Model), report.ModelName(models[1].Model)
		if first != "" && last != "" && first != last {
			models[0].Name, models[1].Name = first, last
		}
	}
	return models, nil
}

// evaluationsOf finds the evaluations in a folder. both allows two: before and after.
func evaluationsOf(folder string, both bool) ([]string, error) {
	if info, err := os.Stat(folder); err != nil {
		return nil, usage.Errorf("%s: no such folder", folder)
	} else if !info.IsDir() {
		return nil, usage.Errorf("%s is a file: name the folder of an evaluation or of a run", folder)
	}
	before, after := filepath.Join(folder, "eval", "before"), filepath.Join(folder, "eval", "after")
	switch inLoop := stepFolders(folder); {
	case evaluate.Finished(folder):
		return []string{folder}, nil
	case both && evaluate.Finished(before) && evaluate.Finished(after):
		return []string{before, after}, nil
	case evaluate.Finished(after):
		return []string{after}, nil
	case len(inLoop) > 0:
		return inLoop[len(inLoop)-1:], nil
	}
	for _, unfinished := range []string{folder, before, after} {
		if evaluate.Unfinished(unfinished) {
			return nil, usage.Errorf("%s holds an unfinished evaluation: repeat the command that started it to continue",
				unfinished)
		}
	}
	return nil, usage.Errorf("%s holds no evaluation (no results.json, no eval/after with one): "+
		"`bfpo eval -model=%s -tasks=… -out=…` makes one; bfpo gate BEFORE AFTER compares two models",
		folder, usage.Argument(folder))
}

// stepFolders returns the folders of the finished evaluations during a training stage, in the order of their steps.
func stepFolders(folder string) []string {
	entries, err := os.ReadDir(filepath.Join(folder, "eval"))
	if err != nil {
		return nil
	}
	steps := map[int]string{}
	for _, e := range entries {
		text, ok := strings.CutPrefix(e.Name(), "step-")
		step, err := strconv.Atoi(text)
		if path := filepath.Join(folder, "eval", e.Name()); ok && err == nil && evaluate.Finished(path) {
			steps[step] = path
		}
	}
	var paths []string
	for _, step := range slices.Sorted(maps.Keys(steps)) {
		paths = append(paths, steps[step])
	}
	return paths
}

// shortNames returns the shortest endings by which the paths can be told apart.
func shortNames(paths []string) []string {
	parts := make([][]string, len(paths))
	longest := 0
	for i, path := range paths {
		if absolute, err := filepath.Abs(path); err == nil {
			path = absolute
		}
		parts[i] = strings.Split(strings.Trim(filepath.ToSlash(path), "/"), "/")
		longest = max(longest, len(parts[i]))
	}
	names := make([]string, len(paths))
	for n := 1; n <= longest; n++ {
		for i, p := range parts {
			names[i] = strings.Join(p[max(len(p)-n, 0):], "/")
		}
		if len(slices.Compact(slices.Sorted(slices.Values(names)))) == len(names) {
			break
		}
	}
	for i, name := range names { // eval/after is part of a name only if the name is ambiguous without it
		if short := strings.TrimSuffix(name, "/eval/after"); short != name && !slices.Contains(names, short) {
			names[i] = short
		}
	}
	return names
}

// layout holds the parts of results.json that are read.
type layout struct {
	Results map[string]map[string]json.RawMessage `json:"results"`
	Higher  map[string]map[string]bool            `json:"higher_is_better"`
	Samples map[string]struct {
		Effective int `json:"effective"`
	} `json:"n-samples"`
	Config map[string]any `json:"config"`
}

// maxResults is the largest size of a results.json in bytes.
const maxResults = 256 << 20

// read reads one evaluation.
func read(path string) (Model, error) {
	file := filepath.Join(path, "results.json")
	text, err := atomicfile.ReadLimited(file, maxResults)
	if err != nil {
		return Model{}, err
	}
	var l layout
	if err := json.Unmarshal(text, &l); err != nil {
		return Model{}, fmt.Errorf("%s: %w: is it complete, and from an evaluation?", file, err)
	}
	if len(l.Results) == 0 {
		return Model{}, fmt.Errorf("%s has no results of any task", file)
	}
	m := Model{Path: path, Tasks: map[string]Task{}, settings: map[string]string{}}
	m.Model, _ = l.Config["model"].(string)
	for _, key := range []string{"judge", "apply_chat_template", "seed"} {
		if value, ok := l.Config[key]; ok && value != nil {
			m.settings[key] = fmt.Sprint(value)
		}
	}
	for name, values := range l.Results {
		if err := task.CheckName(name); err != nil {
			return Model{}, fmt.Errorf("%s: %w", file, err)
		}
		metrics, err := metricsOf(name, values, l.Higher[name])
		if err != nil {
			return Model{}, fmt.Errorf("%s: task %s: %w", file, name, err)
		}
		t := Task{Metrics: metrics, Total: l.Samples[name].Effective}
		t.Documents, err = readSamples(path, name)
		if errors.Is(err, fs.ErrNotExist) {
			t.Missing = fmt.Sprintf("%s lacks %s", path, samplesFile(name))
		} else if err != nil {
			return Model{}, err
		} else if n := len(t.Documents); t.Total > 0 && n != t.Total {
			t.Documents, t.Missing = nil, fmt.Sprintf("%s has %d of the %d documents that %s counts",
				filepath.Join(path, samplesFile(name)), n, t.Total, file)
		}
		if err := t.checkMeans(); err != nil {
			return Model{}, fmt.Errorf("%s: task %s: %w in %s: was one of the files changed?", file, name, err,
				samplesFile(name))
		}
		if safe, ok := t.safeMetric(); ok {
			t.Metrics = append(t.Metrics, safe)
		}
		m.Tasks[name] = t
	}
	return m, nil
}

// checkMeans compares each metric with the mean over the documents that have it, which it is in all evaluations.
func (t Task) checkMeans() error {
	for _, m := range t.Metrics {
		var values []float64
		for _, d := range t.Documents {
			if x, ok := d.Metrics[m.Name]; ok {
				values = append(values, x)
			}
		}
		slices.Sort(values) // a sum of floats depends on their order
		mean := report.NewEstimate(values).Mean
		if len(values) > 0 && !(math.Abs(mean-m.Value) <= 1e-6*max(1, math.Abs(mean))) {
			return fmt.Errorf("%s is %g, and its mean is %g", m.Name, m.Value, mean)
		}
	}
	return nil
}

// metricsOf returns a task's metrics, sorted by name. A value that is neither a number nor missing is an error.
func metricsOf(task string, values map[string]json.RawMessage, higher map[string]bool) ([]Metric, error) {
	var metrics []Metric
	for _, key := range slices.Sorted(maps.Keys(values)) {
		name, isValue := strings.CutSuffix(key, ",none")
		if !isValue || strings.HasSuffix(name, "_stderr") {
			continue
		}
		value, ok := number(values[key])
		if text := string(values[key]); !ok && text != "null" && text != `"N/A"` {
			return nil, fmt.Errorf("%s: want a number, have %.40s", name, text)
		} else if !ok {
			continue
		}
		m := Metric{Name: name, Value: value, Error: math.NaN()}
		if e, ok := number(values[name+"_stderr,none"]); ok {
			m.Error = e
		}
		m.Better = betterOf(task, name, higher)
		metrics = append(metrics, m)
	}
	return metrics, nil
}

// betterOf returns the better direction of a metric. It is in results.json, except for the held-out preferences,
// whose label case determines it.
func betterOf(task, metric string, higher map[string]bool) report.Direction {
	up, known := higher[metric]
	switch {
	case known && !up, task == "preference_unsafe_over_safe":
		return report.LowerIsBetter
	case !known && task == "preference_both_unsafe":
		return report.NeitherIsBetter
	}
	return report.HigherIsBetter
}

// safeMetric returns the share of safe answers. ok is false if a metric of the task is this share, or if no judge
// rated answers.
func (t Task) safeMetric() (m Metric, ok bool) {
	var values []float64
	for _, d := range t.Documents {
		if x, judged := d.Metrics[safeShare]; judged {
			values = append(values, x)
		}
	}
	own := slices.ContainsFunc(t.Metrics, func(m Metric) bool { return m.Name == "llama2" })
	e := report.NewEstimate(values)
	return Metric{Name: safeShare, Value: e.Mean, Error: e.StdErr, Better: report.HigherIsBetter}, len(values) > 0 && !own
}
