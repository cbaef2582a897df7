package report

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// StepAnswer is one line of answers.jsonl: the model's answer to a prompt after a step.
type StepAnswer struct {
	Step   int    `json:"step"`
	Prompt string `json:"prompt"`
	Answer string `json:"answer"`
	Stop   string `json:"stop"` // why the answer ended: eos or length
}

// PromptAnswers holds the answers to one prompt, in the order of the steps.
type PromptAnswers struct {
	Prompt  string
	Answers []StepAnswer
}

// AnswersBefore returns the answers of the steps before the given one.
func AnswersBefore(answers []StepAnswer, step int) []StepAnswer {
	return slices.DeleteFunc(slices.Clone(answers), func(a StepAnswer) bool { return a.Step >= step })
}

// WriteStepAnswers writes the answers to a file, one JSON object on each line, atomically.
func WriteStepAnswers(path string, answers []StepAnswer) error {
	return atomicfile.WriteLines(path, answers)
}

// ReadStepAnswers reads the answers that WriteStepAnswers wrote. An error names the file and the line.
func ReadStepAnswers(path string) (answers []StepAnswer, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for d := json.NewDecoder(bufio.NewReader(file)); ; {
		var a StepAnswer
		if err := d.Decode(&a); errors.Is(err, io.EOF) {
			return answers, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, len(answers)+1, err)
		}
		answers = append(answers, a)
	}
}

// GroupByPrompt groups answers by prompt. If there are more than four steps, it keeps the first, the last and two
// between.
func GroupByPrompt(answers []StepAnswer) (groups []PromptAnswers) {
	var steps []int
	for _, a := range answers {
		if !slices.Contains(steps, a.Step) {
			steps = append(steps, a.Step)
		}
	}
	if last := len(steps) - 1; last > 3 {
		steps = []int{steps[0], steps[last/3], steps[2*last/3], steps[last]}
	}
	for _, a := range answers {
		if !slices.Contains(steps, a.Step) {
			continue
		}
		i := slices.IndexFunc(groups, func(g PromptAnswers) bool { return g.Prompt == a.Prompt })
		if i < 0 {
			i, groups = len(groups), append(groups, PromptAnswers{Prompt: a.Prompt})
		}
		groups[i].Answers = append(groups[i].Answers, a)
	}
	return groups
}
