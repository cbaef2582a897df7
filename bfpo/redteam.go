package bfpo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/datasets/chat"
)

// Names in the folder of a red-teaming run, within its folder redteam.
const (
	redTeamName     = "redteam"
	askedName       = "asked.jsonl"   // the questions, each twice, as the model is asked them
	answersName     = "answers"       // the evaluation that holds the answers and their verdicts
	redTeamSetName  = "redteam.json"  // all usable pairs, in the layout of the reference implementation
	summaryName     = "summary.json"  // what became of each question
	splitName       = "set"           // the folder with the splits train and test of the pairs
	heldOutName     = "heldout.jsonl" // the questions that are not trained on
	sampleName      = "samples.jsonl" // some of them, as messages, for the report
	samplesOfReport = 6
)

// RedTeam trains a chat model on pairs of its own answers to harmful questions, without a buffer, and measures it before and after.
//
// With redteam_prompts it makes the pairs first: the model answers every question twice, redteam_judge rates the answers, and what one
// can prefer of two goes into redteam/redteam.json, in the layout of the reference implementation's red-teaming file. Without, the recipe's
// dataset_mixer is the set.
//
// The reference evaluates on the rows it trains on. Here the questions are split first, by their text alone (see holdOut): all rows of a
// question are on one side. A recipe that names held-out rows of its own keeps them.
//
// dir gets the folders redteam, 1-bfpo and eval, and report.html over all. What was interrupted goes on when the same is called again with
// resume_from_checkpoint: no question is asked twice and no answer judged twice.
func RedTeam(ctx context.Context, rt Runtime, c Config, dir string) error {
	stage, eval, err := redTeamStage(c)
	if err != nil {
		return err
	}
	if err := claimPipeline(dir, c); err != nil {
		return err
	}
	p := pipeline{Runtime: rt, dir: dir, resume: c.ResumeFromCheckpoint != Off, started: time.Now(), config: stage}
	r := redTeam{pipeline: &p, stage: stage, eval: eval, dir: filepath.Join(dir, redTeamName)}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return fmt.Errorf("output folder: %w", err)
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if err := p.train(ctx, 1, r.stage); err != nil {
		return err
	}
	if err := p.evaluate(ctx, r.eval); err != nil {
		return err
	}
	if err := evaluate.RemoveJournal(filepath.Join(r.dir, answersName)); err != nil {
		return err
	}
	return p.finish()
}

// redTeam is a red-teaming run under way.
type redTeam struct {
	*pipeline
	stage Config // of training
	eval  EvalStage
	dir   string
}

// redTeamStage is the training stage of a recipe for red teaming and what to measure before and after. Of a recipe with stages it is the
// last preference stage, on the model that the recipe starts from.
func redTeamStage(c Config) (stage Config, eval EvalStage, err error) {
	stage, eval = c, EvalStage{DatasetSplits: []string{"test"}}
	for _, s := range c.Stages {
		switch s.Kind {
		case "train":
			stage = s.Config
		case "eval":
			eval = s.Eval
		}
	}
	if len(c.Stages) > 0 && len(stage.Stages) > 0 {
		return stage, eval, c.usage("stages", "none of them trains on preferences")
	}
	if stage.Model == "" {
		stage.Model = c.Model
	}
	if stage.Model == "" {
		return stage, eval, Usagef("no model: -model=DIR|HUB_ID|FILE.gguf, or model_name_or_path in the recipe")
	}
	stage.UseBuffer = false
	if stage.RedteamPrompts == "" {
		stage, err = stage.As("train")
		return stage, eval, err
	}
	if stage.RedteamJudge == "" || stage.RedteamJudge == "none" {
		return stage, eval, stage.usage("redteam_judge", "answers to redteam_prompts want a judge: -judge=DIR|HUB_ID|openai:URL|perspective")
	}
	stage.DatasetMixer, stage.EvalDatasetMixer = Mixer{{Name: splitName, Fraction: 1}}, nil // until it is made
	stage, err = stage.As("train")
	return stage, eval, err
}

