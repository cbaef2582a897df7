package task

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// taskFile reads a task file. The files that it includes are read first, so that its own keys win.
type taskFile struct {
	files  fs.FS
	folder string // the name of files in errors
	mappingReader
	task Task
	// splitIsValidation is true while task.Split is a validation split, which a test split replaces.
	splitIsValidation bool
	including         []string // the chain of files that led to the one being read, to detect cycles
	count             int      // of the files read
}

const (
	maxTaskFile = 1 << 20 // bytes
	maxIncludes = 100     // files that one task may consist of
)

// readTask reads a task file. Errors name the file, the line and the key. With an error it returns only the name, if
// the file has one, and the file.
func readTask(files fs.FS, folder, name string, suggest Suggest) (Task, error) {
	f := &taskFile{files: files, folder: folder, mappingReader: mappingReader{suggest: suggest}}
	f.task = Task{Delimiter: " ", Version: "Yaml", Generation: defaultGeneration()}
	f.task.File = path.Join(folder, name)
	if err := f.readFile(name); err != nil {
		return Task{Name: f.task.Name, File: f.task.File}, err
	}
	if err := f.task.check(); err != nil {
		return Task{Name: f.task.Name, File: f.task.File}, fmt.Errorf("%s: %w", f.task.File, err)
	}
	return f.task, nil
}

func (f *taskFile) readFile(name string) error {
	place := path.Join(f.folder, name)
	if slices.Contains(f.including, name) {
		return fmt.Errorf("%s includes itself", place)
	}
	if f.count++; f.count > maxIncludes {
		return fmt.Errorf("%s: more than %d files included", place, maxIncludes)
	}
	text, err := atomicfile.ReadLimitedFS(f.files, name, maxTaskFile)
	if err != nil {
		return fmt.Errorf("task file %s: %w", place, err)
	}
	var document yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&document); err != nil && err != io.EOF {
		return fmt.Errorf("%s: %w", place, err)
	}
	if d.Decode(new(yaml.Node)) != io.EOF {
		return fmt.Errorf("%s: it has more than one YAML document", place)
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return fmt.Errorf("%s: want keys and values, such as task: NAME", place)
	}
	root := document.Content[0]
	for i := 0; i < len(root.Content); i += 2 { // the name first, for errors about other keys
		if key, value := root.Content[i], root.Content[i+1]; key.Value == "task" && value.Kind == yaml.ScalarNode {
			f.task.Name = value.Value
		}
	}
	for i := 0; i < len(root.Content); i += 2 {
		if root.Content[i].Value == "include" {
			other := root.Content[i+1].Value
			f.including = append(f.including, name)
			file := path.Join(path.Dir(name), other)
			if !fs.ValidPath(file) {
				return fmt.Errorf("%s:%d: include: %q is outside of the folder of the tasks", place, root.Content[i].Line, other)
			}
			if err := f.readFile(file); err != nil {
				return fmt.Errorf("%s:%d: include: %w", place, root.Content[i].Line, err)
			}
			f.including = f.including[:len(f.including)-1]
		}
	}
	f.file = place
	return f.read(root, "", f.keys())
}

