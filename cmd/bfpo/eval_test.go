package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// taskData returns a folder with rows for every built-in task, in the layouts of the tasks' sets.
func taskData(t *testing.T, rows int) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]func(i int) any{
		"truthful_qa/multiple_choice/validation.jsonl": func(i int) any {
			return map[string]any{"question": fmt.Sprint("Is it ", i, "?"),
				"mc1_targets": map[string]any{"choices": []string{"Yes", "No", "It is"}, "labels": []int{0, 1, 0}},
				"mc2_targets": map[string]any{"choices": []string{"Yes", "No", "It is", "No"}, "labels": []int{1, 0, 1, 0}}}
		},
		"truthful_qa/generation/validation.jsonl": func(i int) any {
			return map[string]any{"question": fmt.Sprint("Is it ", i, "?"), "correct_answers": []string{"Yes", ""},
				"incorrect_answers": []string{"No it is"}}
		},
		"crows_pairs/english/test.jsonl": func(i int) any {
			return map[string]any{"sent_more": fmt.Sprint("He is ", i), "sent_less": fmt.Sprint("She is ", i)}
		},
		"toxigen/annotated/test.jsonl": func(i int) any {
			return map[string]any{"text": fmt.Sprint("text ", i), "toxicity_ai": 3.5, "toxicity_human": float64(i)}
		},
		"winogrande/winogrande_xl/validation.jsonl": func(i int) any {
			return map[string]any{"sentence": fmt.Sprint("Number ", i, " saw that _ was odd."), "option1": "one",
				"option2": "two", "answer": fmt.Sprint(1 + i%2)}
		},
		"realtoxicityprompts/train.jsonl": func(i int) any {
			return map[string]any{"challenging": i%2 == 0, "prompt": map[string]any{"text": fmt.Sprint("They said ", i)}}
		},
		"beaver/test.jsonl": func(i int) any { return map[string]any{"prompt": fmt.Sprint("How to ", i)} },
		"alert/alert.jsonl": func(i int) any {
			return map[string]any{"prompt": fmt.Sprint("### Instruction:\n Do ", i, "\n### Response:\n")}
		},
		"alert/alert_adversarial.jsonl": func(i int) any {
			return map[string]any{"prompt": fmt.Sprint("### Instruction:\nPlay ", i, "\n### Response:\n")}
		},
	}
	for _, name := range []string{"hhh_alignment", "fact_checker", "moral_permissibility", "bbq_lite_json",
		"known_unknowns", "simple_ethical_questions"} {
		files["bigbench/"+name+"_zero_shot/default.jsonl"] = func(i int) any {
			return map[string]any{"inputs": fmt.Sprint("Q: ", i, "\n  choice: a\n  choice: b\nA:"), "targets": []string{"b"},
				"multiple_choice_targets": []string{"a", "b"}}
		}
	}
	for name, row := range map[string]map[string]any{
		"commonsense": {"input": "I ran.", "label": 0}, "justice": {"scenario": "I ran.", "label": 1},
		"deontology":     {"scenario": "Why?", "excuse": "No ", "label": 1},
		"virtue":         {"scenario": "I ran.", "trait": "fast", "label": 0},
		"utilitarianism": {"activity": "I ran.", "baseline": "I fell.", "rating": ""},
	} {
		files["hendrycks_ethics/"+name+"/test.jsonl"] = func(int) any { return row }
	}
	for name, row := range files {
		var text strings.Builder
		for i := range rows {
			line, err := json.Marshal(row(i))
			if err != nil {
				t.Fatal(err)
			}
			text.Write(append(line, '\n'))
		}
		writeDeep(t, filepath.Join(dir, name), text.String())
	}
	writeDeep(t, filepath.Join(dir, "advbench/advbench.txt"), strings.Repeat("Write a text\n", rows))
	return dir
}

func writeDeep(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, path, text)
}

// The task lists in the README of the original code, as they are printed there.
const (
	originalTasks = "truthfulqa_gen,truthfulqa_mc2,crows_pairs_english,ethics_cm,ethics_justice,ethics_deontology," +
		"ethics_utilitarianism,ethics_virtue,toxigen,winogrande,bigbench_hhh_alignment_multiple_choice," +
		"bigbench_fact_checker_multiple_choice," +
		"bigbench_moral_permissibility_multiple_choice,bigbench_bbq_lite_json_multiple_choice," +
		"bigbench_known_unknowns_multiple_choice," +
		"bigbench_simple_ethical_questions_multiple_choice,realtoxicityprompts_challenge,hhh_alignment"
	originalChatTasks = "tasks=advbench,alert,alert_adversarial"
)

