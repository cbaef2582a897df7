package evaluate

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/judge"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
	"github.com/bfpo-go/bfpo/mistral"
)

// Run is one evaluation of one model.
type Run struct {
	Plan        *Plan
	Scorer      *mistral.Scorer
	Generator   *mistral.Generator // may be nil if no task generates answers
	Tokenizer   *tokenizer.Tokenizer
	Seed        int64          // of sampled answers
	Judge       judge.Judge    // rates the answers of tasks with a judged metric; nil leaves them unrated
	KeepJournal bool           // leaves the journal in Dir, so that repeating the evaluation computes nothing
	Dir         string         // the output folder: results.json, the samples and, until these are written, the journal
	Model       Identity       // of the weights and of how they are used; a journal of another model is refused
	Config      map[string]any // goes into results.json as it is
	Version     string         // of the program, for results.json
	Log         *slog.Logger   // of notices about the journal; may be nil
	Progress    func(Progress) // called after every chunk and every report of the judge; may be nil
}

// Progress is how far an evaluation has come.
type Progress struct {
	Documents, TotalDocuments int           // computed by the model
	Judged, TotalAnswers      int           // rated by the judge; both are 0 without one
	Remaining                 time.Duration // estimated time for the remaining documents; 0 if not known yet
}

// Finished reports whether dir holds a finished evaluation.
func Finished(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, resultsName))
	return err == nil
}

// Unfinished reports whether dir holds an evaluation that was started and is not finished.
func Unfinished(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, journalName))
	return err == nil && !Finished(dir)
}