// keys lists the keys of a task file. They are those of lm-evaluation-harness, except aliases, local,
// apply_chat_template, where and references, and except as and labels of a metric, which take the place of Python
// functions.
func (f *taskFile) keys() []key {
	t := &f.task
	return []key{
		{"include", ignore}, // readFile follows it
		{"task", readInto(&t.Name)},
		{"aliases", readList(&t.Aliases)},
		{"tag", ignore}, {"training_split", ignore}, {"fewshot_split", ignore}, {"fewshot_delimiter", ignore},
		{"should_decontaminate", ignore}, {"doc_to_decontamination_query", ignore},
		{"dataset_path", readInto(&t.DatasetPath)},
		{"dataset_name", readInto(&t.DatasetName)},
		{"validation_split", f.readSplit(false)},
		{"test_split", f.readSplit(true)},
		{"local", readList(&t.Local)},
		{"apply_chat_template", readInto(&t.ApplyChatTemplate)},
		{"output_type", readOneOf(&t.Output, MultipleChoice, GenerateUntil)},
		{"where", readField(&t.Where)},
		{"doc_to_text", readTextField(&t.Text)},
		{"doc_to_target", readTextField(&t.Target)},
		{"doc_to_choice", readField(&t.Choice)},
		{"target_delimiter", readInto(&t.Delimiter)},
		{"references", func(n *yaml.Node) error {
			return f.read(n, "references: ", []key{
				{"correct", readField(&t.Correct)}, {"incorrect", readField(&t.Incorrect)},
			})
		}},
		{"num_fewshot", acceptOnly("0")}, {"repeats", acceptOnly("1")}, {"description", acceptOnly("")},
		{"metric_list", f.readMetrics},
		{"generation_kwargs", f.readGeneration},
		{"metadata", func(n *yaml.Node) error {
			version := func(n *yaml.Node) error { t.Version = n.Value; return nil }
			return f.read(n, "metadata: ", []key{{"version", version}})
		}},
	}
}

// readSplit reads the name of a split. A test split wins over a validation split, in whichever order they are given.
func (f *taskFile) readSplit(test bool) func(n *yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.ShortTag() == "!!null" {
			return nil
		}
		if test || f.task.Split == "" || f.splitIsValidation {
			f.task.Split, f.splitIsValidation = n.Value, !test
		}
		return nil
	}
}

func (f *taskFile) readMetrics(n *yaml.Node) error {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		return errors.New("want a list such as [{metric: acc}]")
	}
	f.task.Metrics = nil
	for _, item := range n.Content {
		m := Metric{HigherIsBetter: true}
		err := f.read(item, "metric_list: ", []key{
			{"metric", readInto(&m.Kind)}, {"as", readInto(&m.Name)}, {"aggregation", acceptOnly("mean")},
			{"higher_is_better", readInto(&m.HigherIsBetter)}, {"labels", readField(&m.Labels)},
		})
		if err != nil {
			return err
		}
		if m.Name == "" {
			m.Name = m.Kind
		}
		f.task.Metrics = append(f.task.Metrics, m)
	}
	return nil
}

// defaultTopK is the default of transformers.
const defaultTopK = 50

func defaultGeneration() Generation { return Generation{Until: []string{"\n\n"}, MaxTokens: 256} }

// readGeneration reads how answers are generated. temperature, top_p and top_k count only with do_sample: true.
func (f *taskFile) readGeneration(n *yaml.Node) error {
	g := defaultGeneration()
	sample, temperature, topP, topK := false, 1.0, 1.0, defaultTopK
	err := f.read(n, "generation_kwargs: ", []key{
		{"until", readList(&g.Until)}, {"max_gen_toks", readInto(&g.MaxTokens)}, {"do_sample", readInto(&sample)},
		{"temperature", readInto(&temperature)}, {"top_p", readInto(&topP)}, {"top_k", readInto(&topK)},
	})
	switch {
	case err != nil:
		return err
	case g.MaxTokens < 1:
		return fmt.Errorf("max_gen_toks: want 1 or more, got %d", g.MaxTokens)
	case sample && !(temperature > 0 && temperature < 1e6):
		return fmt.Errorf("temperature: want a number above 0 to sample with, got %g", temperature)
	case !(topP > 0 && topP <= 1):
		return fmt.Errorf("top_p: want a number above 0 and up to 1, got %g", topP)
	case topK < 0:
		return fmt.Errorf("top_k: want 0 (all tokens) or more, got %d", topK)
	}
	if sample {
		g.Temperature, g.TopP, g.TopK = temperature, topP, topK
	}
	f.task.Generation = g
	return nil
}
