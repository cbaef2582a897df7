package study

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/bfpo-go/bfpo/bfpo/measure"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// Names of the files in the output folder.
const (
	ResultFile  = "study.json"
	PageFile    = "study.html"
	csvFile     = "study.csv"
	rowsFile    = "rows.jsonl"
	answersFile = "answers.jsonl"
)

// resultFiles lists them.
func resultFiles() []string { return []string{ResultFile, PageFile, csvFile, rowsFile, answersFile} }

// row is a line of rows.jsonl: one held-out pair and one run.
type row struct {
	Name         string     `json:"name"`
	Seed         int64      `json:"seed"`
	ID           string     `json:"id"`
	ChosenSafe   bool       `json:"is_chosen_safe"`
	RejectedSafe bool       `json:"is_rejected_safe"`
	LogProbs     [2]float64 `json:"logps"`     // of chosen and rejected, summed over tokens, in nats
	Reference    [2]float64 `json:"ref_logps"` // by the model before training
	Margin       float64    `json:"margin"`    // logps less ref_logps, chosen less rejected
}

// answerRow is a line of answers.jsonl: one prompt and one run, or the model before training (name "before").
type answerRow struct {
	Name    string `json:"name"`
	Seed    int64  `json:"seed"`
	Prompt  string `json:"prompt"`
	Answer  string `json:"answer"`
	Tokens  int    `json:"tokens"`
	Ended   bool   `json:"ended"`   // by an end token, not by max_tokens
	Refuses bool   `json:"refuses"` // by its wording
}

// write writes all files of a study; study.json comes last.
func write(dir, version string, r Result, before measure.HeldOut, all []measured) error {
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := atomicfile.Write(path(rowsFile), func(w io.Writer) error { return writeRows(w, before, all) }); err != nil {
		return err
	}
	answers := func(w io.Writer) error { return writeAnswers(w, before, all) }
	if err := atomicfile.Write(path(answersFile), answers); err != nil {
		return err
	}
	if err := atomicfile.Write(path(csvFile), r.writeCSV); err != nil {
		return err
	}
	if err := writePage(path(PageFile), version, r, before, all); err != nil {
		return err
	}
	return atomicfile.WriteJSON(path(ResultFile), "  ", r)
}

// writeRows writes the log-probabilities of every pair in every run.
func writeRows(w io.Writer, before measure.HeldOut, all []measured) error {
	e := json.NewEncoder(w)
	for _, m := range all {
		for i, p := range m.Preferences {
			reference := before.Preferences[i]
			err := e.Encode(row{
				Name: m.setting.Name, Seed: m.seed, ID: p.ID, ChosenSafe: p.ChosenSafe, RejectedSafe: p.RejectedSafe,
				LogProbs: [2]float64{p.Chosen, p.Rejected}, Reference: [2]float64{reference.Chosen, reference.Rejected},
				Margin: p.Margin() - reference.Margin(),
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// writeAnswers writes the answers of the model before training and of every run.
func writeAnswers(w io.Writer, before measure.HeldOut, all []measured) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	write := func(name string, seed int64, m measure.HeldOut) error {
		for i, a := range m.Answers {
			err := e.Encode(answerRow{
				Name: name, Seed: seed, Prompt: promptText(m.Prompts[i]), Answer: a.Text, Tokens: len(a.IDs), Ended: a.Ended,
				Refuses: measure.Refuses(a.Text),
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	err := write(beforeName, 0, before)
	for i := 0; err == nil && i < len(all); i++ {
		err = write(all[i].setting.Name, all[i].seed, all[i].HeldOut)
	}
	return err
}

// writeCSV writes every metric of every run on a line.
func (r Result) writeCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	lines := [][]string{{"name", "seed", "metric", "value"}}
	add := func(name, seed string, values map[string]float64) {
		for _, metric := range slices.Sorted(maps.Keys(values)) {
			lines = append(lines, []string{name, seed, metric, strconv.FormatFloat(values[metric], 'g', -1, 64)})
		}
	}
	add(beforeName, "", r.Before)
	for _, run := range r.Runs {
		add(run.Name, strconv.FormatInt(run.Seed, 10), run.Metrics)
	}
	return c.WriteAll(lines)
}
