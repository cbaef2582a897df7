package chat

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/datasets/jinja"
)

// TestRowsRecorded renders rows as transformers 5.24 does when TRL calls it (testdata/record.py), except for what the
// template does not read: that is refused by name.
func TestRowsRecorded(t *testing.T) {
	file, err := os.Open("testdata/rows.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rendered, refused, unread := 0, 0, 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var c struct {
			Template string
			Row      struct {
				Messages  []Message
				Tools     json.RawMessage
				Documents json.RawMessage
				Kwargs    json.RawMessage `json:"chat_template_kwargs"`
			}
			Want *string
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		template, err := NewTemplate(c.Template, map[string]string{"eos_token": "</s>"})
		if err != nil {
			t.Fatal(err)
		}
		d := Dialogue{Messages: c.Row.Messages}
		text := ""
		d.Variables, err = NewVariables(decode(t, c.Row.Tools), decode(t, c.Row.Documents), decode(t, c.Row.Kwargs))
		if err == nil {
			text, err = template.Render(t.Context(), d)
		}
		switch {
		case c.Want == nil && err != nil:
			refused++
		case c.Want != nil && err == nil && text == *c.Want:
			rendered++
		case c.Want != nil && err != nil && strings.Contains(err.Error(), "which the template does not read"):
			unread++
		default:
			t.Errorf("%s\n\tgot %q, %v", lines.Text(), text, err)
		}
	}
	if rendered < 60 || refused < 20 || unread < 10 {
		t.Errorf("%d rows are rendered, %d refused, %d not read by the template", rendered, refused, unread)
	}
}

// decode returns a JSON value, or nil where there is none.
func decode(t *testing.T, data []byte) any {
	t.Helper()
	if len(data) == 0 {
		return nil
	}
	v, err := jinja.DecodeJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestRenderStops checks that long renderings end at once when their context does.
func TestRenderStops(t *testing.T) {
	const long = `{% for a in range(2000) %}{% for b in range(2000) %}{{ '' }}{% endfor %}{% endfor %}`
	template, err := NewTemplate(long, nil)
	if err != nil {
		t.Fatal(err)
	}
	program, err := NewRowTemplate(long, nil)
	if err != nil {
		t.Fatal(err)
	}
	const sums = `range(99999)|map('string')|map('length')|sum + range(99999)|map('string')|map('length')|sum`
	expression, err := NewRowExpression("{{ "+sums+" + "+sums+" + "+sums+" }}", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, render := range map[string]func(context.Context) error{
		"chat": func(ctx context.Context) error {
			_, err := template.Render(ctx, Dialogue{})
			return err
		},
		"row": func(ctx context.Context) error {
			_, err := program.Text(ctx, nil)
			return err
		},
		"expression": func(ctx context.Context) error {
			_, err := expression.Value(ctx, nil)
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		begin := time.Now()
		err := render(ctx)
		took := time.Since(begin)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || took > 100*time.Millisecond {
			t.Errorf("%s: ended after %v: %v", name, took, err)
		}
	}
}
