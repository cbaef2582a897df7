package task

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/metric"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/hub"
)

// Document holds the texts that a task makes of one row.
type Document struct {
	ID            int      // its number among the task's rows, from 0
	Contexts      []string // one for all continuations, or one for each
	Continuations []string // of multiple choice: the texts to score, with the delimiter
	Choices       []string // of multiple choice, as in the row
	Gold          int      // of multiple choice: the index of the right choice
	Labels        [][]int  // of multiple choice: of each metric, nil for metrics without labels
	Target        string   // of generation: what the prompt asks, for a judge
	Correct       []string // of generation: correct reference answers
	Incorrect     []string // of generation: incorrect reference answers
}

// Data locates the rows of tasks.
type Data struct {
	Folder string   // the folder with local files; "" if there is none
	Hub    *hub.Hub // serves tasks without local files; nil if there is none
}

// Documents reads the first limit rows of a task (0 = all) and returns their documents with the total number of rows.
func (d Data) Documents(ctx context.Context, t Task, limit int) (documents []Document, total int, err error) {
	source, err := d.open(ctx, t)
	if err != nil {
		return nil, 0, fmt.Errorf("task %s: %w", t.Name, err)
	}
	var b builder
	err = source.Rows(func(_ int, row map[string]any) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if t.Where.source != nil {
			if keep, err := t.Where.truth(ctx, row); err != nil || !keep {
				return inKey("where", err)
			}
		}
		total++
		if limit > 0 && len(documents) == limit {
			return nil
		}
		doc, err := b.build(ctx, t, row)
		doc.ID = len(documents)
		documents = append(documents, doc)
		return err
	})
	if err == nil && total == 0 {
		err = errors.New("no rows")
	}
	if err != nil {
		return nil, 0, fmt.Errorf("task %s (%s): %w", t.Name, t.File, err)
	}
	return documents, total, nil
}

// open finds a task's files: local ones if there are any, else the files on the hub.
func (d Data) open(ctx context.Context, t Task) (datasets.Source, error) {
	if t.Rows != "" {
		return datasets.OpenFiles(t.Name, []string{t.Rows})
	}
	files, err := d.localFiles(t)
	if err != nil {
		return datasets.Source{}, fmt.Errorf("%s: local: %w", t.File, err)
	} else if len(files) > 0 {
		return datasets.OpenFiles(t.Name, files)
	}
	missing := fmt.Sprintf("no file %s in the data folder %q", strings.Join(t.Local, " or "), d.Folder)
	if d.Folder == "" {
		missing = "no data folder is given"
	}
	if t.DatasetPath == "" || d.Hub == nil {
		return datasets.Source{}, fmt.Errorf("%s (-data=DIR)", missing)
	}
	if _, err := os.Stat(t.DatasetPath); err == nil || !hubID.MatchString(t.DatasetPath) {
		return datasets.Source{}, fmt.Errorf("%s: dataset_path: %.200q is no set on the hub; a task's own files are named "+
			"by local, below the data folder (-data=DIR)", t.File, t.DatasetPath)
	}
	source, err := datasets.OpenConfiguration(ctx, t.DatasetPath, t.DatasetName, t.Split, d.Hub)
	if err != nil {
		return datasets.Source{}, fmt.Errorf("%s (-data=DIR), and from the hub: %w", missing, err)
	}
	return source, nil
}

// hubID matches the id of a data set on the hub, ORG/NAME or NAME, with or without a revision.
var hubID = regexp.MustCompile(`^\w[\w.-]*(/\w[\w.-]*)?(@.+)?$`)

// localFiles returns the files of the first of the task's patterns that matches in the data folder. They lie in that
// folder: a link that leaves it is refused, unless it leads to the blobs of a snapshot of the hub.
func (d Data) localFiles(t Task) ([]string, error) {
	if d.Folder == "" {
		return nil, nil
	}
	root, err := os.OpenRoot(d.Folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	for _, pattern := range t.Local {
		names, err := match(root, path.Clean(pattern))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", pattern, err)
		}
		var files []string
		for _, name := range names {
			info, err := root.Stat(name)
			if err != nil && isHubLink(root, name) {
				info, err = os.Stat(filepath.Join(d.Folder, name))
			}
			if err == nil && !info.Mode().IsRegular() {
				err = fmt.Errorf("%s is no regular file", name)
			}
			if err != nil {
				return nil, err
			}
			files = append(files, filepath.Join(d.Folder, filepath.FromSlash(name)))
		}
		if len(files) > 0 {
			return files, nil
		}
	}
	return nil, nil
}

