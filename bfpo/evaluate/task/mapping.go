package task

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// Suggest returns the known name that resembles name most, or "" if none does.
type Suggest func(name string, known []string) string

// key is one key of a YAML mapping with the function that reads its value.
type key struct {
	name string
	read func(n *yaml.Node) error
}

// mappingReader reads the mappings of one file.
type mappingReader struct {
	file    string // for errors
	suggest Suggest
}

// read reads a mapping with the known keys. within names the mapping in errors: "" for the file itself, else its
// key and ": ". Unknown keys and keys given twice are errors. All errors of the mapping are joined.
func (r mappingReader) read(n *yaml.Node, within string, known []key) error {
	if n.Kind != yaml.MappingNode {
		return placedError{fmt.Errorf("%s:%d: %swant keys and values", r.file, n.Line, within)}
	}
	var problems []error
	given := map[string]bool{}
	fail := func(line int, name string, err error) {
		if placed := (placedError{}); !errors.As(err, &placed) { // else a mapping within this one has said where
			err = fmt.Errorf("%s:%d: %s%s: %w", r.file, line, within, name, err)
		}
		problems = append(problems, err)
	}
	for i := 0; i < len(n.Content); i += 2 {
		name, value := n.Content[i].Value, n.Content[i+1]
		if len(problems) >= usage.MaxProblems {
			problems = append(problems, fmt.Errorf("%s:%d: what follows has not been checked", r.file, n.Content[i].Line))
			break
		}
		at := slices.IndexFunc(known, func(k key) bool { return k.name == name })
		switch {
		case at < 0:
			fail(n.Content[i].Line, name, errors.New("unknown key"+r.didYouMean(name, known)))
		case given[name]:
			fail(n.Content[i].Line, name, errors.New("given twice"))
		case strings.HasPrefix(value.Tag, "!") && !strings.HasPrefix(value.Tag, "!!"):
			fail(value.Line, name, fmt.Errorf("%s %s: Python code is not supported: write it as a Jinja template",
				value.Tag, value.Value))
		default:
			if err := known[at].read(value); err != nil {
				fail(value.Line, name, err)
			}
		}
		given[name] = true
	}
	if len(problems) == 0 {
		return nil
	}
	return placedError{errors.Join(problems...)}
}

// placedError is an error that names the file, the line and the key.
type placedError struct{ error }

func (e placedError) Unwrap() error { return e.error }

func (r mappingReader) didYouMean(name string, known []key) string {
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = k.name
	}
	if near := r.suggest(name, names); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}

// readInto reads a value of a plain kind: a string, a boolean or a number.
func readInto[T any](to *T) func(n *yaml.Node) error {
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

// readList reads a list of strings. A single string is a list of one, and null is the empty list.
func readList(to *[]string) func(n *yaml.Node) error {
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

// readField reads a value that may depend on the row.
func readField(to *field) func(n *yaml.Node) error {
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

// readTextField reads a value that is a text or a whole number for each row. null is the empty text.
func readTextField(to *field) func(n *yaml.Node) error {
	return func(n *yaml.Node) error {
		if err := readField(to)(n); err != nil {
			return err
		}
		if _, ok := plainText(to.source); !ok {
			return to.wrong(textOrWholeNumber, to.source)
		}
		return nil
	}
}

// readOneOf reads one of a few strings.
func readOneOf(to *string, known ...string) func(n *yaml.Node) error {
	return func(n *yaml.Node) error {
		if !slices.Contains(known, n.Value) {
			return fmt.Errorf("%q is not supported: want one of %q", n.Value, known)
		}
		*to = n.Value
		return nil
	}
}

// acceptOnly accepts null or the one supported value of a key.
func acceptOnly(value string) func(n *yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Value != value && n.ShortTag() != "!!null" {
			shown := n.Value
			if strings.ContainsAny(shown, "\r\n") {
				shown = strconv.Quote(shown)
			}
			return fmt.Errorf("%s is not supported: want %q", shown, value)
		}
		return nil
	}
}

// ignore skips a key without meaning for bfpo, which puts no examples into prompts.
func ignore(*yaml.Node) error { return nil }
