package chat

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
)

// renderTemplate renders with "<s>" and "</s>" as the checkpoint's tokens.
func renderTemplate(t testing.TB, source string, messages []Message, generationPrompt bool) string {
	t.Helper()
	template, err := NewTemplate(source, "<s>", "</s>")
	if err != nil {
		t.Fatal(err)
	}
	text, err := template.Render(messages, generationPrompt)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestTemplateGolden compares with the reference's default template under jinja2, and the ids with its tokenizer's.
func TestTemplateGolden(t *testing.T) {
	var golden struct {
		Source string `json:"chat_template"`
		Cases  []struct {
			Messages         []Message
			GenerationPrompt bool `json:"add_generation_prompt"`
			Text             string
			Bare             []int32 `json:"ids_template"`
			Call             []int32 `json:"ids_tokenizer_call"`
		}
	}
	fixture.Read(t, &golden, "chat_template_cases.json")
	tokenizer, err := tokenizer.New(fixture.FolderReader(fixture.Mistral(t)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range golden.Cases {
		for name, source := range map[string]string{"reference": golden.Source, "zephyr": ZephyrTemplate} {
			if got := renderTemplate(t, source, c.Messages, c.GenerationPrompt); got != c.Text {
				t.Errorf("%s: %v: %q, want %q", name, c.Messages, got, c.Text)
			}
		}
		if got := tokenizer.Encode(c.Text, false); !slices.Equal(got, c.Bare) {
			t.Errorf("%q: %v, want %v", c.Text, got, c.Bare)
		}
		if got := tokenizer.Encode(c.Text, true); !slices.Equal(got, c.Call) {
			t.Errorf("%q with BOS: %v, want %v", c.Text, got, c.Call)
		}
	}
	if len(golden.Cases) == 0 {
		t.Error("no cases")
	}
}

func TestZephyrTemplate(t *testing.T) {
	dialogue := []Message{{"system", "Be brief."}, {"tool", "ignored"}, {"user", "Hi"}}
	for _, c := range []struct {
		messages []Message
		prompt   bool
		want     string
	}{
		{dialogue, false, "<|system|>\nBe brief.</s>\n<|user|>\nHi</s>\n"},
		{dialogue, true, "<|system|>\nBe brief.</s>\n<|user|>\nHi</s>\n<|assistant|>\n"},
		{[]Message{{"tool", "x"}}, true, "<|assistant|>\n"},
		{nil, true, ""},
	} {
		if got := renderTemplate(t, ZephyrTemplate, c.messages, c.prompt); got != c.want {
			t.Errorf("%v: %q, want %q", c.messages, got, c.want)
		}
	}
}

// Templates in the manner of published ones; what they should render was taken from jinja2.
const (
	smolTemplate = `{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}`
	mistralTemplate = `{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}` +
		`{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}` +
		`{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}` +
		`{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}` +
		`{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}`
	llama3Template = `{% set loop_messages = messages %}{% for message in loop_messages %}` +
		`{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>

'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}` +
		`{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>

' }}{% endif %}`
	newerTemplate = `
{%- if messages[0].role == "system" %}
    {%- set system_message = messages[0]["content"] | trim %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- if not tools is defined %}{% set tools = none %}{%- endif %}
{%- set ns = namespace(turns=0, last="") %}
{%- macro tag(name) %}<|{{ name }}|>{% endmacro %}
{{- bos_token }}
{%- for message in loop_messages %}
    {#- a comment -#}
    {%- if message.role not in ["user", "assistant"] %}{% continue %}{% endif %}
    {%- set ns.turns = ns.turns + 1 %}
    {{- tag(message.role) ~ "\n" }}
    {%- if message.role == "user" and loop.first and system_message %}
        {{- system_message + "\n\n" + message.content }}
    {%- else %}
        {% generation %}{{- message.content.strip() if message.content is string else "" }}{% endgeneration %}
    {%- endif %}
    {{- eos_token }}
{%- endfor %}
{{- " " ~ ns.turns }}
{%- if add_generation_prompt %}{{ tag("assistant") }}{% endif %}
`
)

func TestPublishedTemplates(t *testing.T) {
	user, assistant := Message{"user", " Hi "}, Message{"assistant", "Yo"}
	for _, c := range []struct {
		name, source string
		messages     []Message
		prompt       bool
		want         string
	}{
		{"smollm2", smolTemplate, []Message{user}, true, "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n" +
			"<|im_start|>user\n Hi <|im_end|>\n<|im_start|>assistant\n"},
		{"smollm2 system", smolTemplate, []Message{{"system", "S"}, user}, false, "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n Hi <|im_end|>\n"},
		{"smollm2 empty", smolTemplate, nil, true, "<|im_start|>assistant\n"},
		{"mistral", mistralTemplate, []Message{user, assistant, user}, false, "<s>[INST]  Hi  [/INST]Yo</s>[INST]  Hi  [/INST]"},
		{"llama3", llama3Template, []Message{{"system", "S"}, user}, true, "<s><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|>" +
			"<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"},
		{"newer", newerTemplate, []Message{{"system", " S "}, user, {"tool", "x"}, assistant}, true,
			"<s><|user|>\nS\n\n Hi </s><|assistant|>\nYo</s> 2<|assistant|>"},
	} {
		if got := renderTemplate(t, c.source, c.messages, c.prompt); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestTemplateRefusal: raise_exception ends rendering with the template's words, wherever it stands.
func TestTemplateRefusal(t *testing.T) {
	template, err := NewTemplate(mistralTemplate, "<s>", "</s>")
	if err != nil {
		t.Fatal(err)
	}
	_, err = template.Render([]Message{{"assistant", "x"}}, false)
	if err == nil || err.Error() != "chat template: Conversation roles must alternate user/assistant/user/assistant/..." {
		t.Errorf("error %v", err)
	}
	template, err = NewTemplate(`{% set x = raise_exception("no") is defined %}ok`, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := template.Render(nil, false); err == nil {
		t.Errorf("a swallowed refusal renders %q", text)
	}
}

// TestTemplateWhitespace: trim_blocks, lstrip_blocks, and one trailing newline dropped, as transformers sets them.
func TestTemplateWhitespace(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"a\n", "a"},
		{"a\n\n", "a\n"},
		{"{% if true %}\nx\n{% endif %}\ny", "x\ny"},
		{"  {% if true %}\n  x\n  {% endif %}\ny", "  x\ny"},
		{"{{ 'a' }}\nb", "a\nb"},
		{"a  {{- 'b' -}}  c", "abc"},
		{"a\n  {%- if true -%}\n  b\n  {%- endif %}\n", "ab"},
		{"{# c #}\nx", "x"},
		{"{% raw %}{{ x }}{% endraw %}", "{{ x }}"},
	} {
		if got := renderTemplate(t, c.source, nil, false); got != c.want {
			t.Errorf("%q: %q, want %q", c.source, got, c.want)
		}
	}
}

func TestCheckpointTemplate(t *testing.T) {
	for _, c := range []struct {
		name, jinja, config string
		source              string
		found               bool
		err                 string
	}{
		{name: "none"},
		{name: "no key", config: `{"bos_token": "<s>"}`},
		{name: "null", config: `{"chat_template": null}`},
		{name: "file first", jinja: "J", config: `{"chat_template": "C"}`, source: "J", found: true},
		{name: "string", config: `{"chat_template": "C"}`, source: "C", found: true},
		{name: "list", config: `{"chat_template": [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]}`, source: "D", found: true},
		{name: "list without default", config: `{"chat_template": [{"name": "rag", "template": "T"}]}`, err: `named "default"`},
		{name: "number", config: `{"chat_template": 7}`, err: "neither a string nor a list"},
		{name: "broken", config: `{`, err: "tokenizer_config.json"},
	} {
		files := map[string]string{}
		if c.jinja != "" {
			files["chat_template.jinja"] = c.jinja
		}
		if c.config != "" {
			files["tokenizer_config.json"] = c.config
		}
		source, found, err := CheckpointTemplate(fixture.FileReader(files))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want one with %q", c.name, err, c.err)
			}
			continue
		}
		if err != nil || source != c.source || found != c.found {
			t.Errorf("%s: %q, %t, %v", c.name, source, found, err)
		}
	}
}

func TestTemplateConcurrent(t *testing.T) {
	template, err := NewTemplate(newerTemplate, "<s>", "</s>")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			content := strings.Repeat("x", i+1)
			for range 50 {
				text, err := template.Render([]Message{{"user", content}}, false)
				if err != nil || text != "<s><|user|>\n"+content+"</s> 1" {
					t.Errorf("%q, %v", text, err)
				}
			}
		})
	}
	group.Wait()
}