// match returns the names in the folder root that match a pattern.
func match(root *os.Root, pattern string) ([]string, error) {
	if strings.ContainsAny(pattern, `*?[\`) {
		return fs.Glob(root.FS(), pattern)
	}
	_, err := root.Lstat(pattern) // Glob would leave out a link that leaves the folder
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return []string{pattern}, err
}

// hubBlob matches where the links of a snapshot in the hub's cache lead to.
var hubBlob = regexp.MustCompile(`^(\.\./)+blobs/[0-9a-f]{40,64}$`)

// isHubLink reports whether a name is a link of a snapshot in the hub's cache.
func isHubLink(root *os.Root, name string) bool {
	target, err := root.Readlink(name)
	return err == nil && hubBlob.MatchString(filepath.ToSlash(target))
}

// inKey adds a key's name to an error.
func inKey(key string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// builder makes documents of the rows of one task.
type builder struct {
	started            bool
	choicesAreContexts bool // the first row's doc_to_text is the index of a choice
}

// build makes a document of a row.
func (b *builder) build(ctx context.Context, t Task, row map[string]any) (Document, error) {
	if t.Output == GenerateUntil {
		return b.buildPrompt(ctx, t, row)
	}
	var d Document
	choices, err := t.Choice.texts(ctx, row)
	if err != nil {
		return d, inKey("doc_to_choice", err)
	}
	if len(choices) == 0 {
		return d, errors.New("doc_to_choice: no choices")
	}
	d.Choices = choices
	text, gold, isNumber, err := t.Text.textOrNumber(ctx, row)
	if err != nil {
		return d, inKey("doc_to_text", err)
	}
	if !b.started {
		b.started, b.choicesAreContexts = true, isNumber
	}
	if b.choicesAreContexts {
		target, err := t.Target.text(ctx, row)
		if err != nil {
			return d, inKey("doc_to_target", err)
		}
		if !isNumber {
			return d, fmt.Errorf("doc_to_text: %q is not the number of a choice, unlike in the first row", text)
		}
		d.Gold, d.Contexts = gold, choices
		for range choices {
			d.Continuations = append(d.Continuations, t.Delimiter+target)
		}
	} else {
		if d.Gold, err = goldOf(ctx, t, row, choices); err != nil {
			return d, inKey("doc_to_target", err)
		}
		d.Contexts = []string{text}
		for _, c := range choices {
			d.Continuations = append(d.Continuations, t.Delimiter+c)
		}
	}
	if d.Gold < 0 || d.Gold >= len(choices) {
		return d, fmt.Errorf("the gold choice is %d, and there are %d choices", d.Gold, len(choices))
	}
	d.Labels, err = labelsOf(ctx, t, row, len(choices))
	return d, err
}

// goldOf returns the index of the gold choice, which doc_to_target gives as a number or as the text of a choice.
func goldOf(ctx context.Context, t Task, row map[string]any, choices []string) (int, error) {
	text, number, isNumber, err := t.Target.textOrNumber(ctx, row)
	if err != nil || isNumber {
		return number, err
	}
	if i := slices.Index(choices, text); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("%s is neither the number of a choice nor one of %s", jsonText(text), jsonText(choices))
}

// labelsOf returns the labels of each metric; nil for a metric without labels.
func labelsOf(ctx context.Context, t Task, row map[string]any, choices int) ([][]int, error) {
	labels := make([][]int, len(t.Metrics))
	for i, m := range t.Metrics {
		if m.Labels.source == nil {
			continue
		}
		var err error
		if labels[i], err = m.Labels.integers(ctx, row); err != nil {
			return nil, inKey("labels", err)
		}
		if len(labels[i]) != choices {
			return nil, fmt.Errorf("labels: got %d for %d choices", len(labels[i]), choices)
		}
	}
	return labels, nil
}

// buildPrompt makes a document of a row of a generation task.
func (b *builder) buildPrompt(ctx context.Context, t Task, row map[string]any) (d Document, err error) {
	text, err := t.Text.text(ctx, row)
	if err != nil {
		return d, inKey("doc_to_text", err)
	}
	d.Contexts = []string{text}
	if d.Target, err = t.Target.text(ctx, row); err != nil {
		return d, inKey("doc_to_target", err)
	}
	if t.Correct.source == nil {
		return d, nil
	}
	if d.Correct, err = t.Correct.texts(ctx, row); err != nil {
		return d, inKey("references: correct", err)
	}
	if d.Incorrect, err = t.Incorrect.texts(ctx, row); err != nil {
		return d, inKey("references: incorrect", err)
	}
	d.Correct, d.Incorrect = metric.CompleteReferences(d.Correct, true), metric.CompleteReferences(d.Incorrect, false)
	if len(d.Correct) == 0 || len(d.Incorrect) == 0 {
		return d, errors.New("references: no correct or no incorrect answer")
	}
	return d, nil
}
