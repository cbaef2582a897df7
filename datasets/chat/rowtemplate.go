package chat

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/exec"
)

// RowTemplate makes a text or a value of the columns of a row. It is a Jinja program as in the task files of
// lm-evaluation-harness: no white space is trimmed, a name that is not a column is an error, and lists have the method
// index. It runs in the sandbox of chat templates. A RowTemplate is safe for concurrent use.
type RowTemplate struct {
	program      *exec.Template
	functions    map[string]RowFunction
	isExpression bool // the program passes its value to returnValue instead of writing a text
}

// RowFunction is a function that row templates can call. Arguments and result have the types of Source.Rows in package
// datasets.
type RowFunction func(args []any) (any, error)

// returnValue is the function to which the program of an expression passes its value.
const returnValue = "row_value"

// NewRowTemplate parses a program that writes a text; it can call the functions by their names.
func NewRowTemplate(source string, functions map[string]RowFunction) (*RowTemplate, error) {
	program, err := compileRowTemplate(source)
	return &RowTemplate{program, functions, false}, err
}

// NewRowExpression parses one {{ expression }}, whose value keeps its type: a list stays a list.
func NewRowExpression(source string, functions map[string]RowFunction) (*RowTemplate, error) {
	inner, opened := strings.CutPrefix(strings.TrimSpace(source), "{{")
	inner, closed := strings.CutSuffix(inner, "}}")
	if !opened || !closed {
		return nil, fmt.Errorf("template %q: want one {{ expression }}", source)
	}
	const variable = returnValue + "_of"
	assign := "{% set " + variable + " = " + inner + " %}"
	program, err := compileRowTemplate(assign + "{{ " + returnValue + "(" + variable + ") }}")
	return &RowTemplate{program, functions, true}, err
}

func compileRowTemplate(source string) (*exec.Template, error) {
	settings := config.New()
	settings.StrictUndefined, settings.KeepTrailingNewline = true, true
	environment := newSandbox()
	environment.Methods.List = exec.NewMethodSet(map[string]exec.Method[[]any]{"index": indexMethod})
	return compile("template", source, settings, environment)
}

// indexMethod is Python's list.index.
func indexMethod(list []any, _ *exec.Value, args *exec.VarArgs) (any, error) {
	want := args.First().Interface()
	for i, item := range list {
		if exec.ToValue(item).EqualValueTo(exec.ToValue(want)) {
			return i, nil
		}
	}
	return nil, fmt.Errorf("%v is not in the list", want)
}

// Text returns the text of a row. A RowTemplate of NewRowExpression has none.
func (t *RowTemplate) Text(row map[string]any) (string, error) {
	if t.isExpression {
		return "", errors.New("template: it is an expression, which has a value but writes no text")
	}
	text, _, err := t.execute(row)
	return text, err
}

// Value returns the value of the expression for a row. A RowTemplate of NewRowTemplate has none.
func (t *RowTemplate) Value(row map[string]any) (any, error) {
	if !t.isExpression {
		return nil, errors.New("template: it writes a text but has no value")
	}
	_, value, err := t.execute(row)
	return value, err
}

// execute runs the program with the columns of a row as its variables.
func (t *RowTemplate) execute(row map[string]any) (text string, value any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("template: rendering failed: %v", p)
		}
	}()
	b := newBudget()
	variables := map[string]any{"raise_exception": b.raise, budgetKey: b}
	for name, f := range t.functions {
		variables[name] = func(_ *exec.Evaluator, args *exec.VarArgs) (*exec.Value, error) {
			values := make([]any, len(args.Args))
			for i, a := range args.Args {
				values[i] = plainValue(a)
			}
			result, err := f(values)
			return exec.AsValue(result), err
		}
	}
	for name, v := range row {
		variables[name] = v
	}
	variables[returnValue] = func(_ *exec.Evaluator, args *exec.VarArgs) (*exec.Value, error) {
		value = plainValue(args.First())
		return exec.AsValue(""), nil
	}
	out := &meter{budget: b}
	err = t.program.Execute(out, exec.NewContext(variables))
	if b.failed != nil {
		err = b.failed // an expression may have swallowed it
	}
	if err != nil {
		return "", nil, fmt.Errorf("template: %w", err)
	}
	return out.text.String(), value, nil
}

// plainValue returns a program's value as a plain Go value: the template engine wraps the items of list literals.
func plainValue(v *exec.Value) any {
	if !v.IsList() {
		return v.Interface()
	}
	items := make([]any, v.Len())
	for i := range items {
		items[i] = plainValue(v.Index(i))
	}
	return slices.Clip(items)
}
