package chat

import (
	"reflect"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

// testRow has columns of every type.
var testRow = map[string]any{
	"question": " Why? ", "label": 1, "score": 2.5, "other": 3.25, "flag": true,
	"targets":  map[string]any{"choices": []any{"a", "b \"c\""}, "labels": []any{int64(0), int64(1)}},
	"sentence": "The cup fits _ the shelf. ", "option1": "on", "answer": "2", "factual?": "x",
}

func TestRowTemplateText(t *testing.T) {
	for source, want := range map[string]string{
		"{{question}}\nQ: x\n":                                           " Why? \nQ: x\n", // the last newline stays
		"{{ question.strip() }}|{{ question.rstrip() }}":                 "Why?| Why?",
		"{% set p = 'Q:\n' %}{{ p + question }}":                         "Q:\n Why? ",
		"{{ 1 if score + other > 5.5 else 0 }}":                          "1",
		"{{ sentence.split(\"_\", 1)[1].strip() }}":                      "the shelf.",
		"{{ {\"1\": 0, \"2\": 1}[answer] }}":                             "1",
		"{{ targets.choices[1] }} {{ targets['choices'].index(\"a\") }}": "b \"c\" 0",
		"{{ flag }}":            "True",
		"{{ twice(question) }}": " Why?  Why? ",
		"<b>{{ '<&>' }}":        "<b><&>",
	} {
		template, err := NewRowTemplate(source, map[string]RowFunction{"twice": func(args []any) (any, error) {
			return args[0].(string) + args[0].(string), nil
		}})
		if err != nil {
			t.Errorf("%q: %v", source, err)
			continue
		}
		if got, err := template.Text(t.Context(), testRow); err != nil || got != want {
			t.Errorf("%q renders as %q, %v; want %q", source, got, err, want)
		}
	}
}

func TestRowExpression(t *testing.T) {
	for source, want := range map[string]any{
		"{{targets.choices}}":  []any{"a", "b \"c\""},
		"{{ targets.labels }}": []any{int64(0), int64(1)},
		"{{ [question, sentence.split(\"_\", 1)[0] + option1] }}": []any{" Why? ", "The cup fits on"},
		"{{ targets.choices.index(targets.choices[1]) }}":         int64(1),
		"{{ label == 1 }}":       true,
		"{{ 1 if flag else 0 }}": int64(1),
	} {
		expression, err := NewRowExpression(source, nil)
		if err != nil {
			t.Errorf("%q: %v", source, err)
			continue
		}
		if got, err := expression.Value(t.Context(), testRow); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %#v, %v; want %#v", source, got, err, want)
		}
	}
}

func TestRowTemplateErrors(t *testing.T) {
	for _, source := range []string{
		"{{ nothing }}", "{{ targets.nothing }}", "{{ targets.choices.index('z') }}", "{{ sentence.split('#', 1)[1] }}",
		"{{ raise_exception('no') }}", "{% for i in range(9000) %}{% for j in range(9000) %}{% endfor %}{% endfor %}",
	} {
		template, err := NewRowTemplate(source, nil)
		if err != nil {
			t.Errorf("%q: %v", source, err)
		} else if got, err := template.Text(t.Context(), testRow); err == nil {
			t.Errorf("%q renders as %q, want an error", source, got)
		}
	}
	for _, source := range []string{"targets", "{{ a }} {{ b }}", "{{ a", "{{ a }}{% if x %}"} {
		if _, err := NewRowExpression(source, nil); err == nil {
			t.Errorf("%q is taken for one expression", source)
		}
	}
}

func FuzzRowTemplate(f *testing.F) {
	f.Add("{{ question.strip() }}\n{% if flag %}{{ targets.choices[0] }}{% endif %}")
	f.Fuzz(func(t *testing.T, source string) {
		fuzztest.Bounded(t, len(source), 10*time.Second, func() {
			if template, err := NewRowTemplate(source, nil); err == nil {
				template.Text(t.Context(), testRow) // must not panic or hang
			}
			if expression, err := NewRowExpression(source, nil); err == nil {
				expression.Value(t.Context(), testRow)
			}
		})
	})
}
