package chat

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/loaders"

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
// download, so it runs in a sandbox: it sees the messages and two strings, reads no files, and is stopped when it takes
// too long or writes too much. A Template is safe for concurrent use.
type Template struct {
	program  *exec.Template
	bos, eos string
}

// NewTemplate parses a chat template; bos and eos are its variables bos_token and eos_token. It is read as transformers
// reads it: with trim_blocks, lstrip_blocks, loop controls and the generation tag. The function strftime_now is
// missing: a prompt must not depend on the date.
func NewTemplate(source, bos, eos string) (*Template, error) {
	settings := config.New()
	settings.TrimBlocks, settings.LeftStripBlocks = true, true
	program, err := compile("chat template", source, settings, newSandbox())
	if err != nil {
		return nil, err
	}
	return &Template{program: program, bos: bos, eos: eos}, nil
}

// compile parses a Jinja program. Errors begin with kind.
func compile(
	kind, source string, settings *config.Config, environment *exec.Environment,
) (_ *exec.Template, err error) {
	defer func() { // whatever hostile text does to the parser, it must not end the process
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: the parser failed: %v", kind, p)
		}
	}()
	if err := checkTemplate(source, settings); err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	const name = "/template" // the only file that the loader has
	loader, err := loaders.NewMemoryLoader(map[string]string{name: source})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	program, err := exec.NewTemplate(name, settings, loader, environment)
	if err != nil {
		if inner := errors.Unwrap(err); inner != nil {
			err = inner // the outer message repeats all of the source
		}
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	return program, nil
}

// Render returns the text of a dialogue, with generationPrompt followed by the beginning of the assistant's next turn.
// When the template refuses the dialogue (raise_exception), the error has the template's words.
func (t *Template) Render(messages []Message, generationPrompt bool) (text string, err error) {
	defer func() {
		if p := recover(); p != nil {
			text, err = "", fmt.Errorf("chat template: rendering failed: %v", p)
		}
	}()
	turns := make([]any, len(messages))
	for i, m := range messages {
		turns[i] = map[string]any{"role": m.Role, "content": m.Content}
	}
	b := newBudget()
	variables := map[string]any{
		"messages":              turns,
		"bos_token":             t.bos,
		"eos_token":             t.eos,
		"add_generation_prompt": generationPrompt,
		"raise_exception":       b.raise,
		budgetKey:               b,
	}
	out := &meter{budget: b}
	err = t.program.Execute(out, exec.NewContext(variables))
	if b.failed != nil {
		err = b.failed // an expression may have swallowed it
	}
	if err != nil {
		return "", fmt.Errorf("chat template: %w", err)
	}
	return out.text.String(), nil
}

// ReadTemplate returns the chat template of a pretrained model, if it has one: the file chat_template.jinja, or
// else the key chat_template of tokenizer_config.json, which is a string or a list of named templates, of which
// "default" is taken. read returns a file by name, and an error that wraps fs.ErrNotExist where there is none.
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
	if err := json.Unmarshal(data, &f); err != nil {
		return "", false, fmt.Errorf("%s: %w", file, err)
	}
	if len(f.Template) == 0 || string(f.Template) == "null" {
		return "", false, nil
	}
	if json.Unmarshal(f.Template, &source) == nil {
		return source, true, nil
	}
	var named []struct{ Name, Template string }
	if err := json.Unmarshal(f.Template, &named); err != nil {
		return "", false, fmt.Errorf("%s: chat_template is neither a string nor a list of {name, template}: %w",
			file, err)
	}
	for _, n := range named {
		if n.Name == "default" {
			return n.Template, true, nil
		}
	}
	return "", false, fmt.Errorf("%s: none of the %d chat templates is named \"default\"", file, len(named))
}
