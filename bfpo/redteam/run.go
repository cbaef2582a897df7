package redteam

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/bfpo/measure"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/pipeline"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

const (
	folderName = "redteam" // of what this package writes, in the folder of a run
	taskName   = "redteam" // of the built-in task that asks questions
)

// Files in the folder redteam of a run, beside the files of the set.
const (
	askedName   = "asked.jsonl"   // every question twice, as the model is asked
	answersName = "answers"       // folder of the evaluation with the answers and their verdicts
	heldOutName = "heldout.jsonl" // the questions that are not trained on
	samplesName = "samples.jsonl" // the first maxSamples of them as messages, whose answers the report shows
)

// maxSamples is the number of held-out questions whose answers the report shows.
const maxSamples = 6

// Run trains a chat model on judged pairs of its own answers to harmful questions, and measures it before and after.
// The recipe c must have a preference stage, which trains without a buffer.
//
// With redteam_prompts Run makes the pairs first. It asks the model every question twice, has redteam_judge rate the
// answers, and writes the pairs to redteam/redteam.json in the layout of the original code's red-teaming file. Without
// redteam_prompts the recipe's dataset_mixer is the set.
//
// The original code evaluates on the rows that it trains on. Run divides the questions first, so that all rows of a
// question are on one side (see holdOut). Held-out rows that the recipe names stay as they are.
//
// dir gets the folders redteam, 1-bfpo and eval, and report.html. An interrupted run continues if it is repeated with
// resume_from_checkpoint: no question is asked again and no answer is judged again.
func Run(ctx context.Context, rt models.Runtime, c recipe.Config, dir string) error {
	stage, eval, err := readStages(c)
	if err != nil {
		return err
	}
	if err := pipeline.Claim(dir, c); err != nil {
		return err
	}
	r := run{Pipeline: pipeline.New(rt, stage, dir), stage: stage, eval: eval, dir: filepath.Join(dir, folderName)}
	if err := rundir.RemoveTemporary(r.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return fmt.Errorf("output folder: %w", err)
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if err := r.CheckEvaluation(ctx, r.stage.Model, r.stage, r.eval); err != nil {
		return err
	}
	if err := r.Train(ctx, 1, r.stage); err != nil {
		return err
	}
	if err := r.Evaluate(ctx, r.eval); err != nil {
		return err
	}
	if err := evaluate.RemoveJournal(filepath.Join(r.dir, answersName)); err != nil {
		return err
	}
	return r.Finish()
}

// run is a red-teaming run in progress.
type run struct {
	*pipeline.Pipeline
	stage recipe.Config    // the training stage
	eval  recipe.EvalStage // before and after it
	dir   string           // the folder redteam
}

// prepare makes or reads the set, and lets the evaluation ask the held-out questions.
func (r *run) prepare(ctx context.Context) error {
	prepareSet := r.readSet
	if r.stage.RedteamPrompts != "" {
		prepareSet = r.makeSet
	}
	heldOut, err := prepareSet(ctx)
	if err != nil || len(heldOut) == 0 {
		return err
	}
	path := filepath.Join(r.dir, heldOutName)
	if err := writeQuestions(path, heldOut); err != nil {
		return err
	}
	if r.eval.Judge != "" {
		asking, err := r.questionTask(path)
		if err != nil {
			return err
		}
		r.Tasks = []task.Task{asking}
		isSame := func(name string) bool { return name == asking.Name }
		r.eval.Tasks = slices.DeleteFunc(slices.Clone(r.eval.Tasks), isSame)
	}
	if r.eval.Prompts != "" {
		return nil
	}
	r.eval.Prompts = filepath.Join(r.dir, samplesName)
	return writeMessages(r.eval.Prompts, heldOut[:min(maxSamples, len(heldOut))])
}

// makeSet makes the set of the model's own answers. It returns the held-out questions.
func (r *run) makeSet(ctx context.Context) (heldOut []string, err error) {
	questions, s, err := readQuestions(ctx, r.Runtime, r.stage)
	if err != nil {
		return nil, err
	}
	if len(questions) == 0 {
		return nil, fmt.Errorf("redteam_prompts: %s has no question to ask; not used: %s",
			r.stage.RedteamPrompts, listReasons(s.Unused))
	}
	answers, err := r.askTwice(ctx, questions)
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(r.dir, answersName)
	if len(answers) != 2*len(questions) {
		return nil, fmt.Errorf("%s has %d answers to %d questions, want two for each: was the folder changed?",
			folder, len(answers), len(questions))
	}
	set := newPairSet(questions, answers, r.stage, s)
	facts := set.summary.facts(r.stage)
	_ = report.WriteBanner(r.Out, "red-teaming set", facts)
	r.Reports = append(r.Reports, report.Stage{Title: "Red-teaming set", Facts: facts})
	if err := set.write(r.dir); err != nil {
		return nil, fmt.Errorf("%w; answers and verdicts are in %s", err, folder)
	}
	return set.heldOut, r.useSplit(len(set.test))
}

// askTwice asks the model every question twice and has the answers judged. It continues from what an interrupted run
// has asked and judged.
func (r *run) askTwice(ctx context.Context, questions []string) ([]judgedAnswer, error) {
	path, dir := filepath.Join(r.dir, askedName), filepath.Join(r.dir, answersName)
	var twice []string
	for _, question := range questions {
		twice = append(twice, question, question)
	}
	if err := writeQuestions(path, twice); err != nil {
		return nil, err
	}
	asking, err := r.questionTask(path)
	if err != nil {
		return nil, err
	}
	judge, err := measure.OpenJudge(ctx, r.Runtime, r.stage.RedteamJudge)
	if err != nil {
		return nil, err
	}
	defer judge.Close()
	if r.stage.OverwriteOutputDir && !r.Resumes() {
		if err := evaluate.Remove(dir); err != nil {
			return nil, err
		}
	}
	fmt.Fprintln(r.Out)
	r.Log().Info(fmt.Sprintf("asking %s %d questions twice; the judge is %s", r.stage.Model, len(questions), judge.Name()))
	_, err = measure.EvaluateWithJudge(ctx, r.Runtime, r.stage, measure.Options{Tasks: []task.Task{asking}}, judge,
		dir, true)
	switch {
	case errors.Is(err, evaluate.ErrDifferentEvaluation):
		return nil, usage.Errorf("%w: choose another -out, or replace it with -set=overwrite_output_dir=true", err)
	case errors.Is(err, context.Canceled):
		return nil, fmt.Errorf("%w: the answers and verdicts so far are in %s", usage.ErrInterrupted, dir)
	case err != nil:
		return nil, err
	}
	return readAnswers(filepath.Join(dir, evaluate.SamplesFile(asking.Name)), judge.Metric(asking.Metrics[0]))
}

// questionTask returns the task that asks the questions of a file and samples answers as the recipe sets it.
func (r *run) questionTask(path string) (task.Task, error) {
	found, err := recipe.FindTasks([]string{taskName}, "", r.Log())
	if err != nil {
		return task.Task{}, err
	}
	t := found[0]
	t.Rows = path
	t.Generation.MaxTokens = r.stage.RedteamMaxTokens
	t.Generation.Temperature, t.Generation.TopP = r.stage.RedteamTemperature, r.stage.RedteamTopP
	return t, nil
}

// readSet reads the set that the recipe names, and splits it unless the recipe names held-out rows too. It returns the
// held-out questions.
func (r *run) readSet(ctx context.Context) (heldOut []string, err error) {
	c := r.stage
	mixture := data.NewMixture(c, c.DatasetMixer, data.FindSplit(c.DatasetSplits, "train"), r.Hub)
	mixture.Shuffle = false // training shuffles the rows
	rows, counts, err := mixture.ReadPreferences(ctx)
	if err != nil {
		return nil, fmt.Errorf("main set: %w", err)
	}
	r.logDrops(counts)
	test, err := r.readHeldOut(ctx)
	if err != nil {
		return nil, fmt.Errorf("held-out set: %w", err)
	}
	if len(test) > 0 {
		if shared := countShared(rows, test); shared > 0 {
			r.Log().Info(fmt.Sprintf("%d of the %d held-out rows have a prompt that is trained on too", shared, len(test)))
		}
		return singleQuestions(test), nil
	}
	train, test := splitRows(rows, c.RedteamHeldOut)
	if err := writeSplit(r.dir, train, test); err != nil {
		return nil, err
	}
	r.Log().Info(fmt.Sprintf("%d rows to train on and %d held out, split by question", len(train), len(test)))
	return singleQuestions(test), r.useSplit(len(test))
}

// logDrops tells how many rows of the sets could not be read, and why.
func (r *run) logDrops(counts []datasets.SetCount) {
	for _, c := range counts {
		for reason, ids := range c.Drops.Dropped {
			r.Log().Info(fmt.Sprintf("%s: %d rows dropped: %s", c.Name, len(ids), reason))
		}
		for _, note := range c.Notes {
			r.Log().Info(note)
		}
	}
}

// readHeldOut reads the held-out rows that the recipe names, and lets the evaluation score them unless it has a set
// already. It returns none if the recipe names none, or names a split that its training set lacks.
func (r *run) readHeldOut(ctx context.Context) ([]datasets.Preference, error) {
	mixer, split, required := heldOutSource(r.stage)
	if split == "" {
		return nil, nil
	}
	mixture := data.NewMixture(r.stage, mixer, split, r.Hub)
	mixture.HeldOut, mixture.Shuffle = required, false
	rows, counts, err := mixture.ReadPreferences(ctx)
	r.logDrops(counts)
	if errors.Is(err, datasets.ErrNoSplit) && !required {
		return nil, nil
	}
	if len(r.eval.DatasetMixer) == 0 {
		r.eval.DatasetMixer, r.eval.DatasetSplits = mixer, []string{split}
	}
	return rows, err
}

// useSplit lets training and evaluation read the split set, of which heldOut rows are not trained on.
func (r *run) useSplit(heldOut int) error {
	folder, err := filepath.Abs(filepath.Join(r.dir, splitName))
	if err != nil {
		return err
	}
	set := recipe.Mixer{{Name: folder, Fraction: 1}}
	r.stage.DatasetMixer, r.stage.DatasetSplits, r.stage.EvalDatasetMixer = set, []string{"train", "test"}, nil
	if heldOut == 0 {
		r.Log().Info("no held-out question has a usable pair: training runs without evaluation, " +
			"and the comparison has no preferences")
		r.stage.DoEval, r.stage.EvaluationStrategy, r.stage.LoadBestModelAtEnd = false, "no", false
		return nil
	}
	r.eval.DatasetMixer = append(slices.Clone(r.eval.DatasetMixer), set...)
	return nil
}

// writeQuestions writes one {"prompt": question} a line.
func writeQuestions(path string, questions []string) error {
	lines := make([]any, len(questions))
	for i, question := range questions {
		lines[i] = map[string]string{"prompt": question}
	}
	return atomicfile.WriteLines(path, lines)
}

// writeMessages writes questions as messages of a user for the chat template, {"messages": [...]} a line.
func writeMessages(path string, questions []string) error {
	lines := make([]any, len(questions))
	for i, question := range questions {
		lines[i] = map[string]any{"messages": []chat.Message{{Role: "user", Content: question}}}
	}
	return atomicfile.WriteLines(path, lines)
}
