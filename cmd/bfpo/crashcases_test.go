package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const resume = "-set=resume_from_checkpoint=true"

func crashes(t *testing.T) []crash {
	return []crash{crashTrain(t), crashRun(), crashEval(t), crashRedTeam(t)}
}

// crashTrain is a preference stage of 10 steps in which every part of a run occurs: 9 rows make an epoch of two
// steps of two micro-batches and one step of a single pair, the 7 rows of the buffer begin again within steps,
// every 3rd step saves a checkpoint, and every 4th and the last one measure held-out rows, evaluate tasks and
// answer prompts.
func crashTrain(t *testing.T) crash {
	file := writeRecipe(t, "evaluation_strategy: steps\neval_steps: 4\neval_tasks: [toxigen, winogrande]\n"+
		"eval_data: "+taskData(t, 4)+"\neval_dataset_mixer: {"+heldOut(t)+": 1.0}\ngenerate_during_eval: true\n")
	config := "-config=" + file
	args := []string{"train", config, "-set=dataset_mixer={quickstart/safety: 0.055}", "-set=dataset_splits=[train]",
		"-set=max_steps=10"}
	c := crash{
		name: "train", args: args, resume: resume, finished: "train_results.json", long: 200,
		stops: []aim{
			{name: "in a step", signal: syscall.SIGTERM, text: " 2/10  ", within: 0.01,
				message: []string{"interrupted after step", "which is saved", "bfpo train " + config, resume}},
			{name: "writing a checkpoint", signal: syscall.SIGKILL, pattern: "checkpoints/.tmp-*", within: 0.001},
			{name: "evaluating", signal: syscall.SIGKILL, text: " 8/10  ", within: 0.01},
			{name: "evaluating", signal: os.Interrupt, text: " 8/10  ", message: []string{"interrupted after step"}},
			{name: "writing results", signal: syscall.SIGKILL, text: "model written", within: 0.005},
		},
		files:  []string{"model/model.safetensors", "model/config.json", "model/tokenizer.json", "answers.jsonl"},
		stages: []string{"."},
	}
	for _, name := range []string{"masters.safetensors", "moment1.safetensors", "moment2.safetensors", "state.json"} {
		c.files = append(c.files, "checkpoints/step-9/"+name)
	}
	for _, step := range []string{"step-4", "step-8", "step-10"} {
		dir := filepath.Join("eval", step)
		c.evaluations = append(c.evaluations, dir)
		c.files = append(c.files, dir+"/samples_toxigen.jsonl", dir+"/samples_winogrande.jsonl")
		c.absent = append(c.absent, dir+"/unfinished.jsonl")
	}
	c.interrupted = func(t *testing.T, dir string) {
		absent(t, filepath.Join(dir, "model"))
		again := append(args[:len(args):len(args)], "-platform=go", "-out="+dir)
		call(t, "", again...).wants(t, exitUsage, "holds an unfinished run")
		call(t, "", append(again, resume, "-set=beta=0.2")...).wants(t, exitUsage, "beta")
	}
	return c
}

// heldOut returns a folder with a test split of one row.
func heldOut(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "held")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "test.jsonl"), `{"prompt": "Say a.", "chosen": "a", "rejected": "b"}`+"\n")
	return dir
}

// crashRun is a pipeline: a supervised stage, a preference stage, and an evaluation of the models before and after.
func crashRun() crash {
	c := crash{
		name: "run", args: []string{"run", "-config=tiny"}, resume: resume, finished: "report.html", long: 20,
		stops: []aim{
			{name: "in the first stage", signal: syscall.SIGKILL, text: "sft  2/4", within: 0.05},
			{name: "in the second stage", signal: os.Interrupt, text: "bfpo  1/4",
				message: []string{"bfpo run -config=tiny", resume}},
			{name: "at the second stage's end", signal: syscall.SIGKILL, text: "bfpo  3/4", within: 0.02},
			{name: "evaluating", signal: syscall.SIGKILL, text: "evaluating", within: 0.05},
		},
		stages:      []string{"1-sft", "2-bfpo"},
		files:       []string{"eval/after/samples_preference.jsonl"},
		evaluations: []string{"eval/before", "eval/after"},
	}
	for _, stage := range c.stages {
		c.files = append(c.files, stage+"/model/model.safetensors")
		for _, name := range []string{"masters.safetensors", "moment1.safetensors", "moment2.safetensors"} {
			c.files = append(c.files, stage+"/checkpoints/step-4/"+name)
		}
	}
	return c
}

