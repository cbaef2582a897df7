package task

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/metric"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/hub"
)

// Document is one row of a task, as the model gets to see it.
type Document struct {
	ID            int      // its number among the task's rows, from 0
	Contexts      []string // one for all continuations, or one for each
	Continuations []string // of multiple choice: what is scored; the delimiter belongs to it
	Choices       []string // of multiple choice, as the task's file gives them
	Gold          int      // of multiple choice
	Labels        [][]int  // of each metric that has them
	Target        string   // of generation: what the prompt asks, for a judge; a reference
	Correct       []string // reference answers
	Incorrect     []string
}

// Data says where rows come from.
type Data struct {
	Dir string   // folder of local files; "" = none
	Hub *hub.Hub // for tasks without local files; nil = none
}

// Documents reads the rows of a task: the first limit ones (0 = all). total is how many there are.
func (d Data) Documents(ctx context.Context, t Task, limit int) (documents []Document, total int, err error) {
	source, err := d.open(ctx, t)
	if err != nil {
		return nil, 0, fmt.Errorf("task %s: %w", t.Name, err)
	}
	var b documentBuilder
	err = source.Rows(func(_ int, row map[string]any) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if t.Where.source != nil {
			if keep, err := t.Where.truth(row); err != nil || !keep {
				return within("where", err)
			}
		}
		total++
		if limit > 0 && len(documents) == limit {
			return nil
		}
		doc, err := b.build(t, row)
		doc.ID = len(documents)
		documents = append(documents, doc)
		return err
	})
	if err == nil && total == 0 {
		err = errors.New("no rows")
	}
	if err != nil {
		return nil, 0, fmt.Errorf("task %s (%s): %w", t.Name, t.Place, err)
	}
	return documents, total, nil
}

// open finds a task's files: local ones if there are any, else those on the hub.
func (d Data) open(ctx context.Context, t Task) (datasets.Source, error) {
	for _, pattern := range t.Local {
		path := filepath.FromSlash(pattern)
		if !filepath.IsAbs(path) {
			if d.Dir == "" {
				continue
			}
			path = filepath.Join(d.Dir, path)
		}
		files, err := filepath.Glob(path)
		if err != nil {
			return datasets.Source{}, fmt.Errorf("%s: local: %q: %w", t.Place, pattern, err)
		}
		if len(files) > 0 {
			return datasets.OpenFiles(t.Name, files)
		}
	}
	missing := fmt.Sprintf("no file %s in the data folder %q", strings.Join(t.Local, " or "), d.Dir)
	if d.Dir == "" {
		missing = "no data folder is given"
	}
	if t.DatasetPath == "" || d.Hub == nil {
		return datasets.Source{}, fmt.Errorf("%s (-data=DIR)", missing)
	}
	source, err := datasets.OpenConfiguration(ctx, t.DatasetPath, t.DatasetName, t.Split, d.Hub)
	if err != nil {
		return datasets.Source{}, fmt.Errorf("%s (-data=DIR), and from the hub: %w", missing, err)
	}
	return source, nil
}

// within adds a key's name to an error.
func within(key string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// documentBuilder makes documents of rows.
type documentBuilder struct {
	begun    bool
	contexts bool // the choices are contexts: the first row's doc_to_text is the number of one
}

func (b *documentBuilder) build(t Task, row map[string]any) (Document, error) {
	if t.Output == GenerateUntil {
		return b.generated(t, row)
	}
	var d Document
	choices, err := t.Choice.texts(row)
	if err != nil {
		return d, within("doc_to_choice", err)
	}
	if len(choices) == 0 {
		return d, errors.New("doc_to_choice: no choices")
	}
	d.Choices = choices
	text, gold, isNumber, err := t.Text.textOrNumber(row)
	if err != nil {
		return d, within("doc_to_text", err)
	}
	if !b.begun {
		b.begun, b.contexts = true, isNumber
	}
	if b.contexts {
		target, err := t.Target.text(row)
		if err != nil {
			return d, within("doc_to_target", err)
		}
		if !isNumber {
			return d, fmt.Errorf("doc_to_text: %q is not the number of a choice, as it is in the first row", text)
		}
		d.Gold, d.Contexts = gold, choices
		for range choices {
			d.Continuations = append(d.Continuations, t.Delimiter+target)
		}
	} else {
		if d.Gold, err = goldOf(t, row, choices); err != nil {
			return d, within("doc_to_target", err)
		}
		d.Contexts = []string{text}
		for _, c := range choices {
			d.Continuations = append(d.Continuations, t.Delimiter+c)
		}
	}
	if d.Gold < 0 || d.Gold >= len(choices) {
		return d, fmt.Errorf("the gold choice is %d, and there are %d choices", d.Gold, len(choices))
	}
	d.Labels, err = labelsOf(t, row, len(choices))
	return d, err
}

// goldOf reads the gold choice: its number, or its text.
func goldOf(t Task, row map[string]any, choices []string) (int, error) {
	text, number, isNumber, err := t.Target.textOrNumber(row)
	if err != nil || isNumber {
		return number, err
	}
	if i := slices.Index(choices, text); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("%q is neither the number of a choice nor one of %q", text, choices)
}

// labelsOf reads the labels that metrics have.
func labelsOf(t Task, row map[string]any, choices int) ([][]int, error) {
	labels := make([][]int, len(t.Metrics))
	for i, m := range t.Metrics {
		if m.Labels.source == nil {
			continue
		}
		var err error
		if labels[i], err = m.Labels.integers(row); err != nil {
			return nil, within("labels", err)
		}
		if len(labels[i]) != choices {
			return nil, fmt.Errorf("labels: %d for %d choices", len(labels[i]), choices)
		}
	}
	return labels, nil
}

func (b *documentBuilder) generated(t Task, row map[string]any) (d Document, err error) {
	text, err := t.Text.text(row)
	if err != nil {
		return d, within("doc_to_text", err)
	}
	d.Contexts = []string{text}
	if d.Target, err = t.Target.text(row); err != nil {
		return d, within("doc_to_target", err)
	}
	if t.Correct.source == nil {
		return d, nil
	}
	if d.Correct, err = t.Correct.texts(row); err != nil {
		return d, within("references: correct", err)
	}
	if d.Incorrect, err = t.Incorrect.texts(row); err != nil {
		return d, within("references: incorrect", err)
	}
	d.Correct, d.Incorrect = metric.CompleteReferences(d.Correct, true), metric.CompleteReferences(d.Incorrect, false)
	if len(d.Correct) == 0 || len(d.Incorrect) == 0 {
		return d, errors.New("references: no correct or no incorrect answer")
	}
	return d, nil
}
