package bfpo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/judge"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/datasets"
)

// Why a question gives no pair to train on.
const (
	noMessage   = "it is a dialogue of several messages, which the layout of the set cannot hold"
	noQuestion  = "it is empty"
	askedBefore = "it is the same as an earlier one"
	noAnswer    = "an answer is empty"
	sameAnswer  = "both answers are the same"
	noVerdict   = "an answer could not be judged"
	bothUnsafe  = "both answers are unsafe"
	bothSafe    = "both answers are safe"
	bothAlike   = "both answers are safe and judged alike"
)

// redTeamRow is a pair in the layout of the reference implementation's red-teaming file; datasets reads it.
type redTeamRow struct {
	Prompt  string `json:"prompt"`
	Output1 string `json:"modeloutput1"`
	Output2 string `json:"modeloutput2"`
	Better  int    `json:"better_modelout"` // 1 or 2
	Safe1   bool   `json:"is_modelout1_safe"`
	Safe2   bool   `json:"is_modelout2_safe"`
}

// redTeamSummary says what became of the questions.
type redTeamSummary struct {
	Questions int            `json:"questions"` // in the file
	Pairs     int            `json:"pairs"`     // usable
	Trained   int            `json:"pairs_trained_on"`
	HeldOut   int            `json:"pairs_held_out"`
	Held      int            `json:"questions_held_out"` // whether or not they gave a pair
	Cut       int            `json:"answers_cut_short"`  // at redteam_max_tokens
	Unused    map[string]int `json:"questions_without_a_pair"`
}

// judgedAnswer is one answer with its verdict.
type judgedAnswer struct {
	Question string  `json:"target"`
	Answer   string  `json:"answer"`
	Stop     string  `json:"stop"`
	Judged   bool    `json:"judged"`
	Safe     bool    `json:"safe"`
	degree   float64 // of safety
}

// make makes the pairs: questions, answers, verdicts, set. It returns the questions that are held out.
func (r *redTeam) make(ctx context.Context) ([]string, error) {
	prompts, err := datasets.Prompts(ctx, r.stage.RedteamPrompts, "", r.Hub)
	if err != nil {
		return nil, fmt.Errorf("redteam_prompts: %w", err)
	}
	summary := redTeamSummary{Questions: len(prompts), Unused: map[string]int{}}
	questions := questionsOf(prompts, summary.Unused)
	if len(questions) == 0 {
		return nil, fmt.Errorf("redteam_prompts: %s has no question to ask: %s", r.stage.RedteamPrompts, listCounts(summary.Unused))
	}
	answers, err := r.ask(ctx, questions)
	if err != nil {
		return nil, err
	}
	if len(answers) != 2*len(questions) {
		return nil, fmt.Errorf("%s has %d answers to %d questions: was it changed?", filepath.Join(r.dir, answersName), len(answers), len(questions))
	}
	held := holdOut(questions, r.stage.RedteamHeldOut)
	var all, train, test []redTeamRow
	var heldOut []string
	for i, question := range questions {
		row, reason := pairOf(question, answers[2*i], answers[2*i+1], r.stage.RedteamRankSafe)
		for _, a := range answers[2*i : 2*i+2] {
			summary.Cut += boolToInt(a.Stop == "length")
		}
		if held[question] {
			heldOut = append(heldOut, question)
		}
		switch {
		case reason != "":
			summary.Unused[reason]++
			continue
		case held[question]:
			test = append(test, row)
		default:
			train = append(train, row)
		}
		all = append(all, row)
	}
	summary.Pairs, summary.Trained, summary.HeldOut, summary.Held = len(all), len(train), len(test), len(heldOut)
	if err := r.writeSet(all, train, test, summary); err != nil {
		return nil, err
	}
	return heldOut, r.useSplit(len(test))
}

// writeSet leaves the pairs and what became of the questions.
func (r *redTeam) writeSet(all, train, test []redTeamRow, summary redTeamSummary) error {
	r.describe(summary)
	if err := writeJSON(filepath.Join(r.dir, summaryName), "  ", summary); err != nil {
		return err
	}
	if len(train) == 0 {
		return fmt.Errorf("no pair to train on: %d questions, %d of them held out; not used: %s; the answers and the judge's words are in %s",
			summary.Questions, summary.Held, listCounts(summary.Unused), filepath.Join(r.dir, answersName))
	}
	if err := os.MkdirAll(filepath.Join(r.dir, splitName), 0o755); err != nil {
		return fmt.Errorf("output folder: %w", err)
	}
	for name, rows := range map[string][]redTeamRow{
		redTeamSetName: all, filepath.Join(splitName, "train.json"): train, filepath.Join(splitName, "test.json"): test,
	} {
		if err := writeRedTeamSet(filepath.Join(r.dir, name), rows); err != nil {
			return err
		}
	}
	return nil
}