func ExampleNewTemplate() {
	template, err := NewTemplate(ZephyrTemplate, "<s>", "</s>")
	if err != nil {
		panic(err)
	}
	text, err := template.Render([]Message{{Role: "user", Content: "Hello"}}, true)
	if err != nil {
		panic(err)
	}
	fmt.Print(text)
	// Output:
	// <|user|>
	// Hello</s>
	// <|assistant|>
}

func BenchmarkRender(b *testing.B) {
	template, err := NewTemplate(ZephyrTemplate, "<s>", "</s>")
	if err != nil {
		b.Fatal(err)
	}
	dialogue := []Message{{"system", "Be brief."}, {"user", strings.Repeat("Hi ", 300)}, {"assistant", strings.Repeat("Yo ", 300)}}
	for b.Loop() {
		if _, err := template.Render(dialogue, true); err != nil {
			b.Fatal(err)
		}
	}
}

// TestSandbox: what a hostile template tries ends in an error or in harmless text, in time and without much memory.
func TestSandbox(t *testing.T) {
	for _, c := range []struct{ name, source, want, err string }{
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
		{name: "endless range", source: `{% for i in range(1000000000000) %}x{% endfor %}`, err: "range has more than"},
		{name: "endless loop", source: strings.Repeat(`{% for i in range(10000) %}`, 5) + strings.Repeat(`{% endfor %}`, 5), err: "rendering takes longer"},
		{name: "loop in set", source: `{% set x %}` + strings.Repeat(`{% for i in range(9999) %}`, 3) + `xxxx` + strings.Repeat(`{% endfor %}`, 3) + `{% endset %}`, err: "grows beyond"},
		{name: "long output", source: strings.Repeat(`{% for i in range(9999) %}`, 3) + `xxxx` + strings.Repeat(`{% endfor %}`, 3), err: "grows beyond"},
		{name: "doubling", source: `{% set n = namespace(x='xxxx') %}{% for i in range(64) %}{% set n.x = n.x ~ n.x %}{% endfor %}`, err: "larger than"},
		{name: "doubling list", source: `{% set n = namespace(x=[1]) %}{% for i in range(64) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}`, err: "larger than"},
		{name: "long join", source: "{{ 'x'" + strings.Repeat(" ~ 'x'", 100) + " }}", err: "more than 64 joins"},
		{name: "repeat", source: `{{ 'x' * 1000000000000 }}`, err: "operator * is not supported"},
		{name: "power", source: `{{ 9 ** 9 }}`, err: "operator ** is not supported"},
		{name: "replace", source: `{% set x %}{% for i in range(9999) %}xxxxxxxxxx{% endfor %}{% endset %}{{ x | replace('x', x) }}`, err: "replace makes a text larger"},
		{name: "replace method", source: `{% set x %}{% for i in range(9999) %}xxxxxxxxxx{% endfor %}{% endset %}{{ x.replace('x', x) }}`, err: "replace makes a text larger"},
		{name: "join", source: `{% set x %}{% for i in range(9999) %}xxxxxxxxxx{% endfor %}{% endset %}{{ range(9999) | join(x) }}`, err: "join makes a text larger"},
		{name: "split", source: `{% set x %}{% for i in range(9999) %}x x x {% endfor %}{% endset %}{{ x.split() }}`, err: "more than 10000 parts"},
		{name: "padding", source: `{{ 'x'.ljust(1000000000000) }}`, err: "unknown method 'ljust'"},
		{name: "format", source: `{{ '%1000000000d' | format(1) }}`, err: "'format' not found"},
		{name: "endless macro", source: `{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}`, err: "nest deeper"},
		{name: "doubling macro", source: `{% macro f(x) %}{{ f(x ~ x ~ x ~ x) }}{% endmacro %}{{ f('xxxx') }}`, err: "larger than"},
		{name: "mutual macros", source: `{% macro f() %}{{ g() }}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}`, err: "nest deeper"},
		{name: "recursive loop", source: `{% for x in [[1]] recursive %}{{ loop([x]) }}{% endfor %}`, err: "recursive loops are not supported"},
		{name: "namespace in itself", source: `{% set n = namespace() %}{% set n.n = n %}{{ n }}`, err: "larger than"},
		{name: "list in itself", source: `{% set l = [] %}{% do l.append(l) %}{{ l }}`, err: "unknown method 'append'"},
		{name: "deep parentheses", source: "{{ " + strings.Repeat("(", 1<<16) + " }}", err: "1024 parts"},
		{name: "deep negation", source: "{{ " + strings.Repeat("not ", 1<<14) + " x }}", err: "1024 parts"},
		{name: "deep blocks", source: strings.Repeat("{% if x %}", 1<<13), err: "blocks nest deeper than 64"},
		{name: "long source", source: strings.Repeat("x", 1<<20), err: "more than 131072"},
		{name: "division by zero", source: `{{ 1 % 0 }}`, err: "rendering failed"},
		{name: "open tag", source: `{{ 'x`, err: "line 1"},
		{name: "open block", source: `{% for m in messages %}`, err: "Unexpected EOF"},
		{name: "stray end", source: `{% endfor %}`, err: "'endfor' not found"},
		{name: "attribute of nothing", source: `{{ nothing.at.all }}`, err: "Getitem on None"},
	} {
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

// FuzzTemplate: no template makes parsing or rendering panic or run on.
func FuzzTemplate(f *testing.F) {
	for _, source := range []string{ZephyrTemplate, smolTemplate, mistralTemplate, llama3Template, newerTemplate, "{{", "{% set x %}", "{{ x[::-1] }}"} {
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
