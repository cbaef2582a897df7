package redteam

import (
	"crypto/sha256"
	"encoding/json"
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

// splitName is the folder with the splits train and test of the set.
const splitName = "set"

// holdOut chooses the questions that are not trained on: the given share of the distinct questions, namely those whose
// text has the smallest SHA-256. Neither the order of a file nor a seed changes the choice. Of two or more questions at
// least one is held out and at least one is not, unless the share is 0.
func holdOut(questions []string, share float64) map[string]bool {
	distinct := slices.Compact(slices.Sorted(slices.Values(questions)))
	slices.SortFunc(distinct, func(a, b string) int {
		x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
		return slices.Compare(x[:], y[:])
	})
	n := int(math.Round(share * float64(len(distinct))))
	if share > 0 {
		n = min(max(n, 1), len(distinct)-1)
	}
	heldOut := map[string]bool{}
	for _, question := range distinct[:max(n, 0)] {
		heldOut[question] = true
	}
	return heldOut
}

// splitRows divides the rows of a set by question. The given share of the questions goes to test.
func splitRows(rows []datasets.Preference, share float64) (train, test []datasets.Preference) {
	prompts := make([]string, len(rows))
	for i, row := range rows {
		prompts[i] = promptKey(row)
	}
	heldOut := holdOut(prompts, share)
	for i, row := range rows {
		if heldOut[prompts[i]] {
			test = append(test, row)
		} else {
			train = append(train, row)
		}
	}
	return train, test
}

// countShared counts the rows of test whose prompt occurs in train too.
func countShared(train, test []datasets.Preference) (n int) {
	trained := map[string]bool{}
	for _, row := range train {
		trained[promptKey(row)] = true
	}
	for _, row := range test {
		if trained[promptKey(row)] {
			n++
		}
	}
	return n
}

// promptKey returns the prompt of a row as one text. Rows are compared by it.
func promptKey(row datasets.Preference) string {
	if question, ok := singleQuestion(row); ok {
		return question
	}
	text, err := json.Marshal(row.Prompt)
	if err != nil || row.Prompt == nil {
		return row.PromptText
	}
	return string(text)
}

// singleQuestion returns the prompt of a row if it is one message of a user that is not empty.
func singleQuestion(row datasets.Preference) (question string, ok bool) {
	if len(row.Prompt) != 1 || row.Prompt[0].Role != "user" || strings.TrimSpace(row.Prompt[0].Content) == "" {
		return "", false
	}
	return row.Prompt[0].Content, true
}

// singleQuestions returns the distinct single questions of rows in their order.
func singleQuestions(rows []datasets.Preference) (questions []string) {
	seen := map[string]bool{}
	for _, row := range rows {
		if question, ok := singleQuestion(row); ok && !seen[question] {
			seen[question], questions = true, append(questions, question)
		}
	}
	return questions
}

// heldOutSource returns the set and the split of the held-out rows that a recipe names, or no split if it names none.
// required is false if the split may be missing: the recipe then names a test split of its training set only.
func heldOutSource(c recipe.Config) (mixer recipe.Mixer, split string, required bool) {
	split = data.FindSplit(c.DatasetSplits, "test")
	if len(c.EvalDatasetMixer) == 0 {
		return c.DatasetMixer, split, false
	}
	if split == "" {
		split = "test"
	}
	return c.EvalDatasetMixer, split, true
}

// writeSplit writes both splits of a set below dir as rows of prompt, chosen and rejected with their safety labels.
func writeSplit(dir string, train, test []datasets.Preference) error {
	dir = filepath.Join(dir, splitName)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("output folder: %w", err)
	}
	if err := atomicfile.WriteLines(filepath.Join(dir, "train.jsonl"), jsonRows(train)); err != nil {
		return err
	}
	return atomicfile.WriteLines(filepath.Join(dir, "test.jsonl"), jsonRows(test))
}

// jsonRows returns rows as the JSON objects of a set. Prompts and responses are lists of messages where the row has
// them, and formatted text otherwise.
func jsonRows(rows []datasets.Preference) []map[string]any {
	lines := make([]map[string]any, len(rows))
	for i, row := range rows {
		lines[i] = map[string]any{"prompt": row.PromptText, "chosen": row.ChosenText, "rejected": row.RejectedText,
			"is_chosen_safe": row.ChosenSafe, "is_rejected_safe": row.RejectedSafe}
		if row.Prompt != nil {
			lines[i]["prompt"], lines[i]["chosen"], lines[i]["rejected"] = row.Prompt, row.Chosen, row.Rejected
		}
	}
	return lines
}
