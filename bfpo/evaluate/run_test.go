package evaluate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/judge"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/metric"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
)

// tinyRun returns an evaluation of the built-in model on three tasks: one with choices, one whose choices are
// contexts, and one with two chunks of sampled answers.
func tinyRun(t *testing.T) Run {
	t.Helper()
	data := t.TempDir()
	var choices, prompts strings.Builder
	for i := range 12 {
		fmt.Fprintf(&choices, `{"q": "question %d", "gold": %d, "no": "%s no"}`+"\n",
			i%5, i%2, strings.Repeat("well ", i))
	}
	for i := range chunkPrompts + 3 {
		fmt.Fprintf(&prompts, `{"q": "number %d"}`+"\n", i)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(data, "choices.jsonl"), []byte(choices.String()), 0o644),
		os.WriteFile(filepath.Join(data, "prompts.jsonl"), []byte(prompts.String()), 0o644)); err != nil {
		t.Fatal(err)
	}
	definitions := t.TempDir()
	for name, text := range map[string]string{
		"choices": "task: choices\nlocal: choices.jsonl\ntest_split: t\noutput_type: multiple_choice\n" +
			"doc_to_text: q\ndoc_to_target: gold\ndoc_to_choice: '{{[\"yes\", no]}}'\n" +
			"metric_list: [{metric: acc}, {metric: likelihood_diff, higher_is_better: false}]\n",
		"contexts": "task: contexts\nlocal: choices.jsonl\ntest_split: t\noutput_type: multiple_choice\n" +
			"doc_to_text: '{{gold}}'\ndoc_to_target: no\ndoc_to_choice: '{{[q, q + \" again\"]}}'\n" +
			"metric_list: [{metric: acc}]\n",
		"answers": "task: answers\nlocal: prompts.jsonl\ntest_split: t\noutput_type: generate_until\n" +
			"doc_to_text: q\ndoc_to_target: q\nmetric_list: [{metric: llama2}]\n" +
			"generation_kwargs: {do_sample: true, temperature: 0.7, max_gen_toks: 6, until: null}\n",
	} {
		if err := os.WriteFile(filepath.Join(definitions, name+".yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	catalog, err := task.NewCatalog(definitions, noSuggestion)
	if err != nil {
		t.Fatal(err)
	}
	tasks, _, err := catalog.Select([]string{"choices", "contexts", "answers"})
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, e := tinyEncoder(t)
	plan, err := NewPlan(context.Background(), tasks, task.Data{Folder: data}, e, 0)
	if err != nil {
		t.Fatal(err)
	}
	d := graphtest.Device(t)
	model, err := mistral.Load(d, checkpoint, dtypes.Float32)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { model.Close() })
	scorer := mistral.NewScorer(d, model.Config, model.Base, nil, dtypes.Float32)
	t.Cleanup(scorer.Close)
	generator := mistral.NewGenerator(d, model.Config, model.Base, nil, dtypes.Float32)
	t.Cleanup(generator.Close)
	return Run{Plan: plan, Scorer: scorer, Generator: generator, Tokenizer: e.Tokenizer, Seed: 42,
		Dir: filepath.Join(t.TempDir(), "out"), Model: Identity{"model": "tiny"},
		Config: map[string]any{"model": "tiny"}, Version: "v"}
}

// readOutput returns the files of an evaluation by name, without the keys that differ between any two evaluations.
func readOutput(t *testing.T, dir string) map[string]any {
	t.Helper()
	out := map[string]any{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[entry.Name()] = string(text)
		if entry.Name() == resultsName {
			var results map[string]any
			if err := json.Unmarshal(text, &results); err != nil {
				t.Fatal(err)
			}
			delete(results, "date")
			delete(results, "total_evaluation_time_seconds")
			out[entry.Name()] = results
		}
	}
	return out
}

func TestRun(t *testing.T) {
	r := tinyRun(t)
	results, err := r.Do(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	files := []string{resultsName, "samples_answers.jsonl", "samples_choices.jsonl", "samples_contexts.jsonl"}
	if got := slices.Sorted(maps.Keys(readOutput(t, r.Dir))); !slices.Equal(got, files) {
		t.Errorf("files %q", got)
	}
	// Every number is the one that the scorer computes for the document alone.
	for i, name := range []string{"choices", "contexts"} {
		acc := 0.0
		for j, line := range readSamples(t, r.Dir, name) {
			scores, err := r.Scorer.Score(context.Background(), r.Plan.tasks[i].encoded[j].sequences)
			if err != nil {
				t.Fatal(err)
			}
			for k, s := range scores {
				if math.Abs(s.LogProb-line.LogLikelihoods[k]) > 1e-4 {
					t.Errorf("%s, document %d, choice %d: %g, alone %g", name, j, k, line.LogLikelihoods[k], s.LogProb)
				}
			}
			best := metric.Indicator(line.LogLikelihoods[1] > line.LogLikelihoods[0])
			if (best == float64(j%2)) != (line.Metrics["acc"] == 1) {
				t.Errorf("%s, document %d: acc %g", name, j, line.Metrics["acc"])
			}
			acc += line.Metrics["acc"] / 12
		}
		if m := results.Tasks[i].Metrics[0]; m.Name != "acc" || math.Abs(m.Mean-acc) > 1e-12 || len(m.Values) != 12 {
			t.Errorf("%s: %+v, want acc %g", name, m, acc)
		}
	}
	answers := readSamples(t, r.Dir, "answers")
	if len(answers) != chunkPrompts+3 || answers[3].Stop != mistral.StopLength ||
		answers[0].Answer == answers[chunkPrompts].Answer {
		t.Errorf("answers %+v", answers)
	}
	if task := results.Tasks[2]; len(task.Metrics) != 0 || task.Documents != chunkPrompts+3 {
		t.Errorf("without a judge: %+v", task)
	}
	if !Finished(r.Dir) {
		t.Error("not finished")
	}
	if err := Remove(r.Dir); err != nil || len(readOutput(t, r.Dir)) != 0 {
		t.Errorf("Remove leaves %v, error %v", readOutput(t, r.Dir), err)
	}
}

// An evaluation that is stopped after every chunk, each time with a torn line in its journal, writes the same files
// as an uninterrupted one.
func TestRunResumes(t *testing.T) {
	r := tinyRun(t)
	if _, err := r.Do(context.Background()); err != nil {
		t.Fatal(err)
	}
	want := readOutput(t, r.Dir)
	r.Dir = filepath.Join(t.TempDir(), "out")
	journal := filepath.Join(r.Dir, journalName)
	for stops := 0; ; stops++ {
		ctx, cancel := context.WithCancel(context.Background())
		first := -1
		r.Progress = func(p Progress) {
			if first < 0 {
				first = p.Documents
			} else if p.Documents > first && p.Documents < p.TotalDocuments {
				cancel()
			}
		}
		_, err := r.Do(ctx)
		cancel()
		if err == nil {
			if stops != len(r.Plan.chunks)-1 {
				t.Errorf("%d stops with %d chunks: a chunk was computed twice, or was not kept",
					stops, len(r.Plan.chunks))
			}
			break
		}
		if !errors.Is(err, context.Canceled) || Finished(r.Dir) {
			t.Fatal(err)
		}
		// A kill truncates the last line.
		file, err := os.OpenFile(journal, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(`{"chunk":1,"outcomes":[{"loglikel`); err != nil {
			t.Fatal(err)
		}
		file.Close()
	}
	if got := readOutput(t, r.Dir); !reflect.DeepEqual(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}

// The journal of another model, seed or plan is refused.
func TestRunRefusesOtherJournal(t *testing.T) {
	r := tinyRun(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.Do(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	other := r
	other.Model = Identity{"model": "another"}
	_, err := other.Do(context.Background())
	if !errors.Is(err, ErrDifferentEvaluation) || !strings.HasSuffix(err.Error(), "something else: another model") {
		t.Errorf("another model gives %v", err)
	}
	other = r
	other.Seed++
	if _, err := other.Do(context.Background()); !errors.Is(err, ErrDifferentEvaluation) {
		t.Errorf("another seed gives %v", err)
	}
	digest := r.identity().Digest()
	r.Plan.tasks[0].encoded[3].sequences[1].ResponseIDs[0]++
	if r.identity().Digest() == digest {
		t.Error("the digest does not depend on a token")
	}
	if err := os.WriteFile(filepath.Join(r.Dir, journalName), bytes.Repeat([]byte{0}, 100), 0o644); err != nil {
		t.Fatal(err)
	}
	r.Plan.tasks[0].encoded[3].sequences[1].ResponseIDs[0]--
	if _, err := r.Do(context.Background()); err != nil || !Finished(r.Dir) {
		t.Errorf("a journal without a whole line gives %v", err)
	}
}

// oddJudge rates the answers of odd documents 1 and the others 0. It cannot rate the answer of document 1, and it
// fails at the document failAt.
type oddJudge struct {
	t      *testing.T
	asked  map[int]int // number of ratings, by document
	failAt int
}

func (o *oddJudge) Name() string                     { return "odd" }
func (o *oddJudge) Digest() string                   { return "1" }
func (o *oddJudge) Close() error                     { return nil }
func (o *oddJudge) Metric(m task.Metric) task.Metric { return task.Metric{Kind: m.Kind, Name: "odd"} }
func (o *oddJudge) Rate(_ context.Context, answers []judge.Answer, report func(int, ...judge.Verdict) error) error {
	for i, a := range answers {
		if a.Reference != fmt.Sprintf("number %d", a.Document) {
			o.t.Errorf("answer %d: %+v", i, a)
		}
		if a.Document == o.failAt {
			return errors.New("out of order")
		}
		o.asked[a.Document]++
		v := judge.Verdict{Judged: true, Score: float64(a.Document % 2), Reply: "yes"}
		if a.Document == 1 {
			v = judge.Verdict{Reply: "not judged: no idea"}
		}
		if err := report(i, v); err != nil {
			return err
		}
	}
	return nil
}

func TestRunJudges(t *testing.T) {
	r := tinyRun(t)
	odd := &oddJudge{t, map[int]int{}, 20}
	r.Judge = odd
	_, err := r.Do(context.Background())
	if err == nil || !strings.Contains(err.Error(), "task answers: judge: out of order") || Finished(r.Dir) {
		t.Errorf("a judge that fails gives %v", err)
	}
	var seen []Progress
	r.Progress = func(p Progress) { seen = append(seen, p) }
	odd.failAt = -1
	results, err := r.Do(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for document, n := range odd.asked {
		if n != 1 {
			t.Errorf("document %d was rated %d times", document, n)
		}
	}
	if p := seen[len(seen)-1]; p.Judged != 35 || p.TotalAnswers != 35 || seen[0].Judged != 20 {
		t.Errorf("progress %+v, at last %+v", seen[0], p)
	}
	// The 16 odd ones of 34 judged answers score 1; answer 1 is not judged.
	task := results.Tasks[2]
	if m := task.Metrics[0]; len(odd.asked) != 35 || task.Unjudged != 1 || m.Name != "odd" ||
		len(m.Values) != 34 || m.Documents[1] != 2 || math.Abs(m.Mean-16./34) > 1e-12 {
		t.Errorf("asked about %d: %+v", len(odd.asked), task)
	}
	lines := readSamples(t, r.Dir, "answers")
	if _, ok := lines[1].Metrics["odd"]; ok || lines[3].Metrics["odd"] != 1 ||
		lines[1].Verdict != "not judged: no idea" || lines[1].Judged || lines[1].Safe != nil ||
		!lines[3].Judged || lines[3].Safe == nil {
		t.Errorf("samples %+v, %+v", lines[1], lines[3])
	}
	all := readOutput(t, r.Dir)[resultsName].(map[string]any)
	n := all["n-samples"].(map[string]any)["answers"].(map[string]any)
	values := all["results"].(map[string]any)["answers"].(map[string]any)
	if n["unjudged"] != 1. || len(values) != 2 || values["odd_stderr,none"] == nil {
		t.Errorf("results: %v, %v", n, values)
	}
}

func TestTruncateAtStops(t *testing.T) {
	if text, found := truncateAtStops("one\n\ntwo STOP", []string{"STOP", "\n\n", ""}); text != "one" || !found {
		t.Errorf("%q, %v", text, found)
	}
	if text, found := truncateAtStops("one", []string{"STOP"}); text != "one" || found {
		t.Errorf("%q, %v", text, found)
	}
}
