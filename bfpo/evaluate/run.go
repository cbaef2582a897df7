package evaluate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/judge"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
	"github.com/bfpo-go/bfpo/mistral"
)

// Run is one evaluation of one model.
type Run struct {
	Plan        *Plan
	Scorer      *mistral.Scorer
	Generator   *mistral.Generator // may be nil where no task generates
	Tokenizer   *tokenizer.Tokenizer
	Seed        int64       // of sampled answers
	Judge       judge.Judge // of the tasks that need one; nil = their answers are only written down
	KeepJournal bool        // what is computed stays in Dir, for the same evaluation to be gone through again quickly, until Forget
	Dir         string      // gets results.json and the samples, and while it is unfinished what is computed so far
	ModelDigest string      // a digest of the weights and of how they are computed with: an unfinished evaluation of another one is not gone on with
	Config      map[string]any
	Version     string // of the program
	Progress    func(Progress)
}

// Progress is how far an evaluation is.
type Progress struct {
	Documents, TotalDocuments int
	Judged, TotalAnswers      int           // of answers that a judge rates; Answers is 0 without one
	Remaining                 time.Duration // of computing the documents; 0 while it cannot be said
}

// Finished tells whether dir holds a finished evaluation.
func Finished(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, resultsName))
	return err == nil
}

// Unfinished tells whether dir holds an evaluation that was begun and is not finished.
func Unfinished(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, journalName))
	return err == nil && !Finished(dir)
}