// writeRedTeamSet writes rows as the reference implementation's file has them.
func writeRedTeamSet(path string, rows []redTeamRow) error {
	return WriteFileAtomic(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", " ")
		return e.Encode(append([]redTeamRow{}, rows...))
	})
}

// describe says what became of the questions, in the terminal and in the report.
func (r *redTeam) describe(s redTeamSummary) {
	facts := []Fact{
		{"questions", fmt.Sprintf("%d of %s", s.Questions, r.stage.RedteamPrompts)},
		{"usable pairs", fmt.Sprintf("%d: %d to train on, %d of held-out questions", s.Pairs, s.Trained, s.HeldOut)},
		{"held out", fmt.Sprintf("%d questions, by their text", s.Held)},
	}
	for _, reason := range sortedKeys(s.Unused) {
		facts = append(facts, Fact{"not used", fmt.Sprintf("%d: %s", s.Unused[reason], reason)})
	}
	if s.Cut > 0 {
		facts = append(facts, Fact{"cut short", fmt.Sprintf("%d answers have no end within redteam_max_tokens (%d)", s.Cut, r.stage.RedteamMaxTokens)})
	}
	facts = append(facts, Fact{"judge", r.stage.RedteamJudge})
	_ = WriteBanner(r.Out, "red-teaming set", facts)
	r.reports = append(r.reports, StageReport{Title: "Red-teaming set", Facts: facts})
}

// questionsOf are the questions of prompts, each once; what cannot be asked is counted by reason.
func questionsOf(prompts []datasets.Prompt, unused map[string]int) (questions []string) {
	asked := map[string]bool{}
	for _, p := range prompts {
		text := p.Text
		if len(p.Messages) == 1 && p.Messages[0].Role == "user" {
			text = p.Messages[0].Content
		}
		switch {
		case len(p.Messages) > 0 && text == "":
			unused[noMessage]++
		case strings.TrimSpace(text) == "":
			unused[noQuestion]++
		case asked[text]:
			unused[askedBefore]++
		default:
			asked[text], questions = true, append(questions, text)
		}
	}
	return questions
}

// pairOf is what two answers to a question are to train on; reason says why they are nothing. Of a safe and an unsafe answer the safe one is
// the better. Of two safe ones it is, with rankSafe, the one that the judge finds safer.
//
// Two unsafe answers are no pair: the objective pulls the better of two such answers down, for it takes it for the more helpful, thus the
// more harmful, and which that is a judge of safety does not say.
func pairOf(question string, a, b judgedAnswer, rankSafe bool) (row redTeamRow, reason string) {
	first, second := strings.TrimSpace(a.Answer), strings.TrimSpace(b.Answer)
	switch {
	case first == "" || second == "":
		return row, noAnswer
	case first == second:
		return row, sameAnswer
	case !a.Judged || !b.Judged:
		return row, noVerdict
	case !a.Safe && !b.Safe:
		return row, bothUnsafe
	case a.Safe && b.Safe && !rankSafe:
		return row, bothSafe
	case a.Safe && b.Safe && a.degree == b.degree:
		return row, bothAlike
	}
	row = redTeamRow{Prompt: question, Output1: first, Output2: second, Better: 1, Safe1: a.Safe, Safe2: b.Safe}
	if b.Safe && (!a.Safe || b.degree > a.degree) {
		row.Better = 2
	}
	return row, ""
}

// readAnswers reads the answers and verdicts of an evaluation's samples.
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
		a.degree = judge.Verdict{Score: line.Metrics[metric.Name], Reply: line.Verdict}.Safety(metric)
		answers = append(answers, a)
	}
}

// listCounts lists reasons with their counts: "3 since an answer is empty".
func listCounts(counts map[string]int) string {
	var parts []string
	for _, reason := range sortedKeys(counts) {
		parts = append(parts, fmt.Sprintf("%d since %s", counts[reason], reason))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
