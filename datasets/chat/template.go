package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/loaders"

	"github.com/bfpo-go/bfpo/datasets/tokenizer"
)

// ZephyrTemplate is the chat template for checkpoints that come without one: each system, user and assistant message as
// "<|role|>\n" + content + EOS + "\n". Other roles are left out. The generation prompt follows the last message, whoever spoke it, so
// an empty dialogue renders as nothing at all.
const ZephyrTemplate = `{% for message in messages %}` +
	`{% if message['role'] in ['system', 'user', 'assistant'] %}` +
	`{{ '<|' + message['role'] + '|>\n' + message['content'] + eos_token + '\n' }}{% endif %}` +
	`{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}` +
	`{% endfor %}`

// Template renders a dialogue as the text a checkpoint was trained on. Its source is a Jinja program that came with a download, so it
// runs in a sandbox: it sees the messages and two strings, reads no files, and is stopped when it takes too long or writes too much.
// A Template is safe for concurrent use.
type Template struct {
	program  *exec.Template
	bos, eos string
}

// renderTime is how long rendering one dialogue may take; templates take well under a millisecond.
const renderTime = 5 * time.Second

// NewTemplate parses a chat template; bos and eos are what it sees as bos_token and eos_token. It is read as transformers reads it:
// trim_blocks, lstrip_blocks, loop controls and the generation tag. strftime_now is not there: a prompt must not depend on the day.
func NewTemplate(source, bos, eos string) (*Template, error) {
	settings := config.New()
	settings.TrimBlocks, settings.LeftStripBlocks = true, true
	program, err := compile("chat template", source, settings, sandbox())
	if err != nil {
		return nil, err
	}
	return &Template{program: program, bos: bos, eos: eos}, nil
}

// compile parses a Jinja program; kind is what errors call it.
func compile(kind, source string, settings *config.Config, environment *exec.Environment) (program *exec.Template, err error) {
	defer func() { // hostile text must not end the process, whatever it makes the parser do
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: the parser failed: %v", kind, p)
		}
	}()
	if err := checkTemplate(source, settings); err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	const name = "/template" // the only file there is
	loader, err := loaders.NewMemoryLoader(map[string]string{name: source})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	program, err = exec.NewTemplate(name, settings, loader, environment)
	if err != nil {
		if inner := errors.Unwrap(err); inner != nil {
			err = inner // the outer message repeats the whole source
		}
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	return program, nil
}

// Render returns the text of a dialogue; generationPrompt asks for the opening of the assistant's next turn after it.
// A template that refuses a dialogue (raise_exception) gives an error with the template's words.
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
	b := &budget{deadline: time.Now().Add(renderTime)}
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

// CheckpointTemplate returns the chat template that comes with a checkpoint: chat_template.jinja, else chat_template of
// tokenizer_config.json, which is a string, or a list of named ones of which "default" counts. read returns a file by name
// (fs.ErrNotExist when the checkpoint has none).
func CheckpointTemplate(read func(name string) ([]byte, error)) (source string, found bool, err error) {
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
		return "", false, fmt.Errorf("%s: chat_template is neither a string nor a list of name and template: %w", file, err)
	}
	for _, n := range named {
		if n.Name == "default" {
			return n.Template, true, nil
		}
	}
	return "", false, fmt.Errorf("%s: none of the %d chat templates is named \"default\"", file, len(named))
}
