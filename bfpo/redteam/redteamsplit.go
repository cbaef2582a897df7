package redteam

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// holdOut chooses the questions that are not trained on: the given share of the different ones, those whose text has the smallest SHA-256.
// So neither the order of a file nor a seed decides, and the same question is always on the same side of the same set. Of two questions
// or more at least one is held out and at least one is not, unless the share is 0.
func holdOut(questions []string, share float64) map[string]bool {
	different := slices.Compact(slices.Sorted(slices.Values(questions)))
	slices.SortFunc(different, func(a, b string) int {
		x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
		return slices.Compare(x[:], y[:])
	})
	n := int(math.Round(share * float64(len(different))))
	if share > 0 {
		n = min(max(n, 1), len(different)-1)
	}
	held := map[string]bool{}
	for _, question := range different[:max(n, 0)] {
		held[question] = true
	}
	return held
}

// useSplit lets training and evaluation read the split set.
func (r *redTeam) useSplit(heldOut int) error {
	folder, err := filepath.Abs(filepath.Join(r.dir, splitName))
	r.stage.DatasetMixer, r.stage.DatasetSplits, r.stage.EvalDatasetMixer = recipe.Mixer{{Name: folder, Fraction: 1}}, []string{"train", "test"}, nil
	if heldOut == 0 {
		r.Notice("no held-out question has a usable pair: the table has no preferences, and nothing is evaluated while training")
		r.stage.DoEval, r.stage.EvaluationStrategy, r.stage.LoadBestModelAtEnd = false, "no", false
		return err
	}
	r.eval.DatasetMixer = append(slices.Clone(r.eval.DatasetMixer), r.stage.DatasetMixer...)
	return err
}

// read splits the recipe's own set, unless the recipe names held-out rows. It returns the questions that are held out.
func (r *redTeam) read(ctx context.Context) ([]string, error) {
	c := r.stage
	mixture := data.Mixture(c, c.DatasetMixer, data.SplitOf(c.DatasetSplits, "train"), r.Hub)
	mixture.Shuffle = false // training does
	rows, _, err := mixture.Preferences(ctx)
	if err != nil {
		return nil, fmt.Errorf("main set: %w", err)
	}
	test, err := r.namedTest(ctx)
	if err != nil {
		return nil, fmt.Errorf("held out set: %w", err)
	}
	questions := make([]string, len(rows))
	for i, row := range rows {
		questions[i] = promptKey(row)
	}
	if len(test) > 0 {
		trained, shared := setOf(questions), 0
		for _, row := range test {
			if trained[promptKey(row)] {
				shared++
			}
		}
		if shared > 0 {
			r.Notice("%d of the %d held-out rows ask what is trained on too", shared, len(test))
		}
		return singleQuestions(test), nil
	}
	held := holdOut(questions, c.RedteamHeldOut)
	var train []datasets.Preference
	for i, row := range rows {
		if held[questions[i]] {
			test = append(test, row)
		} else {
			train = append(train, row)
		}
	}
	if err := r.writeSplit(train, test); err != nil {
		return nil, err
	}
	r.Notice("%d rows to train on and %d held out, split by question", len(train), len(test))
	return singleQuestions(test), r.useSplit(len(test))
}

// namedTest are the held-out rows that the recipe names; none where it names none, or names a split that its set lacks.
func (r *redTeam) namedTest(ctx context.Context) ([]datasets.Preference, error) {
	c := r.stage
	mixer, split := c.EvalDatasetMixer, data.SplitOf(c.DatasetSplits, "test")
	given := len(mixer) > 0
	switch {
	case given && split == "":
		split = "test"
	case !given && split == "":
		return nil, nil
	case !given:
		mixer = c.DatasetMixer
	}
	mixture := data.Mixture(c, mixer, split, r.Hub)
	mixture.HeldOut, mixture.Shuffle = given, false
	rows, _, err := mixture.Preferences(ctx)
	if errors.Is(err, datasets.ErrNoSplit) && !given {
		return nil, nil
	}
	if len(r.eval.DatasetMixer) == 0 {
		r.eval.DatasetMixer, r.eval.DatasetSplits = mixer, []string{split}
	}
	return rows, err
}

// promptKey is what a row asks, for telling whether two rows ask the same.
func promptKey(p datasets.Preference) string {
	if question, ok := singleQuestion(p); ok {
		return question
	}
	text, err := json.Marshal(p.Prompt)
	if err != nil || p.Prompt == nil {
		return p.PromptText
	}
	return string(text)
}

// singleQuestion is what a row asks where that is one message of a user.
func singleQuestion(p datasets.Preference) (string, bool) {
	if len(p.Prompt) != 1 || p.Prompt[0].Role != "user" || strings.TrimSpace(p.Prompt[0].Content) == "" {
		return "", false
	}
	return p.Prompt[0].Content, true
}

// singleQuestions are the different questions of rows.
func singleQuestions(rows []datasets.Preference) (questions []string) {
	seen := map[string]bool{}
	for _, row := range rows {
		if question, ok := singleQuestion(row); ok && !seen[question] {
			seen[question], questions = true, append(questions, question)
		}
	}
	return questions
}

func setOf(texts []string) map[string]bool {
	set := map[string]bool{}
	for _, text := range texts {
		set[text] = true
	}
	return set
}

// writeSplit leaves both sides of a set as {prompt, chosen, rejected} with their labels.
func (r *redTeam) writeSplit(train, test []datasets.Preference) error {
	folder := filepath.Join(r.dir, splitName)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("output folder: %w", err)
	}
	for name, rows := range map[string][]datasets.Preference{"train.jsonl": train, "test.jsonl": test} {
		var lines []any
		for _, row := range rows {
			line := map[string]any{"prompt": row.PromptText, "chosen": row.ChosenText, "rejected": row.RejectedText,
				"is_chosen_safe": row.ChosenSafe, "is_rejected_safe": row.RejectedSafe}
			if row.Prompt != nil {
				line["prompt"], line["chosen"], line["rejected"] = row.Prompt, row.Chosen, row.Rejected
			}
			lines = append(lines, line)
		}
		if err := atomicfile.WriteLines(filepath.Join(folder, name), lines); err != nil {
			return err
		}
	}
	return nil
}

// writeQuestions writes one {"prompt": question} a line.
func writeQuestions(path string, questions []string) error {
	var lines []any
	for _, question := range questions {
		lines = append(lines, map[string]string{"prompt": question})
	}
	return atomicfile.WriteLines(path, lines)
}

// literal is a pattern that matches one path alone.
func literal(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
