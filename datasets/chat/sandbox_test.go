package chat

import (
	"strings"
	"testing"
	"time"
)

// sandboxCase is a template and the text or the error that it must give.
type sandboxCase struct{ name, source, want, err string }

// checkSandbox checks that every template ends in its error or its text, in time.
func checkSandbox(t *testing.T, cases []sandboxCase) {
	t.Helper()
	for _, c := range cases {
		start := time.Now()
		template, err := NewTemplate(c.source, "<s>", "</s>")
		text := ""
		if err == nil {
			text, err = template.Render([]Message{{"user", "Hi"}}, true)
		}
		if took := time.Since(start); took > 6*renderTime {
			t.Errorf("%s: took %v", c.name, took)
		}
		switch {
		case c.err == "" && (err != nil || text != c.want):
			t.Errorf("%s: %q, %v, want %q", c.name, text, err, c.want)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s: %.80q, error %.300v, want one with %q", c.name, text, err, c.err)
		}
	}
}

// TestSandboxAccess checks that a hostile template reaches neither files nor the internals of the engine.
func TestSandboxAccess(t *testing.T) {
	checkSandbox(t, []sandboxCase{
		{name: "include", source: `{% include "/etc/passwd" %}`, err: "'include' not found"},
		{name: "extends", source: `{% extends "/etc/passwd" %}`, err: "'extends' not found"},
		{name: "import", source: `{% import "/etc/passwd" as x %}`, err: "'import' not found"},
		{name: "from", source: `{% from "/etc/passwd" import x %}`, err: "'from' not found"},
		{name: "class", source: `{{ ''.__class__ }}`, err: "__class__ is not allowed"},
		{name: "class item", source: `[{{ ''['__class__'] }}]`, want: "[]"},
		{name: "class filter", source: `{{ ''|attr('__class__') }}`, err: "'attr' not found"},
		{name: "globals", source: `{{ lipsum.__globals__ }}`, err: "__globals__ is not allowed"},
		{name: "lipsum", source: `{{ lipsum() }}`, err: "not callable"},
		{name: "functions", source: `{{ [cycler, joiner, dict, gettext, gonja] }}`, want: "[, , , , ]"},
		{name: "environment", source: `{{ self }}{{ config }}`, want: "{}"},
	})
}

