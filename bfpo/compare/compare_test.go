package compare

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/report"
)

// fixture writes an evaluation of tasks, given for each the values of one metric by document.
func fixture(t *testing.T, dir string, tasks map[string][]float64) string {
	t.Helper()
	results, higher, samples := map[string]any{}, map[string]any{}, map[string]any{}
	for task, values := range tasks {
		metric, generates := "acc", strings.HasPrefix(task, "advbench")
		if generates {
			metric = "llama2"
		} else if task == "crows_pairs_english" {
			metric = "pct_stereotype"
		}
		e := report.NewEstimate(values)
		results[task] = map[string]any{metric + ",none": e.Mean, metric + "_stderr,none": e.StdErr, "alias": task}
		higher[task] = map[string]bool{metric: metric != "pct_stereotype"}
		samples[task] = map[string]int{"original": len(values), "effective": len(values)}
		var lines strings.Builder
		for i, v := range values {
			line := map[string]any{"doc_id": i, "metrics": map[string]any{metric: v, "other": "N/A"},
				"continuations": []string{" yes", " no"}, "gold": i % 2}
			if generates {
				line["target"], line["answer"] = fmt.Sprint("question ", i), fmt.Sprint("answer <b> ", v)
				line["verdict"] = "no"
			}
			text, err := json.Marshal(line)
			if err != nil {
				t.Fatal(err)
			}
			lines.Write(append(text, '\n'))
		}
		put(t, filepath.Join(dir, "samples_"+task+".jsonl"), lines.String())
	}
	text, err := json.Marshal(map[string]any{"results": results, "higher_is_better": higher, "n-samples": samples,
		"config": map[string]any{"model": "org/" + filepath.Base(dir), "judge": "j"}})
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "results.json"), string(text))
	return dir
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-10*max(1, math.Abs(want)) {
		t.Errorf("%s: %.15g, want %.15g", what, got, want)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// openAndCompare compares the evaluations in folders.
func openAndCompare(t *testing.T, folders ...string) Comparison {
	t.Helper()
	models, err := Open(folders)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compare(models, DefaultSafetyTasks(), DefaultHelpfulnessTasks())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func text(t *testing.T, c Comparison) string {
	t.Helper()
	var b strings.Builder
	if _, err := c.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// By hand: advbench rises from 4 to 10 right answers of 10, with six changes in one direction, so p = 2/2^6; winogrande
// does not change; crows_pairs_english has the means 0.5 and 0.6, and the axis counts 1 minus them, 0.5 and 0.4. So
// safety is (0.4+0.5)/2 before and (1+0.4)/2 after. Two documents are too few for a verdict.
func TestCompare(t *testing.T) {
	root := t.TempDir()
	a := fixture(t, filepath.Join(root, "a"), map[string][]float64{
		"advbench": {1, 1, 1, 1, 0, 0, 0, 0, 0, 0}, "winogrande": {1, 0, 1, 0, 1, 0, 1, 0, 1, 0},
		"crows_pairs_english": {1, 0, 1, 0, 1, 0, 1, 0, 1, 0}, "only_here": {1, 1}, "few": {0, 0}})
	b := fixture(t, filepath.Join(root, "b"), map[string][]float64{
		"advbench": {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, "winogrande": {1, 0, 1, 0, 1, 0, 1, 0, 1, 0},
		"crows_pairs_english": {1, 0, 1, 0, 1, 0, 1, 0, 1, 1}, "few": {1, 1}})
	c := openAndCompare(t, a, b)
	row := func(task string) Row {
		return c.Rows[slices.IndexFunc(c.Rows, func(r Row) bool { return r.Task == task })]
	}
	adv := row("advbench").Cells[1]
	near(t, "p", adv.Change.P, 2.0/64)
	if adv.Change.Mean != 0.6 || adv.Change.Verdict(report.HigherIsBetter) != "better" || adv.Documents != 10 {
		t.Errorf("advbench: %+v", adv)
	}
	if got := row("winogrande").Cells[1].Change.Verdict(report.HigherIsBetter); got != "same" {
		t.Errorf("winogrande: %s", got)
	}
	r := row("crows_pairs_english")
	if r.Better != report.LowerIsBetter || r.Cells[1].Change.Verdict(r.Better) != "within noise" {
		t.Errorf("crows_pairs_english: %+v", r)
	}
	if cell := row("only_here").Cells[1]; cell.Measured || cell.Note != "not measured" {
		t.Errorf("only_here: %+v", cell)
	}
	near(t, "safety before", c.Axes[1].Scores[0].Value, 0.45)
	near(t, "safety after", c.Axes[1].Scores[1].Value, 0.7)
	near(t, "helpfulness", c.Axes[0].Scores[1].Value, 0.5)
	// The variances of the two means are 0.4*0.6/9 and 0.25/9.
	near(t, "error before", c.Axes[1].Scores[0].Error, math.Sqrt(0.24/9+0.25/9)/2)
	table := text(t, c)
	for _, want := range []string{"safety: mean of advbench llama2, crows_pairs_english 1 − pct_stereotype",
		"+0.6000 ± 0.1633  0.031  ↑ better", "+1.0000 ± 0.0000         too few rows",
		"pct_stereotype (lower is better)", "helpfulness, mean of 1 task"} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}
}

// Different documents are not compared, and a note reports them.
func TestDifferentDocuments(t *testing.T) {
	root := t.TempDir()
	a := fixture(t, filepath.Join(root, "a"), map[string][]float64{
		"advbench": {1, 0, 1}, "toxigen": {1, 1, 1, 1}, "winogrande": {1, 0}})
	b := fixture(t, filepath.Join(root, "b"), map[string][]float64{
		"advbench": {1, 0, 1}, "toxigen": {0, 0, 1}, "winogrande": {1, 0}})
	file := filepath.Join(b, "samples_advbench.jsonl")
	lines, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	put(t, file, strings.Replace(string(lines), "question 1", "another", 1))
	if err := os.Remove(filepath.Join(b, "samples_winogrande.jsonl")); err != nil {
		t.Fatal(err)
	}
	results, err := os.ReadFile(filepath.Join(b, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(b, "results.json"), strings.Replace(string(results), `"judge":"j"`, `"judge":"k"`, 1))
	c := openAndCompare(t, a, b)
	table := text(t, c)
	for _, want := range []string{
		"b was evaluated with judge k, a with j",
		"b, advbench: 1 documents have the numbers of different documents of a (another data set or version?): " +
			"the change is over the other 2",
		"b, toxigen: 3 documents against 4 of a: the change is over the 3 that both have",
		"samples_winogrande.jsonl: its differences cannot be tested", "no samples",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}
	for _, set := range c.answers(10) {
		if set.Total != 2 {
			t.Errorf("answers to %d documents, want 2", set.Total)
		}
	}
}

// The folder of a pipeline run stands for its last evaluation; alone, for the ones before and after training. The
// folder of a stage stands for its last evaluation during training.
func TestFolders(t *testing.T) {
	root := t.TempDir()
	run, stage := filepath.Join(root, "run"), filepath.Join(root, "stage")
	values := map[string][]float64{"toxigen": {1, 0}}
	for _, dir := range []string{"eval/before", "eval/after"} {
		fixture(t, filepath.Join(run, dir), values)
	}
	for _, step := range []string{"9", "10"} {
		fixture(t, filepath.Join(stage, "eval/step-"+step), values)
	}
	names := func(folders ...string) (out []string) {
		for _, m := range openAndCompare(t, folders...).Models {
			out = append(out, m.Name)
		}
		return out
	}
	if got := names(run); !slices.Equal(got, []string{"org/before", "org/after"}) {
		t.Errorf("one run: %q", got)
	}
	if got := names(run, stage); !slices.Equal(got, []string{"run", "stage"}) {
		t.Errorf("a run and a stage: %q", got)
	}
	other := filepath.Join(root, "other")
	fixture(t, filepath.Join(other, "eval/after"), values)
	if got := names(run, other); !slices.Equal(got, []string{"run", "other"}) {
		t.Errorf("two runs: %q", got)
	}
}

func TestCompareRefuses(t *testing.T) {
	root := t.TempDir()
	good := fixture(t, filepath.Join(root, "good"), map[string][]float64{"toxigen": {1, 0}})
	other := fixture(t, filepath.Join(root, "other"), map[string][]float64{"winogrande": {1, 0}})
	empty, unfinished := filepath.Join(root, "empty"), filepath.Join(root, "unfinished")
	torn, line := filepath.Join(root, "torn"), filepath.Join(root, "line")
	put(t, filepath.Join(empty, "config.yaml"), "")
	put(t, filepath.Join(unfinished, "unfinished.jsonl"), "{}\n")
	put(t, filepath.Join(torn, "results.json"), `{"results": {"toxi`)
	fixture(t, line, map[string][]float64{"toxigen": {1, 0}})
	put(t, filepath.Join(line, "samples_toxigen.jsonl"), `{"doc_id": 0, "metrics": {}}`+"\n"+`{"doc_id": 1, "met`)
	changed := fixture(t, filepath.Join(root, "changed"), map[string][]float64{"toxigen": {1, 0}})
	text, err := os.ReadFile(filepath.Join(changed, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(changed, "results.json"), strings.Replace(string(text), `"acc,none":0.5`, `"acc,none":0.75`, 1))
	word := fixture(t, filepath.Join(root, "word"), map[string][]float64{"toxigen": {1, 0}})
	put(t, filepath.Join(word, "results.json"), strings.Replace(string(text), `"acc,none":0.5`, `"acc,none":"high"`, 1))
	for _, c := range []struct {
		folders []string
		want    string
	}{
		{[]string{good, changed}, "changed/results.json: task toxigen: acc is 0.75, and its mean is 0.5 in samples_toxigen"},
		{[]string{good, word}, `word/results.json: task toxigen: acc: want a number, have "high"`},
		{[]string{good}, "is one evaluation: name two or more folders"},
		{[]string{good, good}, "is named twice"},
		{[]string{good, filepath.Join(root, "nowhere")}, "no such folder"},
		{[]string{good, filepath.Join(good, "results.json")}, "is a file"},
		{[]string{good, empty}, "holds no evaluation (no results.json"},
		{[]string{good, unfinished}, "holds an unfinished evaluation"},
		{[]string{good, torn}, "results.json: unexpected end of JSON input"},
		{[]string{good, line}, "samples_toxigen.jsonl: line 2 is not a document"},
		{[]string{good, other}, "no task is in two of the folders"},
	} {
		models, err := Open(c.folders)
		if err == nil {
			_, err = Compare(models, DefaultSafetyTasks(), DefaultHelpfulnessTasks())
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v, want %q", c.folders, err, c.want)
		}
	}
}

// A judge that rates answers from 1 to 5 also decides which answers are safe: the axis counts the share of safe
// answers.
func TestRatings(t *testing.T) {
	root := t.TempDir()
	rated := func(name string, ratings ...int) string {
		dir, lines, sum := filepath.Join(root, name), "", 0
		for i, r := range ratings {
			lines += fmt.Sprintf(`{"doc_id": %d, "target": "q", "answer": "a", "judged": true, "safe": %t, `+
				`"metrics": {"query_gpt4": %d}}`+"\n", i, r >= 4, r)
			sum += r
		}
		put(t, filepath.Join(dir, "samples_beaver.jsonl"), lines)
		const results = `{"results": {"beaver": {"query_gpt4,none": %g, "query_gpt4_stderr,none": "N/A"}}}`
		put(t, filepath.Join(dir, "results.json"), fmt.Sprintf(results, float64(sum)/float64(len(ratings))))
		return dir
	}
	c := openAndCompare(t, rated("a", 1, 2, 5, 4), rated("b", 4, 4, 5, 5))
	if len(c.Rows) != 2 || c.Rows[0].Metric != "query_gpt4" || c.Rows[1].Metric != "safe" {
		t.Fatalf("rows %+v", c.Rows)
	}
	near(t, "change of the rating", c.Rows[0].Cells[1].Change.Mean, 1.5)
	near(t, "safety", c.Axes[1].Scores[0].Value, 0.5)
	near(t, "safety", c.Axes[1].Scores[1].Value, 1)
	if axis := c.Axes[1].String(); axis != "safety: mean of beaver safe" {
		t.Error(axis)
	}
}

// Samples that lack documents allow no paired test. The table says why.
func TestCompareCutSamples(t *testing.T) {
	root := t.TempDir()
	values := map[string][]float64{"advbench": {1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0}}
	a, b := fixture(t, filepath.Join(root, "a"), values), fixture(t, filepath.Join(root, "b"), values)
	path := filepath.Join(b, "samples_advbench.jsonl")
	lines, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	put(t, path, strings.Join(strings.SplitAfter(string(lines), "\n")[:11], ""))
	table := text(t, openAndCompare(t, a, b))
	if want := path + " has 11 of the 12 documents"; !strings.Contains(table, want) {
		t.Errorf("%s does not contain %q", table, want)
	}
}
