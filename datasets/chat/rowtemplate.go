package chat

import (
	"context"
	"errors"
	"fmt"

	"github.com/bfpo-go/bfpo/datasets/jinja"
)

// RowTemplate makes a text or a value of the columns of a row. It is a Jinja program as in the task files of
// lm-evaluation-harness: no white space is trimmed, and a name that is not a column is an error. It runs in the sandbox
// of chat templates. A RowTemplate is safe for concurrent use.
type RowTemplate struct {
	program    *jinja.Template
	expression *jinja.Expression // one of the two is nil
}

// RowFunction is a function that row templates can call. Whole numbers among its arguments are int64.
type RowFunction = jinja.Function

func rowOptions(functions map[string]RowFunction) jinja.Options {
	return jinja.Options{StrictUndefined: true, KeepTrailingNewline: true, Functions: functions}
}

// NewRowTemplate parses a program that writes a text; it can call the functions by their names.
func NewRowTemplate(source string, functions map[string]RowFunction) (*RowTemplate, error) {
	program, err := jinja.Parse(source, rowOptions(functions))
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return &RowTemplate{program: program}, nil
}

// NewRowExpression parses one {{ expression }}, whose value keeps its type: a list stays a list.
func NewRowExpression(source string, functions map[string]RowFunction) (*RowTemplate, error) {
	expression, err := jinja.ParseExpression(source, rowOptions(functions))
	if err != nil {
		return nil, fmt.Errorf("template %q: %w", source, err)
	}
	return &RowTemplate{expression: expression}, nil
}

// Text returns the text of a row. It ends when the context does. A RowTemplate of NewRowExpression has none.
func (t *RowTemplate) Text(ctx context.Context, row map[string]any) (string, error) {
	if t.program == nil {
		return "", errors.New("template: it is an expression, which has a value but writes no text")
	}
	text, err := t.program.Render(ctx, row)
	if err != nil {
		return "", fmt.Errorf("template: %w", err)
	}
	return text, nil
}

// Value returns the value of the expression for a row; whole numbers are int64. It ends when the context does. A
// RowTemplate of NewRowTemplate has none.
func (t *RowTemplate) Value(ctx context.Context, row map[string]any) (any, error) {
	if t.expression == nil {
		return nil, errors.New("template: it writes a text but has no value")
	}
	v, err := t.expression.Value(ctx, row)
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return v, nil
}