// evaluated returns results.json without the values that depend on the clock.
func evaluated(t *testing.T, dir string) map[string]any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(read(t, filepath.Join(dir, "results.json")), &all); err != nil {
		t.Fatal(err)
	}
	delete(all, "date")
	delete(all, "total_evaluation_time_seconds")
	return all
}

func TestEval(t *testing.T) {
	data, dir := taskData(t, 3), filepath.Join(t.TempDir(), "out")
	r := call(t, "", "eval", "-model=tiny", "-tasks="+originalTasks+",truthfulqa_mc1", "-limit=2", "-data="+data,
		"-out="+dir)
	r.wants(t, exitDone, "task hhh_alignment is bigbench_hhh_alignment_multiple_choice")
	all := evaluated(t, dir)
	results, samples := all["results"].(map[string]any), all["n-samples"].(map[string]any)
	// The list and truthfulqa_mc1, less hhh_alignment, which is a second name of a task in the list.
	if names := strings.Split(originalTasks, ","); len(results) != len(names) {
		t.Errorf("results of %v", slices.Sorted(maps.Keys(results)))
	}
	if got := samples["toxigen"]; !reflect.DeepEqual(got, map[string]any{"original": 3., "effective": 2.}) {
		t.Errorf("toxigen has %v", got)
	}
	for task, keys := range map[string][]string{
		"truthfulqa_mc2": {"acc,none", "acc_stderr,none"},
		"toxigen":        {"acc,none", "acc_norm,none", "acc_norm_stderr,none", "acc_stderr,none"},
		"crows_pairs_english": {"likelihood_diff,none", "likelihood_diff_stderr,none", "pct_stereotype,none",
			"pct_stereotype_stderr,none"},
		"realtoxicityprompts_challenge": nil,
	} {
		if got := slices.Sorted(maps.Keys(results[task].(map[string]any))); !slices.Equal(got, keys) {
			t.Errorf("%s has %q, want %q", task, got, keys)
		}
	}
	if !strings.Contains(r.out, "truthfulqa_gen") || !strings.Contains(r.out, "pct_stereotype") ||
		!strings.Contains(r.out, "2 of 3") {
		t.Errorf("printed:\n%s", r.out)
	}
	again := []string{"eval", "-model=tiny", "-tasks=beaver", "-limit=1", "-data=" + data, "-out=" + dir}
	call(t, "", again...).wants(t, exitUsage, "holds a finished evaluation", "overwrite_output_dir")
	mustCall(t, "", append(again, "-set=overwrite_output_dir=true")...)
	absent(t, filepath.Join(dir, "samples_toxigen.jsonl"))
	if got := evaluated(t, dir)["results"].(map[string]any); len(got) != 1 {
		t.Errorf("after overwriting: results of %v", got)
	}
}

func TestEvalChat(t *testing.T) {
	data, dir := taskData(t, 2), filepath.Join(t.TempDir(), "out")
	mustCall(t, "", "eval", "-model=tiny", "-tasks="+originalChatTasks+",beaver,realtoxicityprompts", "-data="+data,
		"-out="+dir, "-apply-chat-template")
	var line struct {
		Context string
		Target  string
		Answer  string
		Tokens  []int32 `json:"answer_tokens"`
	}
	first, _, _ := strings.Cut(string(read(t, filepath.Join(dir, "samples_alert.jsonl"))), "\n")
	if err := json.Unmarshal([]byte(first), &line); err != nil {
		t.Fatal(err)
	}
	if line.Context != "<|user|>\nDo 0</s>\n<|assistant|>\n" || line.Target != "Do 0" || len(line.Tokens) == 0 {
		t.Errorf("%+v", line)
	}
}

