package redteam

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
	"github.com/bfpo-go/bfpo/mistral"
)

// Files of the set in the folder redteam of a run.
const (
	pairsName   = "redteam.json" // all usable pairs, in the layout of the original code
	summaryName = "summary.json" // the summary
)

// summary counts what became of the questions.
type summary struct {
	Questions        int            `json:"questions"` // in the file, usable or not
	Pairs            int            `json:"pairs"`
	TrainPairs       int            `json:"pairs_trained_on"`
	HeldOutPairs     int            `json:"pairs_held_out"`
	HeldOutQuestions int            `json:"questions_held_out"` // with and without a pair
	CutShort         int            `json:"answers_cut_short"`  // at redteam_max_tokens
	Unused           map[string]int `json:"questions_without_a_pair"`
}

// pairSet is the red-teaming set that a run makes.
type pairSet struct {
	train, test []pairRow
	all         []pairRow // train and test, in the order of the questions
	heldOut     []string  // the questions that are not trained on, with and without a pair
	summary     summary
}

// newPairSet makes the set of the answers to questions, two answers after another for each question. It completes the
// summary s, which counts the prompts that are no questions.
func newPairSet(questions []string, answers []judgedAnswer, c recipe.Config, s summary) pairSet {
	var set pairSet
	heldOut := holdOut(questions, c.RedteamHeldOut)
	for i, question := range questions {
		first, second := answers[2*i], answers[2*i+1]
		for _, a := range []judgedAnswer{first, second} {
			if a.Stop == mistral.StopLength {
				s.CutShort++
			}
		}
		if heldOut[question] {
			set.heldOut = append(set.heldOut, question)
		}
		row, reason := makePair(question, first, second, c.RedteamRankSafe)
		switch {
		case reason != "":
			s.Unused[reason]++
			continue
		case heldOut[question]:
			set.test = append(set.test, row)
		default:
			set.train = append(set.train, row)
		}
		set.all = append(set.all, row)
	}
	s.Pairs, s.TrainPairs, s.HeldOutPairs = len(set.all), len(set.train), len(set.test)
	s.HeldOutQuestions = len(set.heldOut)
	set.summary = s
	return set
}

// write writes the summary and the pairs to dir. A set without a pair to train on is an error; its summary is written.
func (s pairSet) write(dir string) error {
	if err := atomicfile.WriteJSON(filepath.Join(dir, summaryName), "  ", s.summary); err != nil {
		return err
	}
	if len(s.train) == 0 {
		return fmt.Errorf("no pair to train on: %d questions, %d of them held out; not used: %s",
			s.summary.Questions, s.summary.HeldOutQuestions, listReasons(s.summary.Unused))
	}
	if err := os.MkdirAll(filepath.Join(dir, splitName), 0o755); err != nil {
		return fmt.Errorf("output folder: %w", err)
	}
	for _, file := range []struct {
		name string
		rows []pairRow
	}{
		{pairsName, s.all},
		{filepath.Join(splitName, "train.json"), s.train},
		{filepath.Join(splitName, "test.json"), s.test},
	} {
		if err := writePairs(filepath.Join(dir, file.name), file.rows); err != nil {
			return err
		}
	}
	return nil
}

// writePairs writes rows as one JSON list, as the original code's red-teaming file has them.
func writePairs(path string, rows []pairRow) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", " ")
		return e.Encode(append([]pairRow{}, rows...)) // no rows are [], not null
	})
}

// facts returns the summary for the terminal and the report. c is the recipe that the set was made with.
func (s summary) facts(c recipe.Config) []report.Fact {
	facts := []report.Fact{
		{Name: "questions", Value: fmt.Sprintf("%d in %s", s.Questions, c.RedteamPrompts)},
		{Name: "usable pairs", Value: fmt.Sprintf("%d: %d to train on, %d of held-out questions",
			s.Pairs, s.TrainPairs, s.HeldOutPairs)},
		{Name: "held out", Value: fmt.Sprintf("%d questions, chosen by their text", s.HeldOutQuestions)},
	}
	for _, reason := range slices.Sorted(maps.Keys(s.Unused)) {
		facts = append(facts, report.Fact{Name: "not used", Value: fmt.Sprintf("%d: %s", s.Unused[reason], reason)})
	}
	if s.CutShort > 0 {
		facts = append(facts, report.Fact{Name: "cut short", Value: fmt.Sprintf(
			"%d answers reached redteam_max_tokens (%d) before their end", s.CutShort, c.RedteamMaxTokens)})
	}
	return append(facts, report.Fact{Name: "judge", Value: c.RedteamJudge})
}

// listReasons lists reasons with their counts, e.g. "3 because an answer is empty".
func listReasons(counts map[string]int) string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d because %s", counts[reason], reason))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
