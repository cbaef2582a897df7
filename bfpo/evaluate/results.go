package evaluate

import (
	"io"

	"github.com/bfpo-go/bfpo/graph/atomicfile"

	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/metric"
)

// resultsName is the file with an evaluation's results. It is written last.
const resultsName = "results.json"

// WritePreferences writes results.json and samples_preference.jsonl to dir. config describes the measurement and
// goes into results.json as it is. If results.json exists already, the results of other tasks in it stay.
func WritePreferences(dir string, all []Preference, config map[string]any, version string) error {
	results, counts, versions := map[string]any{}, map[string]any{}, map[string]any{}
	for _, c := range LabelCases() {
		rows := c.Filter(all)
		if len(rows) == 0 {
			continue
		}
		accuracy, accuracyErr := meanOf(rows, func(p Preference) float64 { return metric.Indicator(p.Prefers()) })
		margin, marginErr := meanOf(rows, Preference.Margin)
		results[c.Task] = map[string]any{
			"alias": c.Title, "acc,none": accuracy, "acc_stderr,none": accuracyErr,
			"margin,none": margin, "margin_stderr,none": marginErr,
		}
		counts[c.Task] = map[string]int{"original": len(rows), "effective": len(rows)}
		versions[c.Task] = 1
	}
	layout, err := mergeResults(filepath.Join(dir, resultsName), map[string]any{
		"results": results, "n-samples": counts, "versions": versions, "config": config, "bfpo_version": version,
	})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(dir, SamplesFile("preference")), func(w io.Writer) error {
		for i, p := range all {
			line, err := json.Marshal(map[string]any{
				"doc_id": i, "id": p.ID, "is_chosen_safe": p.ChosenSafe, "is_rejected_safe": p.RejectedSafe,
				"loglikelihoods": []float64{p.Chosen, p.Rejected}, "gold": 0,
				"metrics": map[string]float64{"acc": metric.Indicator(p.Prefers()), "margin": p.Margin()},
			})
			if err != nil {
				return err
			}
			if _, err := w.Write(append(line, '\n')); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return writeLayout(filepath.Join(dir, resultsName), layout)
}

// writeLayout writes results.json.
func writeLayout(path string, layout map[string]any) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(layout)
	})
}

// maxResults is the largest size of a results.json in bytes.
const maxResults = 256 << 20

// mergeResults adds results in the layout of results.json to those in the file, if it exists, object by object.
func mergeResults(path string, more map[string]any) (map[string]any, error) {
	text, err := atomicfile.ReadLimited(path, maxResults)
	if errors.Is(err, os.ErrNotExist) {
		return more, nil
	}
	layout := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // keeps the digits of every number
	if err == nil {
		err = d.Decode(&layout)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	for name, value := range more {
		old, isObject := layout[name].(map[string]any)
		added, alsoObject := value.(map[string]any)
		if isObject && alsoObject {
			maps.Copy(old, added)
		} else {
			layout[name] = value
		}
	}
	return layout, nil
}

// meanOf returns the mean of f over rows and its standard error: the sample's standard deviation over the square
// root of n. The error of one row is 0.
func meanOf(rows []Preference, f func(Preference) float64) (mean, stderr float64) {
	n := float64(len(rows))
	for _, p := range rows {
		mean += f(p) / n
	}
	if len(rows) < 2 {
		return mean, 0
	}
	squares := 0.0
	for _, p := range rows {
		squares += (f(p) - mean) * (f(p) - mean)
	}
	return mean, math.Sqrt(squares / (n - 1) / n)
}

// SamplesFile returns the name of the file that holds the documents behind a task's numbers.
func SamplesFile(task string) string { return "samples_" + task + ".jsonl" }
