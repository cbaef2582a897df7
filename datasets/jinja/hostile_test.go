package jinja

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

// big sets the variable big to a text of 2 MB.
const big = `{% set big %}{% for i in range(10000) %}` +
	`abababababababababababababababababababababababababababababababababababababababababababababababababababab` +
	`abababababababababababababababababababababababababababababababababababababababababababababababababababab` +
	`{% endfor %}{% endset %}`

// tuples sets n.x to tuples of two that are the same, so that the innermost one is reached in 2^60 ways.
const tuples = `{% set n = namespace(x=(1,)) %}{% for i in range(60) %}{% set n.x = (n.x, n.x) %}{% endfor %}`

// hostile are templates that would take much time, memory or stack, or reach what they should not.
func hostile() map[string]string {
	loops := func(n int, body string) string {
		return strings.Repeat(`{% for i in range(100000) %}`, n) + body + strings.Repeat(`{% endfor %}`, n)
	}
	grow := func(start, step string) string {
		return `{% set n = namespace(x=` + start + `) %}` + loops(1, `{% set n.x = `+step+` %}`) + `{{ n.x }}`
	}
	return map[string]string{
		"loops": loops(5, ""), "output": loops(3, "xxxx"), "set": `{% set x %}` + loops(3, "xxxx") + `{% endset %}`,
		"deep loops": loops(30, ""), "continue": big + strings.Repeat(`{% for c in big %}{% continue %}{% endfor %}`, 99),
		"filtered loop": big + loops(2, `{% for c in big if false %}{% endfor %}`),
		"condition":     big + `{% for c in big if big.replace('a','b') == 'q' %}{% endfor %}x`,
		"joins":         big + `{{ (` + strings.Repeat(`big ~ `, 99) + `big)|length }}`,
		"slices":        big + loops(1, `{% if big[::-1] == 'x' %}{% endif %}`),
		"items":         big + loops(1, `{{ big[1999990] }}`), "length": big + loops(1, `{% if big|length %}{% endif %}`),
		"in":      big + loops(2, `{% if 'q' in big %}{% endif %}`),
		"split":   big + loops(1, `{% set x = big.split('a') %}`),
		"list":    big + loops(1, `{% set x = big|list %}`),
		"replace": big + `{{ big.replace('a', big)|length }}`,
		"join":    big + `{{ range(100000)|join(big)|length }}`,
		"repeat":  `{{ ('x' * 1000000000000)|length }}`, "repeat list": `{{ ([1] * 1000000000000)|length }}`,
		"repeat empty": `{{ ([[]] * 999999999)|length }}`,
		"power":        `{{ 9 ** (9 ** (9 ** 9)) }}`,
		"powers":       grow(`3`, `n.x * n.x`), "sum": loops(2, `{{ 2 ** 60000 % 7 }}`),
		"percent": `{{ '%1000000000d' % 1 }}`, "star": `{{ '%*d' % (1000000000, 1) }}`, "digits": `{{ '%.1000000000f' % 1 }}`,
		"format": `{{ '{:1000000000}'.format(1) }}`, "fields": `{{ '{:{}}'.format(1, 10 ** 9) }}`,
		"grouped": `{{ '{:0900000000,}'.format(1) }}`, "center": `{{ 'x'.center(1000000000)|length }}`,
		"zfill": `{{ 'x'.zfill(1000000000)|length }}`, "tabs": `{{ ('\t' * 99999).expandtabs(99999)|length }}`,
		"indent": big + `{{ big.replace('b', '\n')|indent(100000)|length }}`,
		"json":   grow(`[1]`, `[n.x, n.x]`), "tojson": `{% set n = namespace(x=[1]) %}` +
			`{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x|tojson }}`,
		"equal": `{% set n = namespace(x=[1], y=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}` +
			`{% set n.y = [n.y, n.y] %}{% endfor %}{{ n.x == n.y }}`,
		"deep":          `{% set n = namespace(x=1) %}` + loops(1, `{% set n.x = [n.x] %}`) + `{{ n.x }}`,
		"tuple":         `{% set n = namespace(x=1) %}` + loops(1, `{% set n.x = (n.x,) %}`) + `{{ {n.x: 1} }}`,
		"shared tuples": tuples + `{{ {n.x: 1}|length }}`, "key of shared tuples": tuples + `{{ {}[n.x] }}`,
		"unique tuples": tuples + `{{ [n.x, n.x]|unique|list }}`, "keys of keys": tuples + `{{ {1: 2}.get(n.x) }}`,
		"lazy": `{% set n = namespace(x=[1]) %}` + loops(1, `{% set n.x = n.x|map('string') %}`) +
			`{{ n.x|list }}`,
		"itself":   `{% set n = namespace() %}{% set n.n = n %}{{ n }}`,
		"doubling": grow(`'xxxx'`, `n.x ~ n.x`), "adding": grow(`[1]`, `n.x + n.x`),
		"reserve":   grow(`''`, `n.x + 'xxxxxxxx'`),
		"macro":     `{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}`,
		"macros":    `{% macro f(n) %}{{ f(n - 1) ~ f(n - 1) if n else 'x' }}{% endmacro %}{{ f(60) }}`,
		"recursive": `{% for x in [[1]] recursive %}{{ loop([x]) }}{% endfor %}`,
		"sort":      big + loops(1, `{% set x = big|sort %}`), "unique": loops(1, `{% set x = range(100000)|unique|list %}`),
		"batch": `{{ [1]|batch(1000000000, 0)|list|length }}`, "slice": `{{ [1]|slice(1000000000)|list|length }}`,
		"groups": loops(1, `{% set x = range(100000)|groupby('real')|list %}`),
		"dict":   grow(`{}`, `dict(n.x, **{i|string: i})`), "urls": grow(`'/é'`, `n.x|urlencode`),
		"escape": grow(`'<'`, `n.x|forceescape`), "upper": grow(`'ŉ'`, `n.x|upper ~ n.x`),
		"changed":  `{% for x in range(100000) %}{% if loop.changed(range(100000)|list) %}{% endif %}{% endfor %}`,
		"message":  `{% set messages[0]['content'] = 'HACK' %}{{ messages[0]['content'] }}`,
		"brackets": "{{ " + strings.Repeat("[", 60000) + " }}", "parentheses": "{{ " + strings.Repeat("(", 60000) + " }}",
		"nots": "{{ " + strings.Repeat("not ", 30000) + "x }}", "signs": "{{ " + strings.Repeat("-", 60000) + "1 }}",
		"blocks": strings.Repeat("{% if x %}", 12000), "chain": "{{ 1" + strings.Repeat("+1", 60000) + " }}",
		"attributes": "{{ x" + strings.Repeat(".a", 60000) + " }}", "filters": "{{ x" + strings.Repeat("|e", 60000) + " }}",
		"conditions": "{{ 1" + strings.Repeat(" if 1 else 1", 10000) + " }}",
		"calls":      "{{ x" + strings.Repeat("()", 60000) + " }}",
		"opening":    strings.Repeat("{% ", 40000), "comments": strings.Repeat("{#", 60000),
		"raws":   strings.Repeat("{% raw %}", 12000),
		"spaces": strings.Repeat("{%   raw", 16000), "long": strings.Repeat("x", 1<<20),
	}
}