// crashEval is an evaluation of tasks with and without a judge. However often it is killed, the judge answers again
// only the questions that were under way.
func crashEval(t *testing.T) crash {
	const tasks, parallel = "realtoxicityprompts,beaver,ethics_cm", 4
	s, cache, least := newJudgeServer(t), "", 0
	c := crash{
		name: "eval", finished: "results.json", long: 20,
		evaluations: []string{"."}, absent: []string{"unfinished.jsonl"},
		args: []string{"eval", "-model=tiny", "-platform=go", "-tasks=" + tasks, "-data=" + taskData(t, 24),
			"-include=" + shortTasks(t), "-judge=openai:" + s.URL + "#model=m&parallel=4"},
		stops: []aim{
			{name: "at the first document", signal: os.Interrupt, text: "0/72 documents",
				message: []string{"interrupted"}},
			{name: "computing answers", signal: syscall.SIGKILL, text: " documents", within: 0.3},
			{name: "judging", signal: syscall.SIGKILL, text: "72/72 documents", within: 0.1},
		},
	}
	for task := range strings.SplitSeq(tasks, ",") {
		c.files = append(c.files, "samples_"+task+".jsonl")
	}
	c.prepare = func(t *testing.T) {
		cache = ownCache(t)
		s.forget()
	}
	c.check = func(t *testing.T, dir string, stops int) {
		if stops == 0 {
			least = s.count()
		}
		if n := s.count(); n == 0 || n > least+stops*parallel*3 { // a question is asked up to three times
			t.Errorf("%d questions with %d stops, %d without", n, stops, least)
		}
		checkJudged(t, dir, "realtoxicityprompts", "llama2")
		checkJudged(t, dir, "beaver", "llama2")
		withoutKey(t, dir, filepath.Join(cache, "judged"))
	}
	return c
}

// crashRedTeam is red-teaming in all its parts: answers to questions, a judge's verdicts, the set, training,
// evaluations before and after.
func crashRedTeam(t *testing.T) crash {
	s := newJudgeServer(t)
	c := crash{
		name: "redteam", resume: resume, finished: "report.html", long: 20,
		stages: []string{"1-bfpo"},
		args: []string{"redteam", "-config=tiny/redteam", "-platform=go", "-prompts=" + questions(t, 40),
			"-judge=openai:" + s.URL + "#model=m&parallel=4", "-set=save_steps=1", "-set=redteam_rank_safe=false",
			"-set=redteam_max_tokens=8"},
		stops: []aim{
			{name: "computing answers", signal: syscall.SIGKILL, text: "0/80 documents", within: 0.1},
			{name: "judging", signal: syscall.SIGKILL, text: "80/80 documents", within: 0.01},
			{name: "training", signal: os.Interrupt, text: "bfpo  2/4",
				message: []string{"to resume: bfpo redteam -config=tiny/redteam", resume}},
			{name: "evaluating", signal: syscall.SIGKILL, text: "evaluating", within: 0.05},
		},
		files: []string{"redteam/redteam.json", "redteam/answers/samples_redteam.jsonl",
			"1-bfpo/model/model.safetensors", "eval/before/samples_redteam.jsonl", "eval/after/samples_redteam.jsonl"},
		evaluations: []string{"eval/before", "eval/after"},
		absent:      []string{"redteam/answers/unfinished.jsonl"},
		prepare:     func(t *testing.T) { ownCache(t) },
	}
	for _, name := range []string{"masters.safetensors", "moment1.safetensors", "moment2.safetensors"} {
		c.files = append(c.files, "1-bfpo/checkpoints/step-4/"+name)
	}
	return c
}