// TestSandboxGrowth checks that loops, texts and macros which grow without end are stopped soon and with little memory.
func TestSandboxGrowth(t *testing.T) {
	checkSandbox(t, []sandboxCase{
		{name: "endless range", source: `{% for i in range(1000000000000) %}x{% endfor %}`, err: "range has more than"},
		{name: "endless loop",
			source: strings.Repeat(`{% for i in range(10000) %}`, 5) + strings.Repeat(`{% endfor %}`, 5),
			err:    "rendering takes longer"},
		{name: "loop in set",
			source: `{% set x %}` + strings.Repeat(`{% for i in range(9999) %}`, 3) +
				`xxxx` + strings.Repeat(`{% endfor %}`, 3) + `{% endset %}`,
			err: "grows beyond"},
		{name: "long output",
			source: strings.Repeat(`{% for i in range(9999) %}`, 3) + `xxxx` + strings.Repeat(`{% endfor %}`, 3),
			err:    "grows beyond"},
		{name: "doubling",
			source: `{% set n = namespace(x='xxxx') %}{% for i in range(64) %}{% set n.x = n.x ~ n.x %}{% endfor %}`,
			err:    "larger than"},
		{name: "doubling list",
			source: `{% set n = namespace(x=[1]) %}` +
				`{% for i in range(64) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}`,
			err: "larger than"},
		{name: "long join", source: "{{ 'x'" + strings.Repeat(" ~ 'x'", 100) + " }}", err: "more than 64 joins"},
		{name: "repeat", source: `{{ 'x' * 1000000000000 }}`, err: "operator * is not supported"},
		{name: "power", source: `{{ 9 ** 9 }}`, err: "operator ** is not supported"},
		{name: "replace",
			source: `{% set x %}{% for i in range(9999) %}xxxxxxxxxx{% endfor %}{% endset %}{{ x | replace('x', x) }}`,
			err:    "replace makes a text larger"},
		{name: "replace method",
			source: `{% set x %}{% for i in range(9999) %}xxxxxxxxxx{% endfor %}{% endset %}{{ x.replace('x', x) }}`,
			err:    "replace makes a text larger"},
		{name: "join",
			source: `{% set x %}{% for i in range(9999) %}xxxxxxxxxx{% endfor %}{% endset %}` +
				`{{ range(9999) | join(x) }}`,
			err: "join makes a text larger"},
		{name: "split",
			source: `{% set x %}{% for i in range(9999) %}x x x {% endfor %}{% endset %}{{ x.split() }}`,
			err:    "more than 10000 items"},
		{name: "padding", source: `{{ 'x'.ljust(1000000000000) }}`, err: "unknown method 'ljust'"},
		{name: "format", source: `{{ '%1000000000d' | format(1) }}`, err: "'format' not found"},
		{name: "endless macro", source: `{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}`, err: "nest deeper"},
		{name: "doubling macro",
			source: `{% macro f(x) %}{{ f(x ~ x ~ x ~ x) }}{% endmacro %}{{ f('xxxx') }}`,
			err:    "larger than"},
		{name: "mutual macros",
			source: `{% macro f() %}{{ g() }}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}`,
			err:    "nest deeper"},
		{name: "recursive loop",
			source: `{% for x in [[1]] recursive %}{{ loop([x]) }}{% endfor %}`,
			err:    "recursive loops are not supported"},
		{name: "namespace in itself", source: `{% set n = namespace() %}{% set n.n = n %}{{ n }}`, err: "larger than"},
		{name: "list in itself", source: `{% set l = [] %}{% do l.append(l) %}{{ l }}`, err: "unknown method 'append'"},
	})
}

// TestSandboxSource checks that sources which are too long, too deep or malformed are errors.
func TestSandboxSource(t *testing.T) {
	checkSandbox(t, []sandboxCase{
		{name: "deep parentheses", source: "{{ " + strings.Repeat("(", 1<<16) + " }}", err: "1024 tokens"},
		{name: "deep negation", source: "{{ " + strings.Repeat("not ", 1<<14) + " x }}", err: "1024 tokens"},
		{name: "deep blocks", source: strings.Repeat("{% if x %}", 1<<13), err: "blocks nest deeper than 64"},
		{name: "long source", source: strings.Repeat("x", 1<<20), err: "more than 131072"},
		{name: "division by zero", source: `{{ 1 % 0 }}`, err: "rendering failed"},
		{name: "open tag", source: `{{ 'x`, err: "line 1"},
		{name: "open block", source: `{% for m in messages %}`, err: "Unexpected EOF"},
		{name: "stray end", source: `{% endfor %}`, err: "'endfor' not found"},
		{name: "attribute of nothing", source: `{{ nothing.at.all }}`, err: "Getitem on None"},
	})
}

// FuzzTemplate checks that no template makes parsing or rendering panic or run without end.
func FuzzTemplate(f *testing.F) {
	for _, source := range []string{
		ZephyrTemplate, smolTemplate, mistralTemplate, llama3Template, newerTemplate,
		"{{", "{% set x %}", "{{ x[::-1] }}",
	} {
		f.Add(source, "Hi")
	}
	f.Fuzz(func(t *testing.T, source, content string) {
		template, err := NewTemplate(source, "<s>", "</s>")
		if err != nil {
			return
		}
		text, err := template.Render([]Message{{"user", content}, {"assistant", content}}, true)
		if err == nil && len(text) > maxText {
			t.Errorf("%d bytes", len(text))
		}
	})
}
