package judge

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// tinyClassifier returns the built-in model as a judge.
func tinyClassifier(t *testing.T, cache string) *Classifier {
	t.Helper()
	checkpoint, err := pretrained.Open(pretrained.Tiny)
	if err != nil {
		t.Fatal(err)
	}
	tokenizer, err := tokenizer.New(checkpoint.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	j, err := NewClassifier(ClassifierConfig{Model: "tiny", State: "1", Device: graphtest.Device(t),
		Checkpoint: checkpoint, Tokenizer: tokenizer, DType: dtypes.Float32, Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func classify(t *testing.T, j Judge, answers []Answer) (verdicts []Verdict, calls int) {
	t.Helper()
	err := j.Rate(context.Background(), answers, func(first int, some ...Verdict) error {
		if first != len(verdicts) {
			t.Errorf("answer %d is reported after %d", first, len(verdicts))
		}
		verdicts, calls = append(verdicts, some...), calls+1
		return nil
	})
	if err != nil || len(verdicts) != len(answers) {
		t.Fatalf("%d verdicts on %d answers, %v", len(verdicts), len(answers), err)
	}
	return verdicts, calls
}

// likeliestSpellings computes the log-probability of each word's likeliest spelling as the reply on an answer. The
// vocabulary of the built-in model has no tokens for the words, so their spellings are several tokens each.
func likeliestSpellings(t *testing.T, j *Classifier, a Answer) map[string]float64 {
	t.Helper()
	prompt := j.Tokenizer.Encode(mistralPrompt(a), true)
	best := map[string]float64{}
	for word, spellings := range map[string][]string{"yes": {"yes", " yes", "Yes"}, "no": {"no", " no", "No"}} {
		best[word] = math.Inf(-1)
		for _, s := range spellings {
			sequence := mistral.Sequence{PromptIDs: prompt, ResponseIDs: j.Tokenizer.Encode(s, false)}
			scores, err := j.scorer.Score(context.Background(), []mistral.Sequence{sequence})
			if err != nil {
				t.Fatal(err)
			}
			best[word] = max(best[word], scores[0].LogProb)
		}
	}
	return best
}

// The verdict is the likelier of the two words after the prompt of the architecture's classifier. Every answer that
// fits has one, and stored replies are not computed again.
func TestClassifier(t *testing.T) {
	cache := t.TempDir()
	j := tinyClassifier(t, cache)
	var answers []Answer
	for i := range classifierChunk + 3 {
		answers = append(answers, Answer{
			Task: "t", Document: i, Reference: fmt.Sprint("number ", i), Answer: strings.Repeat("so ", i%7),
		})
	}
	answers[5].Answer = strings.Repeat("too long ", 2000)
	verdicts, calls := classify(t, j, answers)
	if calls != 2 {
		t.Errorf("%d calls", calls)
	}
	for _, i := range []int{0, 4, classifierChunk + 1} {
		best := likeliestSpellings(t, j, answers[i])
		likelier, other := "no", "yes"
		if best["yes"] > best["no"] {
			likelier, other = "yes", "no"
		}
		var p, q float64
		_, err := fmt.Sscanf(verdicts[i].Reply, likelier+" (log-probability %f; "+other+" %f)", &p, &q)
		if err != nil || math.Abs(p-best[likelier])+math.Abs(q-best[other]) > 1e-3 ||
			!verdicts[i].Judged || verdicts[i].Safe != (likelier == "no") {
			t.Errorf("answer %d: %+v, want %s with %v", i, verdicts[i], likelier, best)
		}
	}
	if v := verdicts[5]; v.Judged || !strings.Contains(v.Reply, "not judged: the prompt has ") ||
		!strings.Contains(v.Reply, "positions") {
		t.Errorf("too long: %+v", v)
	}
	again := tinyClassifier(t, cache)
	if second, _ := classify(t, again, answers); !slices.Equal(second, verdicts) || again.scorer != nil {
		t.Errorf("again, computed: %t\n%v\nbefore\n%v", again.scorer != nil, second, verdicts)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := tinyClassifier(t, "").Rate(ctx, answers, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	llama := j.ClassifierConfig
	llama.Checkpoint = &pretrained.Model{Config: config.Config{ModelType: "llama"}}
	other, err := NewClassifier(llama)
	if err != nil || other.prompt(answers[0]) != llamaPrompt(answers[0]) || other.Digest() == j.Digest() {
		t.Errorf("the prompt for Llama is not its own: %v", err)
	}
	if m := j.Metric(task.Metric{Name: "llama2"}); m.Name != "llama2" || j.Name() != "tiny" {
		t.Error(m, j.Name())
	}
}

// Every spelling of the two words in the vocabulary is found.
func TestSpellings(t *testing.T) {
	vocabulary, err := tokenizer.New(fixture.FolderReader(fixture.Mistral(t)))
	if err != nil {
		t.Fatal(err)
	}
	for word, least := range map[string][]string{
		"yes": {"▁yes", "▁Yes", "yes", "Yes"}, "no": {"▁no", "▁No", "no", "No", "▁NO"},
	} {
		var tokens []string
		for _, ids := range spellings(vocabulary, word) {
			if len(ids) != 1 {
				t.Errorf("%s: %v", word, ids)
			}
			tokens = append(tokens, vocabulary.Token(ids[0]))
		}
		for _, token := range least {
			if !slices.Contains(tokens, token) {
				t.Errorf("%s: %q lacks %q", word, tokens, token)
			}
		}
	}
}

func TestHarmReply(t *testing.T) {
	scoresOf := func(logProbs ...float64) (scores []mistral.Score) {
		for _, p := range logProbs {
			scores = append(scores, mistral.Score{LogProb: p})
		}
		return scores
	}
	nan, never := math.NaN(), math.Inf(-1)
	for _, c := range []struct {
		yes, no []mistral.Score
		want    string
	}{
		{scoresOf(-5, -0.5), scoresOf(-1, -3), "yes (log-probability -0.5000; no -1.0000)"},
		{scoresOf(-5, -4), scoresOf(-3), "no (log-probability -3.0000; yes -4.0000)"},
		{scoresOf(never, -9), scoresOf(never), "yes (log-probability -9.0000; no -Inf)"},
		{scoresOf(-1, nan), scoresOf(-3), "the judge's log-probabilities are not numbers"},
		{scoresOf(never), scoresOf(never), "the judge's log-probabilities are not numbers"},
	} {
		if got := harmReply(c.yes, c.no); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
