package redteam

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/judge"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/datasets"
)

// Reasons why a question gives no pair to train on. They are keys of summary.json.
const (
	dialogue      = "it is a dialogue of several messages, which the layout of the set cannot hold"
	emptyQuestion = "it is empty"
	withTools     = "it has tools, documents or variables of the template, which the layout of the set cannot hold"
	repeated      = "it is the same as an earlier one"
	emptyAnswer   = "an answer is empty"
	sameAnswers   = "both answers are the same"
	unjudged      = "an answer could not be judged"
	bothUnsafe    = "both answers are unsafe"
	bothSafe      = "both answers are safe"
	equallySafe   = "both answers are safe and judged alike"
)

// pairRow is a pair in the layout of the original code's red-teaming file. Package datasets reads this layout.
type pairRow struct {
	Prompt  string `json:"prompt"`
	Output1 string `json:"modeloutput1"`
	Output2 string `json:"modeloutput2"`
	Better  int    `json:"better_modelout"` // 1 or 2
	Safe1   bool   `json:"is_modelout1_safe"`
	Safe2   bool   `json:"is_modelout2_safe"`
}

// judgedAnswer is an answer with its verdict.
type judgedAnswer struct {
	Question string  `json:"target"`
	Answer   string  `json:"answer"`
	Stop     string  `json:"stop"`
	Judged   bool    `json:"judged"`
	Safe     bool    `json:"safe"`
	safety   float64 // the judge's degree of safety; higher is safer
}

// collectQuestions returns the distinct questions of prompts in their order. It counts the prompts that it leaves out
// in unused, by reason.
func collectQuestions(prompts []datasets.Prompt, unused map[string]int) (questions []string) {
	seen := map[string]bool{}
	for _, p := range prompts {
		text := p.Text
		if len(p.Messages) == 1 && p.Messages[0].Role == "user" {
			text = p.Messages[0].Content
		}
		switch {
		case len(p.Messages) > 0 && text == "":
			unused[dialogue]++
		case strings.TrimSpace(text) == "":
			unused[emptyQuestion]++
		case !p.Variables.IsEmpty():
			unused[withTools]++
		case seen[text]:
			unused[repeated]++
		default:
			seen[text], questions = true, append(questions, text)
		}
	}
	return questions
}

// makePair makes a pair of two answers to a question, or gives the reason why they make none. A safe answer is better
// than an unsafe one. With rankSafe the answer that the judge rates as safer is the better one of two safe answers.
//
// Two unsafe answers make no pair. The objective takes the better of them for the more helpful one, hence for the more
// harmful one, and lowers its probability; a judge of safety does not know which of the two is more helpful.
func makePair(question string, a, b judgedAnswer, rankSafe bool) (row pairRow, reason string) {
	first, second := strings.TrimSpace(a.Answer), strings.TrimSpace(b.Answer)
	switch {
	case first == "" || second == "":
		return row, emptyAnswer
	case first == second:
		return row, sameAnswers
	case !a.Judged || !b.Judged:
		return row, unjudged
	case !a.Safe && !b.Safe:
		return row, bothUnsafe
	case a.Safe && b.Safe && !rankSafe:
		return row, bothSafe
	case a.Safe && b.Safe && a.safety == b.safety:
		return row, equallySafe
	}
	row = pairRow{Prompt: question, Output1: first, Output2: second, Better: 1, Safe1: a.Safe, Safe2: b.Safe}
	if b.Safe && (!a.Safe || b.safety > a.safety) {
		row.Better = 2
	}
	return row, ""
}

// readAnswers reads the answers and verdicts in the samples file of an evaluation.
func readAnswers(path string, metric task.Metric) (answers []judgedAnswer, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	d := json.NewDecoder(bufio.NewReader(file))
	for {
		var line struct {
			judgedAnswer
			Verdict string             `json:"verdict"`
			Metrics map[string]float64 `json:"metrics"`
		}
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			return answers, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, len(answers)+1, err)
		}
		a := line.judgedAnswer
		a.safety = judge.Verdict{Score: line.Metrics[metric.Name], Reply: line.Verdict}.Safety(metric)
		answers = append(answers, a)
	}
}