// Remove removes what evaluations leave in dir, whether finished or not; other files stay.
func Remove(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "samples_*.jsonl"))
	if err != nil {
		return err
	}
	for _, name := range append(names, filepath.Join(dir, resultsName), filepath.Join(dir, journalName)) {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Forget removes what an evaluation in dir keeps of its computation.
func RemoveJournal(dir string) error {
	if err := os.Remove(filepath.Join(dir, journalName)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Do evaluates and leaves results.json and samples_TASK.jsonl in Dir. What an interrupted call has computed there is not computed
// again; the results are those of an uninterrupted one but for dates and seconds. An unfinished evaluation of something else is an
// error that wraps ErrOther.
func (r Run) Do(ctx context.Context) (Results, error) {
	started := time.Now()
	if err := os.MkdirAll(r.Dir, 0o755); err != nil {
		return Results{}, fmt.Errorf("output folder: %w", err)
	}
	sizes := make([]int, len(r.Plan.chunks))
	for i, c := range r.Plan.chunks {
		sizes[i] = len(c.places)
	}
	j, err := openJournal(r.Dir, fmt.Sprintf("%s %s %d", r.Plan.Digest(), r.ModelDigest, r.Seed), sizes)
	if err != nil {
		return Results{}, fmt.Errorf("output folder: %w", err)
	}
	outcomes, verdicts, err := r.computed(ctx, j)
	if err = errors.Join(err, j.close()); err != nil {
		return Results{}, err
	}
	measured := r.measure(outcomes, verdicts)
	results := r.results(measured, time.Since(started))
	if err := r.write(results, outcomes, measured); err != nil {
		return Results{}, err
	}
	if r.KeepJournal {
		return results, nil
	}
	return results, RemoveJournal(r.Dir)
}

// computed is what the model answers to all documents, and what the judge says of it.
func (r Run) computed(ctx context.Context, j *journal) ([][]outcome, [][]judge.Verdict, error) {
	if err := r.compute(ctx, j); err != nil {
		return nil, nil, err
	}
	outcomes := r.Plan.arrange(j.done)
	verdicts, err := r.judge(ctx, j, outcomes)
	return outcomes, verdicts, err
}

// compute does the chunks that the journal lacks.
func (r Run) compute(ctx context.Context, j *journal) error {
	p := r.begun(j)
	left := 0
	for i, c := range r.Plan.chunks {
		if _, done := j.done[i]; !done {
			left += c.tokens
		}
	}
	r.progress(p)
	speed := rate{}
	for i, c := range r.Plan.chunks {
		if _, done := j.done[i]; done {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		begun := time.Now()
		do := r.score
		if c.generate {
			do = r.generate
		}
		outcomes, err := do(ctx, c)
		if err != nil {
			return err
		}
		if err := j.add(i, outcomes); err != nil {
			return err
		}
		left -= c.tokens
		p.Documents += len(c.places)
		p.Remaining = speed.left(c.tokens, time.Since(begun), left)
		r.progress(p)
	}
	return nil
}

// begun is how far an evaluation is by its journal.
func (r Run) begun(j *journal) Progress {
	p := Progress{TotalDocuments: r.Plan.count()}
	for i, c := range r.Plan.chunks {
		if _, done := j.done[i]; done {
			p.Documents += len(c.places)
		}
	}
	for i, t := range r.Plan.tasks {
		if r.Judge != nil && t.Judged() {
			p.TotalAnswers += len(t.documents)
			p.Judged += len(j.judged(r.Judge.Digest(), i))
		}
	}
	return p
}

func (r Run) progress(p Progress) {
	if r.Progress != nil {
		r.Progress(p)
	}
}

// rate is how fast chunks are computed.
type rate struct {
	chunks, tokens int
	seconds        float64
}

// left estimates the time that the rest takes. The first chunk compiles programs, so it counts only while it is the only one.
func (r *rate) left(tokens int, took time.Duration, rest int) time.Duration {
	if r.chunks == 1 {
		r.tokens, r.seconds = 0, 0
	}
	r.chunks++
	r.tokens += tokens
	r.seconds += took.Seconds()
	return time.Duration(r.seconds / float64(max(r.tokens, 1)) * float64(rest) * float64(time.Second))
}

// score computes the log-likelihoods of a chunk. The same continuation of the same context is computed once.
func (r Run) score(ctx context.Context, c chunk) ([]outcome, error) {
	var sequences []mistral.Sequence
	known := map[string]int{}
	numbers := make([][]int, len(c.places)) // of the choices' sequences
	for i, at := range c.places {
		for _, s := range r.Plan.tasks[at.task].encoded[at.document].sequences {
			key := fmt.Sprint(s.PromptIDs, s.ResponseIDs)
			n, ok := known[key]
			if !ok {
				n = len(sequences)
				known[key], sequences = n, append(sequences, s)
			}
			numbers[i] = append(numbers[i], n)
		}
	}
	scores, err := r.Scorer.Score(ctx, sequences)
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(c.places))
	for i := range outcomes {
		for choice, n := range numbers[i] {
			if at := c.places[i]; math.IsNaN(scores[n].LogProb) {
				return nil, fmt.Errorf("task %s: document %d: the log-likelihood of choice %d is not a number: are the model's weights sound?",
					r.Plan.tasks[at.task].Name, at.document, choice)
			}
			outcomes[i].LogLikelihoods = append(outcomes[i].LogLikelihoods, scores[n].LogProb)
			outcomes[i].Greedy = append(outcomes[i].Greedy, scores[n].Greedy)
		}
	}
	return outcomes, nil
}

// generate answers the prompts of a chunk, which are of one task. A prompt's random numbers come from the seed and its place among the
// task's rows.
func (r Run) generate(ctx context.Context, c chunk) ([]outcome, error) {
	t := r.Plan.tasks[c.places[0].task]
	first := c.places[0].document
	prompts := make([][]int32, len(c.places))
	for i, at := range c.places {
		prompts[i] = t.encoded[at.document].prompt
	}
	stops := t.Generation.Until
	if id, ok := r.Tokenizer.EOS(); ok {
		stops = append(stops[:len(stops):len(stops)], r.Tokenizer.Token(id))
	}
	completions, err := r.Generator.Generate(ctx, prompts, mistral.GenerateOptions{
		MaxTokens: t.Generation.MaxTokens, Temperature: t.Generation.Temperature, TopP: t.Generation.TopP, TopK: t.Generation.TopK,
		Seed: r.Seed + int64(first)<<16,
		Stop: func(_ int, ids []int32) bool {
			_, found := cut(r.Tokenizer.Decode(ids, true), stops)
			return found
		},
	}, nil)
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(c.places))
	for i, completion := range completions {
		text, _ := cut(r.Tokenizer.Decode(completion.IDs, true), stops)
		outcomes[i] = outcome{Answer: text, IDs: completion.IDs, Stop: completion.Stop}
	}
	return outcomes, nil
}

// cut ends a text before the first place of each stop text in turn.
func cut(text string, stops []string) (string, bool) {
	found := false
	for _, stop := range stops {
		if head, _, ok := strings.Cut(text, stop); ok && stop != "" {
			text, found = head, true
		}
	}
	return text, found
}