// TestHostile checks that hostile templates end soon, with an error and within bounds of memory.
func TestHostile(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(os.Getenv("BFPO_SHARED"), "cases/hostile/template-*.jinja"))
	templates := hostile()
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		templates[filepath.Base(name)] = string(source)
	}
	dialogue := []any{map[string]any{"role": "user", "content": "Hi"}}
	for name, source := range templates {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		template, err := Parse(source, Chat(nil))
		text := ""
		if err == nil {
			text, err = template.Render(context.Background(), map[string]any{"messages": dialogue})
		}
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
		if err == nil {
			t.Errorf("%s: renders as %.40q", name, text)
		}
		if took > 10*time.Second || allocated > 600 { // two seconds without other work
			t.Errorf("%s: took %v and allocated %d MiB in all (%.100v)", name, took, allocated, err)
		}
		if testing.Verbose() {
			t.Logf("%s: %v, %d MiB, %.100v", name, took.Round(time.Millisecond), allocated, err)
		}
	}
}

// TestHostileMessage checks that methods of a long message end soon, and that short loops over it render.
func TestHostileMessage(t *testing.T) {
	variables := map[string]any{"B": strings.Repeat("a", 2000000)}
	honest := map[string]any{"B": strings.Repeat("a", 100000)}
	for _, body := range []string{`B.count("aa")`, `B.find("a"*1000000 ~ "b")`, `("a"*1000000 ~ "b") in B`, `B|wordcount`,
		`B.rfind("b" ~ "a"*1000000)`, `B|sort|length`} {
		template, err := Parse(`{% for i in range(n) %}{% set x = `+body+` %}{% endfor %}`, Chat(nil))
		if err != nil {
			t.Fatal(err)
		}
		variables["n"], honest["n"] = 1000, 2
		start := time.Now()
		_, err = template.Render(context.Background(), variables)
		if took := time.Since(start); err == nil || took > 10*time.Second { // two seconds without other work
			t.Errorf("%s: %v after %v", body, err, took)
		} else {
			t.Logf("%s: %v after %v", body, err, took)
		}
		if _, err := template.Render(context.Background(), honest); err != nil {
			t.Errorf("%s: %v on 100 KB", body, err)
		}
	}
}

