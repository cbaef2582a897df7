package task

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/chat"
)

// field is a value that a task takes from each row: a constant, a column by its name, or a Jinja template.
type field struct {
	source   any // string, int, float64, bool or []any as the file has it; nil = not given
	template *chat.RowTemplate
	value    *chat.RowTemplate // the same as an expression, if it is one
}

var columnName = regexp.MustCompile(`^[A-Za-z_]\w*\??$`)

// newField compiles what a file says.
func newField(source any) (field, error) {
	f := field{source: source}
	text, ok := source.(string)
	if !ok || !strings.Contains(text, "{{") && !strings.Contains(text, "{%") {
		return f, nil
	}
	functions := map[string]chat.RowFunction{"python_shuffle": pythonShuffle}
	var err error
	if f.template, err = chat.NewRowTemplate(text, functions); err != nil {
		return f, err
	}
	f.value, _ = chat.NewRowExpression(text, functions) // not every template is one expression
	return f, nil
}

// of is the field's value for a row. A template that is one expression keeps its value's kind.
func (f field) of(row map[string]any) (any, error) {
	text, isText := f.source.(string)
	switch {
	case f.value != nil:
		return f.value.Value(row)
	case f.template != nil:
		return f.template.Text(row)
	case isText && columnName.MatchString(text):
		v, ok := row[text]
		if !ok {
			return nil, fmt.Errorf("no column %s; the row has %s", text, strings.Join(slices.Sorted(maps.Keys(row)), ", "))
		}
		return v, nil
	}
	return f.source, nil
}

// text is the field as a text: what Jinja writes.
func (f field) text(row map[string]any) (string, error) {
	if f.template != nil {
		return f.template.Text(row)
	}
	v, err := f.of(row)
	if err != nil {
		return "", err
	}
	if s, ok := v.(string); ok {
		return s, nil
	}
	return fmt.Sprint(v), nil
}

// textOrNumber is the field as a number, if it is one: a whole number, or digits that a template writes. Digits in a column of texts
// are a text.
func (f field) textOrNumber(row map[string]any) (text string, number int, isNumber bool, err error) {
	if text, err = f.text(row); err != nil {
		return "", 0, false, err
	}
	var v any = text
	if f.template == nil {
		if v, err = f.of(row); err != nil {
			return "", 0, false, err
		}
		if _, isText := v.(string); isText {
			return text, 0, false, nil
		}
	}
	number, isNumber = integer(v)
	return text, number, isNumber, nil
}

// texts is the field as a list of texts.
func (f field) texts(row map[string]any) ([]string, error) {
	v, err := f.of(row)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("want a list of texts, got %v", v)
	}
	out := make([]string, len(list))
	for i, item := range list {
		if out[i], ok = item.(string); !ok {
			return nil, fmt.Errorf("item %d of the list: want a text, got %v", i, item)
		}
	}
	return out, nil
}

// integers is the field as a list of whole numbers.
func (f field) integers(row map[string]any) ([]int, error) {
	v, err := f.of(row)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("want a list of numbers, got %v", v)
	}
	out := make([]int, len(list))
	for i, item := range list {
		if out[i], ok = integer(item); !ok {
			return nil, fmt.Errorf("item %d of the list: want a whole number, got %v", i, item)
		}
	}
	return out, nil
}

// truth is the field as a condition.
func (f field) truth(row map[string]any) (bool, error) {
	v, err := f.of(row)
	if b, ok := v.(bool); ok || err != nil {
		return b, err
	}
	n, ok := integer(v)
	if v != nil && !ok {
		return false, fmt.Errorf("want true or false, got %v", v)
	}
	return n != 0, nil
}

// integer reads a whole number of any kind that rows have, also one written as text.
func integer(v any) (int, bool) {
	switch v := v.(type) {
	case int:
		return v, true
	case int32:
		return int(v), true
	case int64:
		return int(v), true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case float64:
		return int(v), v == float64(int(v))
	case string:
		n := 0
		for _, digit := range v {
			if digit < '0' || digit > '9' || n > 1<<30 {
				return 0, false
			}
			n = 10*n + int(digit-'0')
		}
		return n, v != ""
	}
	return 0, false
}