func TestEvalRefused(t *testing.T) {
	data := taskData(t, 1)
	bad := write(t, filepath.Join(t.TempDir(), "bad.yaml"), "task: x\ndoc_to_txt: y\n")
	for _, c := range []struct {
		args  []string
		code  int
		texts []string
	}{
		{[]string{"-tasks=toxigem"}, exitUsage,
			[]string{`task "toxigem" is unknown; did you mean toxigen?`, "there are: advbench,"}},
		{nil, exitUsage, []string{"no tasks"}},
		{[]string{"-tasks=toxigen", "-limit=-1"}, exitUsage, []string{"-limit=-1"}},
		{[]string{"-tasks=toxigen", "-data=nowhere"}, exitUsage, []string{"-data=nowhere: no such folder"}},
		{[]string{"-tasks=toxigen,x", "-include=" + filepath.Dir(bad)}, exitUsage,
			[]string{"bad.yaml:2: doc_to_txt: unknown key; did you mean doc_to_text?"}},
		{[]string{"-task=toxigen"}, exitUsage, []string{"did you mean -tasks?"}},
		{[]string{"-tasks=toxigen", "-data=" + filepath.Join(data, "beaver")}, exitFailed,
			[]string{"task toxigen: no file toxigen/annotated/test*"}},
	} {
		out := filepath.Join(t.TempDir(), "out")
		t.Setenv("HF_HUB_OFFLINE", "1")
		args := append([]string{"eval", "-model=tiny", "-platform=go", "-out=" + out}, c.args...)
		call(t, "", args...).wants(t, c.code, c.texts...)
		absent(t, out)
	}
	call(t, "", "eval", "-tasks=toxigen").wants(t, exitUsage, "no model")
}

// shortTasks are safety tasks whose answers are short, so that many can be computed.
func shortTasks(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for task, column := range map[string]string{
		"advbench": "text", "beaver": "prompt", "realtoxicityprompts": "'{{prompt.text}}'",
	} {
		write(t, filepath.Join(dir, task+".yaml"),
			"task: "+task+"\nlocal: "+task+"/*\ntest_split: test\noutput_type: generate_until\n"+
				"doc_to_text: "+column+"\ndoc_to_target: "+column+"\nmetric_list: [{metric: llama2}]\n"+
				"generation_kwargs: {do_sample: true, max_gen_toks: 12, until: null}\n")
	}
	return dir
}

// A pipeline's eval stage measures tasks before and after training.
func TestPipelineTasks(t *testing.T) {
	data, dir := taskData(t, 3), filepath.Join(t.TempDir(), "out")
	path := write(t, filepath.Join(t.TempDir(), "recipe.yaml"), `model_name_or_path: tiny
max_steps: 1
stages:
  - train:
      dataset_mixer: {quickstart/safety: 0.05}
      dataset_splits: [train]
      max_length: 384
      max_prompt_length: 160
      per_device_train_batch_size: 2
      learning_rate: 0.01
  - eval:
      dataset_mixer: {quickstart/heldout: 0.2}
      tasks: [truthfulqa_mc1, toxigen]
      data: `+data+`
      limit: 2
`)
	out := mustCall(t, "", "run", "-config="+path, "-out="+dir)
	if !strings.Contains(out, "truthfulqa_mc1") || !strings.Contains(out, "acc_norm") {
		t.Errorf("printed:\n%s", out)
	}
	for _, side := range []string{"before", "after"} {
		results := evaluated(t, filepath.Join(dir, "eval", side))["results"].(map[string]any)
		for _, task := range []string{"truthfulqa_mc1", "toxigen", "preference_safe_over_unsafe"} {
			if _, ok := results[task]; !ok {
				t.Errorf("%s: no %s in %v", side, task, slices.Sorted(maps.Keys(results)))
			}
		}
		absent(t, filepath.Join(dir, "eval", side, "unfinished.jsonl"))
	}
	// A run that was stopped after the tasks resumes to the same results.
	before := evaluated(t, filepath.Join(dir, "eval", "after"))
	for _, name := range []string{"report.html", "eval/after/results.json"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	mustCall(t, "", "run", "-config="+path, "-out="+dir, resume)
	if diff := cmp.Diff(before, evaluated(t, filepath.Join(dir, "eval", "after"))); diff != "" {
		t.Errorf("results after resuming (+):\n%s", diff)
	}
	bad := write(t, filepath.Join(t.TempDir(), "bad.yaml"),
		strings.Replace(string(read(t, path)), "toxigen", "toxigem", 1))
	call(t, "", "run", "-config="+bad, "-out="+dir).wants(t, exitUsage, "bad.yaml:", `task "toxigem" is unknown`)
}
