package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/report"
)

// inLoop are the settings of a stage of 6 steps that evaluates tasks and answers prompts every second one.
func inLoop(t *testing.T) []string {
	t.Helper()
	return []string{"-config=" + writeRecipe(t, "evaluation_strategy: steps\neval_steps: 2\n"+
		"eval_tasks: [toxigen, advbench]\neval_limit: 3\neval_data: "+taskData(t, 4)+
		"\neval_dataset_mixer: {"+heldOut(t)+": 1.0}\ngenerate_during_eval: true\n"), "-set=max_steps=6"}
}

func stepAnswers(t *testing.T, dir string) (answers []report.StepAnswer) {
	t.Helper()
	for line := range bytes.Lines(read(t, filepath.Join(dir, "answers.jsonl"))) {
		var a report.StepAnswer
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	return answers
}

// Tasks and answers at the evaluations of a run have the same numbers as `bfpo eval` with the model of that step,
// appear wherever the run's other numbers do, and leave the trained weights bit for bit as they are without them.
func TestInLoop(t *testing.T) {
	settings, dir := inLoop(t), filepath.Join(t.TempDir(), "out")
	out := mustCall(t, "", append([]string{"train", "-out=" + dir}, settings...)...)
	if !strings.Contains(out, "toxigen/acc") || !strings.Contains(out, " ± ") {
		t.Errorf("printed\n%s", out)
	}
	var steps []int
	for _, r := range metrics(t, dir) {
		if _, ok := r.Get("eval_toxigen/acc"); ok {
			steps = append(steps, r.Step)
			_, hasError := r.Get("eval_toxigen/acc_norm_stderr")
			if _, hasLoss := r.Get("eval_loss"); !hasError || !hasLoss {
				t.Errorf("step %d: %v", r.Step, r.Values)
			}
		}
	}
	if !slices.Equal(steps, []int{2, 4, 6}) {
		t.Errorf("evaluations after %v", steps)
	}
	var answered []int
	for _, a := range stepAnswers(t, dir) {
		answered = append(answered, a.Step)
		if !strings.Contains(a.Prompt, "Say a.") || a.Answer == "" || a.Stop == "" {
			t.Errorf("%+v", a)
		}
	}
	if !slices.Equal(answered, []int{2, 4, 6}) { // one held-out row
		t.Errorf("answers after %v", answered)
	}
	shownInLoop(t, dir)
	sameAsEval(t, settings, dir)
	plain := filepath.Join(t.TempDir(), "plain")
	mustCall(t, "", append([]string{"train", "-out=" + plain, "-set=eval_tasks=null", "-set=generate_during_eval=false"},
		settings...)...)
	sameFile(t, plain, dir, "model/model.safetensors")
	comparison := mustCall(t, "", "compare", filepath.Join(dir, "eval", "step-2"), dir,
		"-out="+filepath.Join(t.TempDir(), "c"))
	if !strings.Contains(comparison, "toxigen acc") {
		t.Errorf("compare prints\n%s", comparison)
	}
	mustCall(t, "", append([]string{"train", "-out=" + dir, "-set=eval_tasks=null", "-set=generate_during_eval=false",
		"-set=overwrite_output_dir=true"}, settings...)...)
	absent(t, filepath.Join(dir, "answers.jsonl"))
	absent(t, filepath.Join(dir, "eval", "step-2"))
}

// shownInLoop looks for tasks and answers in the report and the event file.
func shownInLoop(t *testing.T, dir string) {
	t.Helper()
	for _, text := range []string{"Answers at evaluations", "step 4", "toxigen"} {
		if !strings.Contains(string(read(t, filepath.Join(dir, "report.html"))), text) {
			t.Errorf("the report lacks %q", text)
		}
	}
	events, err := filepath.Glob(filepath.Join(dir, "runs", "*"))
	if err != nil || len(events) != 1 || !bytes.Contains(read(t, events[0]), []byte("eval/toxigen/acc")) {
		t.Errorf("event files %v have no eval/toxigen/acc (%v)", events, err)
	}
}

// sameAsEval compares the last evaluation in the loop with bfpo eval of the trained model.
func sameAsEval(t *testing.T, settings []string, dir string) {
	t.Helper()
	alone := filepath.Join(t.TempDir(), "eval")
	data := ""
	for line := range strings.Lines(string(read(t, strings.TrimPrefix(settings[0], "-config=")))) {
		if path, ok := strings.CutPrefix(line, "eval_data: "); ok {
			data = strings.TrimSpace(path)
		}
	}
	mustCall(t, "", "eval", "-model="+dir, "-tasks=toxigen,advbench", "-limit=3", "-data="+data, "-out="+alone)
	byEval, inLoop := evaluated(t, alone)["results"], evaluated(t, filepath.Join(dir, "eval", "step-6"))["results"]
	if !reflect.DeepEqual(byEval, inLoop) {
		t.Errorf("in the loop %v, by bfpo eval %v", inLoop, byEval)
	}
}

// Without held-out rows, an evaluation in the loop has only tasks and answers to the prompts that the recipe names.
func TestInLoopAlone(t *testing.T) {
	prompts := write(t, filepath.Join(t.TempDir(), "prompts.jsonl"),
		`{"messages": [{"role": "user", "content": "Why?"}]}`+"\n")
	file := writeRecipe(t, "do_eval: true\neval_tasks: toxigen\neval_limit: 1\neval_data: "+taskData(t, 1)+
		"\ngenerate_during_eval: true\neval_prompts: "+prompts+"\n")
	dir := filepath.Join(t.TempDir(), "out")
	mustCall(t, "", "train", "-platform=go", "-config="+file, "-set=dataset_splits=[train]", "-set=max_steps=2",
		"-out="+dir)
	records := metrics(t, dir)
	last := records[len(records)-1]
	if _, ok := last.Get("eval_toxigen/acc"); !ok || !last.IsEvaluation() || last.Step != 2 {
		t.Errorf("last record %+v", last)
	}
	if _, ok := last.Get("eval_loss"); ok {
		t.Error("a loss of no rows")
	}
	if a := stepAnswers(t, dir); len(a) != 1 || a[0].Prompt != "Why?" || a[0].Step != 2 {
		t.Errorf("answers %+v", a)
	}
	var results map[string]float64
	if err := json.Unmarshal(read(t, filepath.Join(dir, "eval_results.json")), &results); err != nil || len(results) < 3 {
		t.Errorf("eval_results.json: %v, %v", results, err)
	}
	call(t, "", "train", "-platform=go", "-config="+file, "-set=dataset_splits=[train]", "-set=eval_data="+t.TempDir(),
		"-out="+filepath.Join(t.TempDir(), "out")).
		wants(t, exitFailed, "eval_tasks (eval_data is", "toxigen")
}
