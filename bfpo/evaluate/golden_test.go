package evaluate

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// goldenSet is a folder of reference evaluations and the folder of the rows that were evaluated.
type goldenSet struct{ name, numbers, rows string }

// goldenSets returns the evaluations of the project's own rows and, where $BFPO_SHARED has them, evaluations of real
// rows.
func goldenSets(t testing.TB) []goldenSet {
	t.Helper()
	sets := []goldenSet{{"own", filepath.Join("testdata", "golden"), filepath.Join("testdata", "golden", "rows")}}
	if os.Getenv(fixture.EnvShared) != "" {
		sets = append(sets, goldenSet{"real", fixture.Shared(t, "golden-eval"), fixture.Shared(t, "data", "eval")})
	}
	return sets
}

// read decodes a file of reference numbers.
func (s goldenSet) read(t testing.TB, into any, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.numbers, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// smolLM2 opens SmolLM2-135M-Instruct.
func smolLM2(t testing.TB) *pretrained.Model {
	t.Helper()
	checkpoint, err := pretrained.Open(fixture.SmolLM2(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { checkpoint.Close() })
	return checkpoint
}

// goldenEncoder has the tokenizer of the GGUF file, which splits digits off first, as the published one does. The
// reference of the real rows was computed with a conversion that does not; ids differ only where white space of several
// letters stands before a digit, and no document of these tasks has that.
func goldenEncoder(t testing.TB, c *pretrained.Model) Encoder {
	t.Helper()
	tokenizer, err := tokenizer.New(c.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	return Encoder{Tokenizer: tokenizer, MaxLength: c.Config.MaxPositionEmbeddings}
}

func noSuggestion(string, []string) string { return "" }

func catalog(t testing.TB) task.Catalog {
	t.Helper()
	c, err := task.NewCatalog("", noSuggestion)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// golden is one file of a reference evaluation.
type golden struct {
	N       int `json:"n_docs"`
	Results map[string]any
	Docs    []struct {
		Context            any
		Continuations      any
		NContextTokens     []int     `json:"n_context_tokens"`
		ContinuationTokens [][]int32 `json:"continuation_tokens"`
		LogLikelihood      []float64 `json:"loglikelihood"`
		Greedy             []bool    `json:"is_greedy"`
		Gold               int
		Metrics            map[string]float64
	}
}

// goldenTasks are the reference evaluations that there are.
func goldenTasks() []string {
	return []string{
		"truthfulqa_mc1",
		"truthfulqa_mc2",
		"crows_pairs_english",
		"ethics_cm",
		"ethics_deontology",
		"ethics_justice",
		"ethics_utilitarianism",
		"ethics_virtue",
		"toxigen",
		"winogrande",
		"bigbench_bbq_lite_json_multiple_choice",
	}
}

// list reads one text or a list of texts.
func list(v any) []string {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	var out []string
	for _, item := range v.([]any) {
		out = append(out, item.(string))
	}
	return out
}

// Contexts, continuations, token ids and gold choices are those of lm-evaluation-harness.
func TestDocumentsGolden(t *testing.T) {
	encoder := goldenEncoder(t, smolLM2(t))
	for _, set := range goldenSets(t) {
		for _, name := range goldenTasks() {
			t.Run(set.name+"/"+name, func(t *testing.T) { set.checkDocuments(t, encoder, name) })
		}
	}
}

func (s goldenSet) checkDocuments(t *testing.T, encoder Encoder, name string) {
	var g golden
	s.read(t, &g, name)
	tasks, _, err := catalog(t).Select([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := NewPlan(context.Background(), tasks, task.Data{Folder: s.rows}, encoder, g.N)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(plan.tasks[0].documents); n != g.N || len(g.Docs) != g.N {
		t.Fatalf("%d documents, recorded %d of %d", n, len(g.Docs), g.N)
	}
	for i, want := range g.Docs {
		d, e := plan.tasks[0].documents[i], plan.tasks[0].encoded[i]
		continuations := list(want.Continuations)
		if _, single := want.Continuations.(string); single {
			continuations = slices.Repeat(continuations, len(d.Continuations))
		}
		if d.ID != i || d.Gold != want.Gold || !slices.Equal(d.Contexts, list(want.Context)) ||
			!slices.Equal(d.Continuations, continuations) {
			t.Errorf("document %d: %+v, want %+v", i, d, want)
			continue
		}
		for k, s := range e.sequences {
			if len(s.PromptIDs) != want.NContextTokens[k] || !slices.Equal(s.ResponseIDs, want.ContinuationTokens[k]) {
				t.Errorf("document %d, choice %d: ids %v after %d, want %v after %d", i, k, s.ResponseIDs, len(s.PromptIDs),
					want.ContinuationTokens[k], want.NContextTokens[k])
			}
		}
	}
}

// Log-likelihoods are those of lm-evaluation-harness with transformers, and so are metrics and standard errors.
func TestEvaluationGolden(t *testing.T) {
	checkpoint := smolLM2(t)
	encoder := goldenEncoder(t, checkpoint)
	d := graphtest.Device(t)
	if d.Platform() == device.PlatformGo {
		t.Skip("too slow on the pure Go backend")
	}
	model, err := mistral.Load(d, checkpoint, dtypes.Float32)
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	scorer := mistral.NewScorer(d, model.Config, model.Base, nil, dtypes.Float32).WithBF16x3() // as bfpo eval computes
	defer scorer.Close()
	for _, set := range goldenSets(t) {
		t.Run(set.name, func(t *testing.T) { set.checkEvaluation(t, encoder, scorer) })
	}
}

// checkEvaluation runs all tasks at once, each on the documents that the reference has of it.
func (s goldenSet) checkEvaluation(t *testing.T, encoder Encoder, scorer *mistral.Scorer) {
	tasks, _, err := catalog(t).Select(goldenTasks())
	if err != nil {
		t.Fatal(err)
	}
	plan, err := NewPlan(context.Background(), tasks, task.Data{Folder: s.rows}, encoder, 60)
	if err != nil {
		t.Fatal(err)
	}
	references := make([]golden, len(tasks))
	for i := range plan.tasks {
		s.read(t, &references[i], tasks[i].Name)
		plan.tasks[i].documents = plan.tasks[i].documents[:references[i].N]
		plan.tasks[i].encoded = plan.tasks[i].encoded[:references[i].N]
	}
	plan.chunks = plan.scoringChunks()
	dir := t.TempDir()
	results, err := Run{Plan: plan, Scorer: scorer, Tokenizer: encoder.Tokenizer, Dir: dir}.Do(context.Background())
	if err != nil {
		t.Fatalf("%+v", err)
	}
	for i, task := range results.Tasks {
		ties := references[i].checkSamples(t, tasks[i], plan.tasks[i].documents, readSamples(t, dir, task.Name))
		for _, m := range task.Metrics {
			results := references[i].Results
			mean, stderr := results[m.Name+",none"].(float64), results[m.Name+"_stderr,none"].(float64)
			t.Logf("%s %s: %.6f ± %.6f, reference %.6f ± %.6f", task.Name, m.Name, m.Mean, m.StdErr, mean, stderr)
			if ties == 0 && (math.Abs(m.Mean-mean) > 1e-3 || math.Abs(m.StdErr-stderr) > 1e-3) {
				t.Errorf("%s: %s is %g ± %g, want %g ± %g", task.Name, m.Name, m.Mean, m.StdErr, mean, stderr)
			}
		}
	}
}

// checkSamples compares log-likelihoods and metrics of each document. It returns in how many documents a metric is
// another one because two choices are equally likely.
func (g golden) checkSamples(
	t *testing.T,
	measured task.Task,
	documents []task.Document,
	lines []sampleLine,
) (ties int) {
	t.Helper()
	const tolerance, tie = 0.02, 1e-3 // nats
	worst := 0.0
	for j, line := range lines {
		want := g.Docs[j]
		for k, ll := range want.LogLikelihood {
			diff := math.Abs(line.LogLikelihoods[k] - ll)
			worst = max(worst, diff)
			if diff > tolerance || math.IsNaN(diff) {
				t.Errorf("%s, document %d, choice %d: log-likelihood %g, want %g", measured.Name, j, k, line.LogLikelihoods[k], ll)
			}
		}
		for _, m := range measured.Metrics {
			near := nearTie(m, documents[j], want.LogLikelihood, tie)
			exact := slices.Contains([]string{"acc", "acc_norm", "pct_stereotype"}, m.Kind)
			if got, want := line.Metrics[m.Name], want.Metrics[m.Name]; exact && got != want || math.Abs(got-want) > tolerance {
				if !near {
					t.Errorf("%s, document %d: %s is %g, want %g", measured.Name, j, m.Name, got, want)
				}
				ties++
				t.Logf("near tie: %s, document %d", measured.Name, j)
			}
		}
	}
	t.Logf("%s: %d documents, largest difference %.1e nat, %d near ties", measured.Name, len(lines), worst, ties)
	return ties
}

// nearTie reports whether a metric may come out otherwise when log-likelihoods change by little.
func nearTie(m task.Metric, d task.Document, ll []float64, margin float64) bool {
	values := slices.Clone(ll)
	if m.Kind == "acc_norm" {
		for i, c := range d.Choices {
			values[i] /= float64(len([]rune(c)))
		}
	}
	slices.Sort(values)
	n := len(values)
	return values[n-1]-values[n-2] < margin
}

// sampleLine is what tests read of a line of samples.
type sampleLine struct {
	ID             int       `json:"doc_id"`
	LogLikelihoods []float64 `json:"loglikelihoods"`
	Metrics        map[string]float64
	Answer         string
	Stop           string
	Judged         bool
	Safe           *bool
	Verdict        string
}

func readSamples(t testing.TB, dir, task string) (lines []sampleLine) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "samples_"+task+".jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var s sampleLine
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, s)
	}
	return lines
}
