package task

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/chat"
)

// field is a value that a task takes from each row: a constant, a column, or a Jinja template.
type field struct {
	source     any               // string, int, float64, bool or []any, as in the task file; nil if not given
	template   *chat.RowTemplate // nil if source is no template
	expression *chat.RowTemplate // template, if it consists of one expression
}

var columnName = regexp.MustCompile(`^[A-Za-z_]\w*\??$`)

// newField compiles a value of a task file.
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
	f.expression, _ = chat.NewRowExpression(text, functions) // not every template is one expression
	return f, nil
}

// value returns the field's value for a row. A template of one expression keeps the type of its value; other templates
// give text.
func (f field) value(ctx context.Context, row map[string]any) (any, error) {
	text, isText := f.source.(string)
	switch {
	case f.expression != nil:
		return f.expression.Value(ctx, row)
	case f.template != nil:
		return f.template.Text(ctx, row)
	case isText && columnName.MatchString(text):
		v, ok := row[text]
		if !ok {
			columns := strings.Join(slices.Sorted(maps.Keys(row)), ", ")
			return nil, fmt.Errorf("no column %s; the row has %s", text, columns)
		}
		return v, nil
	}
	return f.source, nil
}

// text returns the field as a text: one that Jinja renders, or a text or whole number of the row or the task file. Like
// lm-evaluation-harness it has no text for other values.
func (f field) text(ctx context.Context, row map[string]any) (string, error) {
	if f.template != nil {
		return f.template.Text(ctx, row)
	}
	v, err := f.value(ctx, row)
	if err != nil {
		return "", err
	}
	text, ok := plainText(v)
	if !ok {
		return "", f.wrong(textOrWholeNumber, v)
	}
	return text, nil
}

// textOrNumber returns the field as a text and, if it is a whole number or a template renders digits, as a number.
// Digits in a column of texts are no number.
func (f field) textOrNumber(
	ctx context.Context, row map[string]any,
) (text string, number int, isNumber bool, err error) {
	if text, err = f.text(ctx, row); err != nil {
		return "", 0, false, err
	}
	var v any = text
	if f.template == nil {
		if v, err = f.value(ctx, row); err != nil {
			return "", 0, false, err
		}
		if _, isText := v.(string); isText {
			return text, 0, false, nil
		}
	}
	number, isNumber = integer(v)
	return text, number, isNumber, nil
}

// texts returns the field as a list of texts.
func (f field) texts(ctx context.Context, row map[string]any) ([]string, error) {
	v, err := f.value(ctx, row)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, f.wrong("a list of texts", v)
	}
	out := make([]string, len(list))
	for i, item := range list {
		if out[i], ok = item.(string); !ok {
			return nil, f.wrongItem(i, "a text", item)
		}
	}
	return out, nil
}

// integers returns the field as a list of whole numbers.
func (f field) integers(ctx context.Context, row map[string]any) ([]int, error) {
	v, err := f.value(ctx, row)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, f.wrong("a list of whole numbers", v)
	}
	out := make([]int, len(list))
	for i, item := range list {
		if out[i], ok = integer(item); !ok {
			return nil, f.wrongItem(i, "a whole number", item)
		}
	}
	return out, nil
}

// truth returns the field as a condition.
func (f field) truth(ctx context.Context, row map[string]any) (bool, error) {
	v, err := f.value(ctx, row)
	if err != nil {
		return false, err
	}
	switch v := v.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case float64:
		return v != 0, nil
	}
	n, ok := integer(v)
	if !ok {
		return false, f.wrong("true or false", v)
	}
	return n != 0, nil
}

// wrong returns the error about a value that is not what the field must be. It names the column, if the value is from
// one.
func (f field) wrong(want string, v any) error {
	return f.inColumn(fmt.Errorf("want %s, have %s", want, describeValue(v)))
}

// wrongItem is wrong for an item of a list.
func (f field) wrongItem(i int, want string, v any) error {
	return f.inColumn(fmt.Errorf("item %d of the list: want %s, have %s", i, want, describeValue(v)))
}

func (f field) inColumn(err error) error {
	if text, isText := f.source.(string); isText && f.template == nil && columnName.MatchString(text) {
		return fmt.Errorf("column %s: %w", text, err)
	}
	return err
}

// integer converts a value of a row to a whole number. A text of digits is one too; a boolean and 1.0 are not.
func integer(v any) (int, bool) {
	switch v := v.(type) {
	case int:
		return v, true
	case int32:
		return int(v), true
	case int64:
		return int(v), true
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