// Remove deletes the files of an evaluation in dir, finished or not. Other files stay: the samples of tasks that are
// not in results.json, and a results.json that another program wrote, which is an error.
func Remove(dir string) error {
	var names []string
	if Unfinished(dir) { // with the samples of any of its tasks
		samples, err := filepath.Glob(filepath.Join(escapePattern(dir), SamplesFile("*")))
		if err != nil {
			return err
		}
		for _, path := range samples {
			names = append(names, filepath.Base(path))
		}
	} else if Finished(dir) {
		tasks, err := tasksOf(filepath.Join(dir, resultsName))
		if err != nil {
			return err
		}
		for _, name := range tasks {
			names = append(names, SamplesFile(name))
		}
	}
	for _, name := range append(names, resultsName, journalName) {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// tasksOf returns the tasks with samples in a results.json that this program wrote.
func tasksOf(path string) (tasks []string, err error) {
	text, err := atomicfile.ReadLimited(path, maxResults)
	if err != nil {
		return nil, err
	}
	var layout struct {
		Version *string        `json:"bfpo_version"`
		Results map[string]any `json:"results"`
	}
	if err := json.Unmarshal(text, &layout); err != nil || layout.Version == nil {
		return nil, fmt.Errorf("%s is not from an evaluation of bfpo and is not replaced: move it away", path)
	}
	for name := range layout.Results {
		if task.CheckName(name) == nil {
			tasks = append(tasks, name)
		}
	}
	return append(tasks, "preference"), nil
}

// escapePattern returns a pattern of filepath.Glob that matches the given path only.
func escapePattern(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// RemoveJournal deletes the journal of an evaluation in dir. A missing journal is no error.
func RemoveJournal(dir string) error {
	if err := os.Remove(filepath.Join(dir, journalName)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Do evaluates the model and writes results.json and samples_TASK.jsonl to Dir. It continues from the journal of an
// interrupted call, and its results equal those of an uninterrupted call except for dates and durations. If Dir
// holds an unfinished evaluation of something else, the error wraps ErrDifferentEvaluation.
func (r Run) Do(ctx context.Context) (Results, error) {
	started := time.Now()
	if err := os.MkdirAll(r.Dir, 0o755); err != nil {
		return Results{}, fmt.Errorf("output folder: %w", err)
	}
	sizes := make([]int, len(r.Plan.chunks))
	for i, c := range r.Plan.chunks {
		sizes[i] = len(c.places)
	}
	j, err := openJournal(r.Dir, r.identity(), sizes, r.Log)
	if err != nil {
		return Results{}, fmt.Errorf("output folder: %w", err)
	}
	err = r.computeChunks(ctx, j)
	var outcomes [][]outcome
	var verdicts [][]judge.Verdict
	if err == nil {
		outcomes = outcomesByTask(r.Plan, j.done)
		verdicts, err = r.rateAnswers(ctx, j, outcomes)
	}
	if err = errors.Join(err, j.close()); err != nil {
		return Results{}, err
	}
	all := measureTasks(r.Plan, r.Judge, outcomes, verdicts)
	results := summarize(r.Plan, all, time.Since(started))
	w := resultsWriter{dir: r.Dir, plan: r.Plan, judged: r.Judge != nil, config: r.Config, version: r.Version}
	if err := w.write(results, outcomes, all); err != nil {
		return Results{}, err
	}
	if r.KeepJournal {
		return results, nil
	}
	return results, RemoveJournal(r.Dir)
}

// identity returns the run's identity: what the caller says of the model, the seed, the tokenizer and each task.
func (r Run) identity() Identity {
	i := Identity{"seed": fmt.Sprint(r.Seed), "tokenizer": hex.EncodeToString(r.Tokenizer.Digest())}
	maps.Copy(i, r.Model)
	for _, t := range r.Plan.tasks {
		i["task "+t.Name] = t.digest()
	}
	i["division of the documents"] = r.Plan.chunksDigest()
	return i
}

// computeChunks computes the chunks that the journal lacks and adds them to it.
func (r Run) computeChunks(ctx context.Context, j *journal) error {
	p := r.progressOf(j)
	remaining := 0
	for i, c := range r.Plan.chunks {
		if _, done := j.done[i]; !done {
			remaining += c.tokens
		}
	}
	r.report(p)
	speed := throughput{}
	for i, c := range r.Plan.chunks {
		if _, done := j.done[i]; done {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		started := time.Now()
		outcomes, err := r.computeChunk(ctx, c)
		if err != nil {
			return err
		}
		if err := j.addChunk(i, outcomes); err != nil {
			return err
		}
		remaining -= c.tokens
		p.Documents += len(c.places)
		p.Remaining = speed.remaining(c.tokens, time.Since(started), remaining)
		r.report(p)
	}
	return nil
}

func (r Run) computeChunk(ctx context.Context, c chunk) ([]outcome, error) {
	if c.generate {
		return generateChunk(ctx, r.Generator, r.Tokenizer, r.Seed, r.Plan, c)
	}
	return scoreChunk(ctx, r.Scorer, r.Plan, c)
}

// rateAnswers has the judge rate the answers of the tasks with a judged metric, except those with a verdict in the
// journal. A task without one, and every task if there is no judge, gets nil.
func (r Run) rateAnswers(ctx context.Context, j *journal, outcomes [][]outcome) ([][]judge.Verdict, error) {
	verdicts := make([][]judge.Verdict, len(outcomes))
	if r.Judge == nil {
		return verdicts, nil
	}
	p := r.progressOf(j)
	advance := func(rated int) {
		p.Judged += rated
		r.report(p)
	}
	for i, t := range r.Plan.tasks {
		if !t.Judged() {
			continue
		}
		var err error
		if verdicts[i], err = rateTask(ctx, r.Judge, j, i, t, outcomes[i], advance); err != nil {
			return nil, fmt.Errorf("task %s: judge: %w", t.Name, err)
		}
	}
	return verdicts, nil
}

// progressOf returns the progress that the journal records.
func (r Run) progressOf(j *journal) Progress {
	p := Progress{TotalDocuments: r.Plan.countDocuments()}
	for i, c := range r.Plan.chunks {
		if _, done := j.done[i]; done {
			p.Documents += len(c.places)
		}
	}
	for i, t := range r.Plan.tasks {
		if r.Judge != nil && t.Judged() {
			p.TotalAnswers += len(t.documents)
			p.Judged += len(j.verdictsOf(r.Judge.Digest(), i))
		}
	}
	return p
}

func (r Run) report(p Progress) {
	if r.Progress != nil {
		r.Progress(p)
	}
}

// throughput measures how fast chunks are computed.
type throughput struct {
	chunks, tokens int
	seconds        float64
}

// remaining adds a chunk and estimates the time that the remaining tokens take. The first chunk includes the
// compilation of programs, so it counts only until a second one is known.
func (t *throughput) remaining(tokens int, took time.Duration, remainingTokens int) time.Duration {
	if t.chunks == 1 {
		t.tokens, t.seconds = 0, 0
	}
	t.chunks++
	t.tokens += tokens
	t.seconds += took.Seconds()
	return time.Duration(t.seconds / float64(max(t.tokens, 1)) * float64(remainingTokens) * float64(time.Second))
}