// prepare makes what is trained on and what is held out.
func (r *redTeam) prepare(ctx context.Context) error {
	if eval := r.eval.Judge; eval == "" {
		r.eval.Judge = r.stage.RedteamJudge
	}
	var heldOut []string
	var err error
	if r.stage.RedteamPrompts != "" {
		heldOut, err = r.make(ctx)
	} else {
		heldOut, err = r.read(ctx)
	}
	if err != nil || len(heldOut) == 0 {
		return err
	}
	if err := r.askHeldOut(heldOut); err != nil {
		return err
	}
	if r.eval.Prompts == "" {
		var some []any
		for _, question := range heldOut[:min(samplesOfReport, len(heldOut))] {
			some = append(some, map[string]any{"messages": []chat.Message{{Role: "user", Content: question}}})
		}
		r.eval.Prompts = filepath.Join(r.dir, sampleName)
		return writeLines(r.eval.Prompts, some)
	}
	return nil
}

// askHeldOut lets the model answer the held-out questions before and after training, if there is a judge.
func (r *redTeam) askHeldOut(questions []string) error {
	path := filepath.Join(r.dir, heldOutName)
	if err := writeQuestions(path, questions); err != nil || r.eval.Judge == "" {
		return err
	}
	heldOut, err := r.task(path)
	r.tasks = []task.Task{heldOut}
	r.eval.Tasks = slices.DeleteFunc(slices.Clone(r.eval.Tasks), func(name string) bool { return name == heldOut.Name })
	return err
}

// task asks the questions of a file, in the recipe's way.
func (r *redTeam) task(path string) (task.Task, error) {
	found, err := FindTasks([]string{redTeamName}, "", r.notice)
	if err != nil {
		return task.Task{}, err
	}
	absolute, err := filepath.Abs(path)
	t := found[0]
	t.Local = []string{literal(absolute)}
	t.Generation.MaxTokens, t.Generation.Temperature, t.Generation.TopP = r.stage.RedteamMaxTokens, r.stage.RedteamTemperature, r.stage.RedteamTopP
	return t, err
}

// ask has every question answered twice and the answers judged; what a stopped run has done of that is not done again.
func (r *redTeam) ask(ctx context.Context, questions []string) ([]judgedAnswer, error) {
	path, dir := filepath.Join(r.dir, askedName), filepath.Join(r.dir, answersName)
	var twice []string
	for _, question := range questions {
		twice = append(twice, question, question)
	}
	if err := writeQuestions(path, twice); err != nil {
		return nil, err
	}
	asked, err := r.task(path)
	if err != nil {
		return nil, err
	}
	judge, err := OpenJudge(ctx, r.Runtime, r.stage.RedteamJudge)
	if err != nil {
		return nil, err
	}
	defer judge.Close()
	if r.stage.OverwriteOutputDir && !r.resume {
		if err := evaluate.Remove(dir); err != nil {
			return nil, err
		}
	}
	r.notice("\n%d questions, two answers each, by %s; the judge is %s", len(questions), r.stage.Model, judge.Name())
	_, err = measure(ctx, r.Runtime, r.stage, Evaluation{Tasks: []task.Task{asked}}, judge, dir, true)
	switch {
	case errors.Is(err, evaluate.ErrDifferentEvaluation):
		return nil, Usagef("%w: choose another -out, or replace it with -set=overwrite_output_dir=true", err)
	case errors.Is(err, context.Canceled):
		return nil, fmt.Errorf("%w: what is answered and judged so far is in %s", ErrInterrupted, dir)
	case err != nil:
		return nil, err
	}
	return readAnswers(filepath.Join(dir, "samples_"+asked.Name+".jsonl"), judge.Metric(asked.Metrics[0]))
}
