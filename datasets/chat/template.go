package chat

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bfpo-go/bfpo/datasets/jinja"
	"github.com/bfpo-go/bfpo/datasets/jsontype"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
)

// ZephyrTemplate is the chat template for models that come without one. It writes each system, user and assistant
// message as "<|role|>\n" + content + EOS + "\n" and leaves other roles out. The generation prompt follows the last
// message, whatever its role, so an empty dialogue renders as an empty text.
const ZephyrTemplate = `{% for message in messages %}` +
	`{% if message['role'] in ['system', 'user', 'assistant'] %}` +
	`{{ '<|' + message['role'] + '|>\n' + message['content'] + eos_token + '\n' }}{% endif %}` +
	`{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}` +
	`{% endfor %}`

// Template renders a dialogue as the text that a model was trained on. Its source is a Jinja program that came with a
// download, so it runs in a sandbox, in bounded time and memory. A Template is safe for concurrent use.
type Template struct {
	program *jinja.Template
	tokens  map[string]string
	source  string
}

// Dialogue is what a template renders.
type Dialogue struct {
	Messages         []Message
	GenerationPrompt bool // the beginning of the assistant's next turn follows
	Variables
}

// NewTemplate parses a chat template. tokens are the special tokens of the tokenizer by their names, such as bos_token,
// which are variables of the template; one without text is undefined. The template is read as transformers reads it:
// with trim_blocks, lstrip_blocks, loop controls, the generation tag and the function strftime_now, which tells the
// time now.
func NewTemplate(source string, tokens map[string]string) (*Template, error) {
	return NewTemplateOn(time.Now, source, tokens)
}

// NewTemplateOn is NewTemplate with a clock of its own: a template that writes the date gives the same text every day
// if the clock stands still.
func NewTemplateOn(now func() time.Time, source string, tokens map[string]string) (*Template, error) {
	program, err := jinja.Parse(source, jinja.Chat(map[string]jinja.Function{dateFunction: strftime(now)}))
	if err != nil {
		return nil, fmt.Errorf("chat template: %w", err)
	}
	return &Template{program, maps.Clone(tokens), source}, nil
}

// Mentions reports whether the template's source has the name of a key of messages, or another name of the same key.
func (t *Template) Mentions(key string) bool {
	names := []string{key}
	if slices.Contains(reasoningKeys(), key) {
		names = reasoningKeys()
	}
	return slices.ContainsFunc(names, func(name string) bool { return strings.Contains(t.source, name) })
}

// ReadsDate reports whether the template can write the date.
func (t *Template) ReadsDate() bool { return t.program.Reads(dateFunction) }

// Render returns the text of a dialogue. It ends when the context does. When the template refuses the dialogue
// (raise_exception), the error has the template's words. Calls of tools, tools and documents are refused where the
// template does not read them: it would write a text without them.
func (t *Template) Render(ctx context.Context, d Dialogue) (string, error) {
	turns := make([]any, len(d.Messages))
	for i, m := range d.Messages {
		turns[i] = m.seen()
		if key := m.callKey(); key != "" && !t.Mentions(key) {
			return "", fmt.Errorf("chat template: message %d has %s, which the template does not read", i, key)
		}
	}
	if err := d.checkRead(t.program); err != nil {
		return "", fmt.Errorf("chat template: %w", err)
	}
	variables := d.all()
	for name, token := range t.tokens {
		if _, given := variables[name]; !given && token != "" {
			variables[name] = token
		}
	}
	variables["messages"], variables["add_generation_prompt"] = turns, d.GenerationPrompt
	text, err := t.program.Render(ctx, variables)
	if err == nil {
		return text, nil
	}
	if i := slices.IndexFunc(d.Messages, Message.HasParts); i >= 0 && ctx.Err() == nil && !t.ReadsParts() {
		err = fmt.Errorf("%w; the content of message %d is a list of parts, which the template does not read: "+
			"give it as one text", err, i)
	}
	return "", fmt.Errorf("chat template: %w", err)
}

// ReadsParts reports whether the template's source has the keys of a part of a content, {type: text, text: …}. Other
// templates fail on such a list, or write it as Python does.
func (t *Template) ReadsParts() bool { return t.Mentions("type") && t.Mentions("text") }

// ReadTemplate returns the chat template of a pretrained model, if it has one: the file chat_template.jinja, or else
// the key chat_template of tokenizer_config.json, which is a string or a list of named templates, of which "default" is
// taken. If there is one for dialogues with tools, tool_use, the source has both; see withToolUse. read returns a file
// by name, and an error that wraps fs.ErrNotExist where there is none.
func ReadTemplate(read func(name string) ([]byte, error)) (source string, found bool, err error) {
	const file = "tokenizer_config.json"
	text, err := tokenizer.ReadOptional(read, "chat_template.jinja")
	if err != nil || text != nil {
		return string(text), text != nil, err
	}
	data, err := tokenizer.ReadOptional(read, file)
	if err != nil || data == nil {
		return "", false, err
	}
	var f struct {
		Template json.RawMessage `json:"chat_template"`
	}
	if err := jsontype.Unmarshal(data, &f); err != nil {
		return "", false, fmt.Errorf("%s: %w", file, err)
	}
	if len(f.Template) == 0 || string(f.Template) == "null" {
		return "", false, nil
	}
	if json.Unmarshal(f.Template, &source) == nil {
		return source, true, nil
	}
	var named []struct{ Name, Template string }
	if err := jsontype.Unmarshal(f.Template, &named); err != nil {
		return "", false, fmt.Errorf("%s: chat_template is neither a string nor a list of {name, template}: %w",
			file, err)
	}
	sources := map[string]string{} // of two with one name the last counts, as in transformers
	for _, n := range named {
		sources[n.Name] = n.Template
	}
	if source, found = sources["default"]; !found {
		return "", false, fmt.Errorf("%s: none of the %d chat templates is named \"default\"", file, len(named))
	}
	return withToolUse(source, sources[toolUseTemplate]), true, nil
}

// toolUseTemplate is the name of the template that transformers takes for a dialogue with tools.
const toolUseTemplate = "tool_use"

// withToolUse joins two templates: toolUse, if there is one, is for dialogues with tools. The plus signs keep the white
// space of both; the newline at the end of a template, which Jinja drops, does not count.
func withToolUse(source, toolUse string) string {
	if toolUse == "" {
		return source
	}
	return "{% if tools +%}" + strings.TrimSuffix(toolUse, "\n") + "{%+ else +%}" + strings.TrimSuffix(source, "\n") +
		"{%+ endif %}"
}
