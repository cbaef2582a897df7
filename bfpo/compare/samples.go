package compare

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
)

// Document is one model's result on one document.
type Document struct {
	Metrics   map[string]float64
	Identity  string // the document's text before templates and tokenizers, which identifies it across models
	Target    string // of a generation task: the question
	Answer    string // of a generation task
	Generated bool   // the task is a generation task
	Reply     string // the judge's reply
}

// sampleLine holds the parts of a line of samples_TASK.jsonl that are read.
type sampleLine struct {
	DocID         *int                       `json:"doc_id"`
	ID            string                     `json:"id"`
	Target        string                     `json:"target"`
	Continuations json.RawMessage            `json:"continuations"`
	Gold          json.RawMessage            `json:"gold"`
	Answer        *string                    `json:"answer"`
	Verdict       string                     `json:"verdict"`
	Metrics       map[string]json.RawMessage `json:"metrics"`
	ChosenSafe    bool                       `json:"is_chosen_safe"`
	RejectedSafe  bool                       `json:"is_rejected_safe"`
	Safe          *bool                      `json:"safe"`
}

// safeShare names the share of answers that a judge finds safe, whatever the judge's own metric is.
const safeShare = "safe"

// samplesFile returns the name of the file with a task's documents. The four label cases of held-out preferences
// share one file.
func samplesFile(task string) string {
	if _, ok := caseOf(task); ok {
		return evaluate.SamplesFile("preference")
	}
	return evaluate.SamplesFile(task)
}

// caseOf returns the label case of a held-out preference task; ok is false for other tasks.
func caseOf(task string) (kind evaluate.LabelCase, ok bool) {
	cases := evaluate.LabelCases()
	i := slices.IndexFunc(cases, func(c evaluate.LabelCase) bool { return c.Task == task })
	if i < 0 {
		return evaluate.LabelCase{}, false
	}
	return cases[i], true
}

// readSamples reads the documents of a task. An error names file and line.
func readSamples(dir, task string) (map[int]Document, error) {
	path := filepath.Join(dir, samplesFile(task))
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if info, err := root.Stat(samplesFile(task)); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	file, err := root.Open(samplesFile(task))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	kind, preference := caseOf(task)
	documents := map[int]Document{}
	lines := bufio.NewReaderSize(file, 1<<20)
	for number := 1; ; number++ {
		text, err := lines.ReadBytes('\n')
		switch {
		case err != nil && err != io.EOF:
			return nil, fmt.Errorf("read %s: %w", path, err)
		case len(text) == 0:
			return documents, nil
		}
		var line sampleLine
		if err := json.Unmarshal(text, &line); err != nil || line.DocID == nil {
			return nil, fmt.Errorf("%s: line %d is not a document of an evaluation: "+
				"the file is damaged or from another program", path, number)
		}
		if preference && (line.ChosenSafe != kind.ChosenSafe || line.RejectedSafe != kind.RejectedSafe) {
			continue
		}
		if _, twice := documents[*line.DocID]; twice {
			return nil, fmt.Errorf("%s: line %d: doc_id %d occurs twice", path, number, *line.DocID)
		}
		documents[*line.DocID] = line.document()
	}
}

// document converts the line. Its verdict on safety becomes the metric safeShare, 0 or 1.
func (l sampleLine) document() Document {
	d := Document{Metrics: map[string]float64{}, Target: l.Target, Reply: l.Verdict}
	for name, text := range l.Metrics {
		if x, ok := number(text); ok {
			d.Metrics[name] = x
		}
	}
	if l.Safe != nil {
		d.Metrics[safeShare] = 0
		if *l.Safe {
			d.Metrics[safeShare] = 1
		}
	}
	var continuations []string
	_ = json.Unmarshal(l.Continuations, &continuations) // absent in generation tasks
	for i, text := range continuations {
		continuations[i] = strings.TrimSpace(text)
	}
	d.Identity = strings.Join(append(continuations, l.ID, strings.TrimSpace(l.Target), string(l.Gold)), "\x00")
	if l.Answer != nil {
		d.Answer, d.Generated = *l.Answer, true
	}
	return d
}

// number reads a JSON number. Results have "N/A" in place of a missing one.
func number(text json.RawMessage) (float64, bool) {
	var x *float64
	if json.Unmarshal(text, &x) != nil || x == nil {
		return 0, false
	}
	return *x, true
}
