package judge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/judge"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// judgedAnswers is the number of prompts that the evaluation of these tests answers: more than one chunk of them.
const judgedAnswers = 35

// answeringRun evaluates the built-in model on one task whose answers a judge rates.
func answeringRun(t *testing.T) evaluate.Run {
	t.Helper()
	dir := t.TempDir()
	var prompts strings.Builder
	for i := range judgedAnswers {
		fmt.Fprintf(&prompts, `{"q": "number %d"}`+"\n", i)
	}
	definition := "task: answers\nlocal: prompts.jsonl\ntest_split: t\noutput_type: generate_until\ndoc_to_text: q\n" +
		"doc_to_target: q\nmetric_list: [{metric: llama2}]\ngeneration_kwargs: {max_gen_toks: 6, until: null}\n"
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "prompts.jsonl"), []byte(prompts.String()), 0o644),
		os.WriteFile(filepath.Join(dir, "answers.yaml"), []byte(definition), 0o644)); err != nil {
		t.Fatal(err)
	}
	catalog, err := task.NewCatalog(dir, func(string, []string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	tasks, _, err := catalog.Select([]string{"answers"})
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, err := pretrained.Open(pretrained.Tiny)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { checkpoint.Close() })
	vocabulary, err := tokenizer.New(checkpoint.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	encoder := evaluate.Encoder{Tokenizer: vocabulary, MaxLength: checkpoint.Config.MaxPositionEmbeddings}
	plan, err := evaluate.NewPlan(context.Background(), tasks, task.Data{Folder: dir}, encoder, 0)
	if err != nil {
		t.Fatal(err)
	}
	d := graphtest.Device(t)
	model, err := mistral.Load(d, checkpoint, dtypes.Float32)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { model.Close() })
	generator := mistral.NewGenerator(d, model.Config, model.Base, nil, dtypes.Float32)
	t.Cleanup(generator.Close)
	return evaluate.Run{Plan: plan, Generator: generator, Tokenizer: vocabulary, Seed: 42,
		Dir: filepath.Join(t.TempDir(), "out"), Model: evaluate.Identity{"model": "tiny"}, Version: "v"}
}

// An evaluation is stopped at random while its judge rates, and its files end in torn lines. No question that the
// service answered is asked again, and no question at all whose verdict was written down.
func TestServiceRestarts(t *testing.T) {
	server, cache := judge.NewFaultyServer(t), t.TempDir()
	r := answeringRun(t)
	journal := filepath.Join(r.Dir, "unfinished.jsonl")
	words := []string{"none 0 yes", "none 0 no", "500 99 no", "words 99 no", "400 9 no"}
	faults := &replacingJudge{server.Impatient(t, cache), func(i int) string {
		return fmt.Sprintf("%s %d", words[i%len(words)], i)
	}}
	r.Judge = faults
	triesAtVerdict := map[string]int{} // by answer, when a stop first found its verdict in the journal
	for stops := 0; ; stops++ {
		ctx, cancel := context.WithCancel(context.Background())
		left := rand.IntN(6)
		r.Progress = func(p evaluate.Progress) {
			if left--; left < 0 && p.Judged > 0 {
				cancel()
			}
		}
		_, err := r.Do(ctx)
		cancel()
		if err == nil {
			t.Logf("%d stops, with %d verdicts before the last", stops, len(triesAtVerdict))
			break
		}
		if !errors.Is(err, context.Canceled) || stops > 2*judgedAnswers {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // for requests that are under way
		for i, v := range journalVerdicts(t, journal) {
			answer := faults.answer(i)
			if _, known := triesAtVerdict[answer]; !known && v.Reply != "" {
				triesAtVerdict[answer] = server.Asked(answer)
			}
		}
		paths, _ := filepath.Glob(filepath.Join(cache, "*.jsonl"))
		for _, path := range append(paths, journal) {
			appendTornLine(t, path)
		}
		faults.Service = server.Impatient(t, cache)
	}
	for answer, n := range triesAtVerdict {
		if server.Asked(answer) != n {
			t.Errorf("%s had a verdict after %d tries and was asked %d times", answer, n, server.Asked(answer))
		}
	}
	for i, line := range readVerdicts(t, filepath.Join(r.Dir, "samples_answers.jsonl")) {
		if judged := i%len(words) < 2; line.Judged != judged || line.Verdict == "" {
			t.Errorf("document %d: %+v", i, line)
		}
	}
}

// journalVerdicts returns the verdicts in the journal of a stopped evaluation, by document.
func journalVerdicts(t *testing.T, path string) map[int]judge.Verdict {
	t.Helper()
	verdicts := map[int]judge.Verdict{}
	for line := range strings.Lines(readFile(t, path)) {
		var l struct {
			Value struct {
				Documents []int
				Verdicts  []judge.Verdict
			}
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		for i, document := range l.Value.Documents {
			verdicts[document] = l.Value.Verdicts[i]
		}
	}
	return verdicts
}

// judgedSample holds the fields of a line of samples that come from a judge.
type judgedSample struct {
	Judged  bool
	Verdict string
}

func readVerdicts(t *testing.T, path string) (lines []judgedSample) {
	t.Helper()
	for line := range strings.Lines(readFile(t, path)) {
		var s judgedSample
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, s)
	}
	if len(lines) != judgedAnswers {
		t.Errorf("%d samples, want %d", len(lines), judgedAnswers)
	}
	return lines
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// appendTornLine leaves the beginning of a line at a file's end, as a kill does.
func appendTornLine(t *testing.T, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(`{"question":"`); err != nil {
		t.Fatal(err)
	}
}

// replacingJudge asks a service about other answers than the model's.
type replacingJudge struct {
	*judge.Service
	answer func(document int) string
}

func (r *replacingJudge) Rate(ctx context.Context, answers []judge.Answer,
	report func(int, ...judge.Verdict) error) error {
	answers = slices.Clone(answers)
	for i := range answers {
		answers[i].Answer = r.answer(answers[i].Document)
	}
	return r.Service.Rate(ctx, answers, report)
}