// TestStop checks that a rendering ends with its context.
func TestStop(t *testing.T) {
	template, err := Parse(hostile()["loops"], Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = template.Render(ctx, nil)
	if took := time.Since(start); err == nil || ctx.Err() == nil || took > time.Second {
		t.Errorf("%v after %v", err, took)
	}
}

// FuzzTemplate checks that every template ends soon and within bounds of memory, and gives the same twice. A template
// is a program: it is read within the bounds of every file, and then uses what the meter of a rendering allows,
// whatever its size. All that it makes, garbage included, is at most 800 MiB.
func FuzzTemplate(f *testing.F) {
	for _, source := range hostile() {
		if len(source) < 300 {
			f.Add(source, "Hi")
		}
	}
	file, err := os.Open("testdata/cases.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var c recorded
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			f.Fatal(err)
		}
		f.Add(c.Template, "Grüße, 世界\n")
	}
	f.Fuzz(func(t *testing.T, source, content string) {
		var template *Template
		var err error
		fuzztest.Bounded(t, len(source), 5*time.Second, func() { template, err = Parse(source, Chat(nil)) })
		if err != nil {
			return
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		variables := map[string]any{"messages": []any{map[string]any{"role": "user", "content": content}}, "s": content,
			"l": []any{3, "x", nil, 2.5}, "d": map[string]any{"b": 1, "a": content}, "n": 7}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) // instrumented code is slow
		defer cancel()
		text, err := template.Render(ctx, variables)
		runtime.ReadMemStats(&after)
		if took := time.Since(start); took > 8*time.Second {
			t.Errorf("took %v", took)
		}
		if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > 800 {
			t.Errorf("allocated %d MiB", allocated)
		}
		var e *Error
		if errors.As(err, &e) && e.Kind == "InternalError" {
			t.Error(err)
		}
		if err == nil && time.Since(start) < time.Second {
			if again, err := template.Render(ctx, variables); err != nil || again != text {
				t.Errorf("%q, then %q, %v", text, again, err)
			}
		}
	})
}

func BenchmarkRender(b *testing.B) {
	template, err := Parse(`{% for m in messages %}{% if m.role == 'user' %}{{ '<|user|>\n' + m.content|trim + '\n' }}`+
		`{% else %}{{ '<|' ~ m['role'] ~ '|>\n' ~ m.content }}{% endif %}{% endfor %}`, Chat(nil))
	if err != nil {
		b.Fatal(err)
	}
	messages := []any{}
	for range 4 {
		messages = append(messages, map[string]any{"role": "user", "content": strings.Repeat("Hi ", 200)},
			map[string]any{"role": "assistant", "content": strings.Repeat("Yo ", 200)})
	}
	for b.Loop() {
		if _, err := template.Render(context.Background(), map[string]any{"messages": messages}); err != nil {
			b.Fatal(err)
		}
	}
}
