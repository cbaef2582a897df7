package chat

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/datasets/jinja"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
)

// renderTemplate renders with the BOS "<s>" and the EOS "</s>".
func renderTemplate(t testing.TB, source string, messages []Message, generationPrompt bool) string {
	t.Helper()
	template, err := NewTemplate(source, map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := template.Render(t.Context(), Dialogue{Messages: messages, GenerationPrompt: generationPrompt})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestTemplateGolden compares with the original code's default template under jinja2, and the ids with its tokenizer.
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
		for name, source := range map[string]string{"original": golden.Source, "zephyr": ZephyrTemplate} {
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
	dialogue := []Message{{Role: "system", Content: "Be brief."}, {Role: "tool", Content: "ignored"},
		{Role: "user", Content: "Hi"}}
	for _, c := range []struct {
		messages []Message
		prompt   bool
		want     string
	}{
		{dialogue, false, "<|system|>\nBe brief.</s>\n<|user|>\nHi</s>\n"},
		{dialogue, true, "<|system|>\nBe brief.</s>\n<|user|>\nHi</s>\n<|assistant|>\n"},
		{[]Message{{Role: "tool", Content: "x"}}, true, "<|assistant|>\n"},
		{nil, true, ""},
	} {
		if got := renderTemplate(t, ZephyrTemplate, c.messages, c.prompt); got != c.want {
			t.Errorf("%v: %q, want %q", c.messages, got, c.want)
		}
	}
}

// Templates like the ones that models are published with; the expected texts come from jinja2.
const (
	smolTemplate = `{% for message in messages %}` +
		`{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}`
	mistralTemplate = `{{ bos_token }}{% for message in messages %}` +
		`{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}` +
		`{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}` +
		`{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}` +
		`{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}` +
		`{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}`
	llama3Template = `{% set loop_messages = messages %}{% for message in loop_messages %}` +
		`{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>

'+ message['content'] | trim + '<|eot_id|>' %}` +
		`{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}` +
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
	user, assistant := Message{Role: "user", Content: " Hi "}, Message{Role: "assistant", Content: "Yo"}
	for _, c := range []struct {
		name, source string
		messages     []Message
		prompt       bool
		want         string
	}{
		{"smollm2", smolTemplate, []Message{user}, true,
			"<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n" +
				"<|im_start|>user\n Hi <|im_end|>\n<|im_start|>assistant\n"},
		{"smollm2 system", smolTemplate, []Message{{Role: "system", Content: "S"}, user}, false,
			"<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n Hi <|im_end|>\n"},
		{"smollm2 empty", smolTemplate, nil, true, "<|im_start|>assistant\n"},
		{"mistral", mistralTemplate, []Message{user, assistant, user}, false,
			"<s>[INST]  Hi  [/INST]Yo</s>[INST]  Hi  [/INST]"},
		{"llama3", llama3Template, []Message{{Role: "system", Content: "S"}, user}, true,
			"<s><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|>" +
				"<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>" +
				"<|start_header_id|>assistant<|end_header_id|>\n\n"},
		{"newer", newerTemplate, []Message{{Role: "system", Content: " S "}, user,
			{Role: "tool", Content: "x"}, assistant}, true,
			"<s><|user|>\nS\n\n Hi </s><|assistant|>\nYo</s> 2<|assistant|>"},
	} {
		if got := renderTemplate(t, c.source, c.messages, c.prompt); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestTemplateRefusal checks that raise_exception ends the rendering with the template's words, even in an expression
// that swallows errors.
func TestTemplateRefusal(t *testing.T) {
	template, err := NewTemplate(mistralTemplate, map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = template.Render(t.Context(), Dialogue{Messages: []Message{{Role: "assistant", Content: "x"}}})
	want := "chat template: Conversation roles must alternate user/assistant/user/assistant/..."
	if err == nil || err.Error() != want {
		t.Errorf("error %v", err)
	}
	template, err = NewTemplate(`{% set x = raise_exception("no") is defined %}ok`, nil)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := template.Render(t.Context(), Dialogue{}); err == nil {
		t.Errorf("a swallowed refusal renders %q", text)
	}
}

// TestTemplateWhitespace checks the settings of transformers: trim_blocks, lstrip_blocks, and one trailing newline
// dropped.
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
		{name: "list", source: "D", found: true, config: `{"chat_template": [` +
			`{"name": "rag", "template": "R"}, {"name": "default", "template": "D"}]}`},
		{name: "template for tools", found: true, source: "{% if tools +%}T{%+ else +%}D{%+ endif %}",
			config: `{"chat_template": [{"name": "tool_use", "template": "T\n"}, {"name": "default", "template": "D"}]}`},
		{name: "list without default", config: `{"chat_template": [{"name": "rag", "template": "T"}]}`,
			err: `named "default"`},
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
		source, found, err := ReadTemplate(fixture.FileReader(files))
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

// A template for dialogues with tools is taken for them, with its white space to the letter.
func TestToolUseTemplate(t *testing.T) {
	const tools, plain = "\n  tools {{ tools|length }}\n{% if true %}\n x{% endif %} \n", "\n plain\n "
	tool := jinja.NewDict("name", "f")
	for _, with := range []bool{false, true} {
		source, variables := plain, Variables{}
		if with {
			source = tools
			var err error
			if variables, err = NewVariables(&jinja.List{Items: []any{tool}}, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		dialogue := Dialogue{Messages: []Message{{Role: "user", Content: "x"}}, Variables: variables}
		var texts [2]string
		for i, text := range []string{source, withToolUse(plain, tools)} {
			template, err := NewTemplate(text, nil)
			if err != nil {
				t.Fatal(err)
			}
			if texts[i], err = template.Render(t.Context(), dialogue); err != nil {
				t.Fatal(err)
			}
		}
		if texts[0] != texts[1] {
			t.Errorf("with tools %t: %q, want %q", with, texts[1], texts[0])
		}
	}
}

func TestTemplateConcurrent(t *testing.T) {
	template, err := NewTemplate(newerTemplate, map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			content := strings.Repeat("x", i+1)
			for range 50 {
				text, err := template.Render(t.Context(), Dialogue{Messages: []Message{{Role: "user", Content: content}}})
				if err != nil || text != "<s><|user|>\n"+content+"</s> 1" {
					t.Errorf("%q, %v", text, err)
				}
			}
		})
	}
	group.Wait()
}

func ExampleNewTemplate() {
	template, err := NewTemplate(ZephyrTemplate, map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
	if err != nil {
		panic(err)
	}
	text, err := template.Render(context.Background(), Dialogue{
		Messages: []Message{{Role: "user", Content: "Hello"}}, GenerationPrompt: true,
	})
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
	template, err := NewTemplate(ZephyrTemplate, map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
	if err != nil {
		b.Fatal(err)
	}
	question, answer := strings.Repeat("Hi ", 300), strings.Repeat("Yo ", 300)
	dialogue := []Message{{Role: "system", Content: "Be brief."}, {Role: "user", Content: question},
		{Role: "assistant", Content: answer}}
	for b.Loop() {
		if _, err := template.Render(b.Context(), Dialogue{Messages: dialogue, GenerationPrompt: true}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestTokens checks that all named tokens are variables, and that the others are undefined.
func TestTokens(t *testing.T) {
	template, err := NewTemplate(`{{ pad_token }}{{ image_token }}{{ cls_token is defined }}{{ bos_token is defined }}`,
		map[string]string{"pad_token": "<pad>", "image_token": "<image>", "bos_token": ""})
	if err != nil {
		t.Fatal(err)
	}
	got, err := template.Render(t.Context(), Dialogue{})
	if want := "<pad><image>FalseFalse"; err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}
