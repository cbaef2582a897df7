package task

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// taskFile is a task file that is being read. The files that it includes come first, so that its own keys win.
type taskFile struct {
	files   fs.FS
	name    string // of the file whose keys are being read
	shown   string // the folder's name for errors
	suggest Suggest
	task    Task
	// validation: task.Split is the validation split, which a test split replaces
	validation bool
	seen       []string // the files that include this one
}

// Suggest returns the known name that is most like another one, or "".
type Suggest func(name string, known []string) string

// readTask reads a task file. Errors name file, line and key.
func readTask(files fs.FS, folder, name string, suggest Suggest) (Task, error) {
	f := &taskFile{files: files, shown: folder, suggest: suggest}
	f.task = Task{Delimiter: " ", Version: "Yaml", Generation: Generation{Until: []string{"\n\n"}, MaxTokens: 256}}
	if err := f.read(name); err != nil {
		return Task{}, err
	}
	f.task.Place = path.Join(folder, name)
	if err := f.task.check(); err != nil {
		return Task{}, fmt.Errorf("%s: %w", f.task.Place, err)
	}
	return f.task, nil
}

func (f *taskFile) read(name string) error {
	place := path.Join(f.shown, name)
	if slices.Contains(f.seen, name) {
		return fmt.Errorf("%s includes itself", place)
	}
	text, err := fs.ReadFile(f.files, name)
	if err != nil {
		return fmt.Errorf("task file %s: %w", place, err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("%s: %w", place, err)
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return fmt.Errorf("%s: want keys and values, such as task: NAME", place)
	}
	root := document.Content[0]
	for i := 0; i < len(root.Content); i += 2 {
		if root.Content[i].Value == "include" {
			other := root.Content[i+1].Value
			f.seen = append(f.seen, name)
			if err := f.read(path.Join(path.Dir(name), other)); err != nil {
				return fmt.Errorf("%s:%d: include: %w", place, root.Content[i].Line, err)
			}
			f.seen = f.seen[:len(f.seen)-1]
		}
	}
	f.name = name
	return f.keys(root, "", f.taskKeys())
}

// key is how the value of one key is read.
type key struct {
	name string
	read func(n *yaml.Node) error
}

// keys reads a mapping. An unknown key is an error with the nearest known one, and so is one that comes twice.
func (f *taskFile) keys(n *yaml.Node, within string, known []key) error {
	var problems []error
	given := map[string]bool{}
	fail := func(line int, name string, err error) {
		problems = append(problems, fmt.Errorf("%s:%d: %s%s: %w", path.Join(f.shown, f.name), line, within, name, err))
	}
	if n.Kind != yaml.MappingNode {
		fail(n.Line, strings.TrimSuffix(within, ": "), errors.New("want keys and values"))
		return errors.Join(problems...)
	}
	for i := 0; i < len(n.Content); i += 2 {
		name, value := n.Content[i].Value, n.Content[i+1]
		at := slices.IndexFunc(known, func(k key) bool { return k.name == name })
		switch {
		case at < 0:
			fail(n.Content[i].Line, name, errors.New("unknown key"+f.didYouMean(name, known)))
		case given[name]:
			fail(n.Content[i].Line, name, errors.New("given twice"))
		case strings.HasPrefix(value.Tag, "!") && !strings.HasPrefix(value.Tag, "!!"):
			fail(value.Line, name, fmt.Errorf("%s %s: Python cannot run here: write it as Jinja", value.Tag, value.Value))
		default:
			if err := known[at].read(value); err != nil {
				fail(value.Line, name, err)
			}
		}
		given[name] = true
	}
	return errors.Join(problems...)
}

func (f *taskFile) didYouMean(name string, known []key) string {
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = k.name
	}
	if near := f.suggest(name, names); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}

// into decodes a value of a plain kind.
func into[T any](to *T) func(n *yaml.Node) error {
	return func(n *yaml.Node) error {
		var v T
		if err := n.Decode(&v); err != nil {
			return fmt.Errorf("want %s, got %q", describeKind(v), n.Value)
		}
		*to = v
		return nil
	}
}

func describeKind(v any) string {
	switch v.(type) {
	case bool:
		return "true or false"
	case int:
		return "a whole number"
	case float64:
		return "a number"
	}
	return "a text"
}

// one reads a list, or a single value as a list of one; null is an empty one.
func one(to *[]string) func(n *yaml.Node) error {
	return func(n *yaml.Node) error {
		switch {
		case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
			*to = nil
			return nil
		case n.Kind == yaml.ScalarNode:
			*to = []string{n.Value}
			return nil
		}
		var list []string
		if err := n.Decode(&list); err != nil {
			return errors.New("want a text or a list of texts")
		}
		*to = list
		return nil
	}
}

// compiled reads a value that may depend on the row.
func compiled(to *field) func(n *yaml.Node) error {
	return func(n *yaml.Node) (err error) {
		var v any
		if err := n.Decode(&v); err != nil {
			return err
		}
		if v == nil {
			v = ""
		}
		*to, err = newField(v)
		return err
	}
}
