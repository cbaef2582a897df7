package datasets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/datasets/rowfile"
)

// Prompt is a prompt to answer: messages, which the chat template renders, or else a text, which the model continues as
// it is.
type Prompt struct {
	ID       string // as Preference.ID; "" for a prompt of ParsePrompt
	Messages []chat.Message
	Text     string

	Variables chat.Variables // of the chat template, beside messages
}

// ReadPrompts reads the rows {"messages": [{role, content}, …]} or {"prompt": …}, a text or such a list, of the train
// split of a data set (see OpenSource), or the lines of a .txt file. Malformed rows are dropped and counted, or with
// strict an error, as in Mixture.
func ReadPrompts(ctx context.Context, name, base string, hub *hub.Hub, strict bool) ([]Prompt, SetCount, error) {
	layouts := schemas[Prompt]{optional: variableColumns(), list: []schema[Prompt]{
		{"messages", []string{"messages"}, nil, readPrompt}, {"prompt", []string{"prompt"}, nil, readPrompt},
	}}
	var source Source
	var err error
	if filepath.Ext(name) == ".txt" {
		if !filepath.IsAbs(name) {
			name = filepath.Join(base, name)
		}
		if _, err := os.Stat(name); err != nil {
			return nil, SetCount{}, fmt.Errorf("data set %s: %w", name, errors.Unwrap(err)) // which has the path again
		}
		source, err = OpenFiles(name, []string{name})
		layouts.list = []schema[Prompt]{{"text", []string{"text"}, nil, func(r row) (p Prompt, err error) {
			p.Text, err = r.text("text")
			return p, err
		}}}
	} else {
		source, err = OpenSource(ctx, name, "train", base, hub)
	}
	if err != nil {
		return nil, SetCount{}, err
	}
	reader := setReader[Prompt]{schemas: layouts, strict: strict}
	reader.finish = func(id string, p *Prompt, _ row, _ *findings) error {
		p.ID = id
		return nil
	}
	if err := reader.read(ctx, source); err != nil {
		return nil, SetCount{}, err
	}
	prompts := reader.take(reader.total)
	count := SetCount{Name: name, Split: source.Split, Rows: reader.total, Used: reader.total, Drops: reader.drops}
	count.Notes = reader.findings.notes()
	return prompts, count, nil
}

// PromptForms shows the two rows that ParsePrompt reads.
const PromptForms = `{"messages": [{"role": "user", "content": "…"}]} (with the chat template) or ` +
	`{"prompt": "…"} (without)`

// ParsePrompt reads one row, as JSON. Unlike a row of a data set it must not have both messages and a prompt, since
// nothing says which of the two is to be answered.
func ParsePrompt(line []byte) (Prompt, error) {
	r, err := rowfile.ParseObject(line)
	if err != nil {
		return Prompt{}, fmt.Errorf("%w: want JSON: %s", err, PromptForms)
	}
	if r["messages"] != nil && r["prompt"] != nil {
		return Prompt{}, errors.New("it has both messages and a prompt: give one of the two")
	}
	return readPrompt(r)
}

func readPrompt(r row) (p Prompt, err error) {
	if _, err := r.parseMessages("messages", "prompt"); err != nil {
		return p, err
	}
	switch {
	case r.has("messages"):
		p.Messages, err = r.messages("messages")
	case r.isList("prompt"):
		p.Messages, err = r.messages("prompt")
	case r.has("prompt"):
		p.Text, err = r.text("prompt")
	default:
		err = fmt.Errorf("want %s, got the columns {%s}", PromptForms, r.columns())
	}
	if err == nil && p.Messages != nil {
		p.Variables, err = r.variables()
	}
	return p, err
}

// EncodePrompt returns the token ids of a prompt as the model reads it before it answers: BOS, if the tokenizer adds
// one, and the template's text with its generation prompt, or the text as it is.
func (f TextFormat) EncodePrompt(ctx context.Context, p Prompt) ([]int32, error) {
	text := p.Text
	if p.Messages != nil {
		var err error
		if text, err = f.render(ctx, p.Messages, p.Variables, true); err != nil {
			return nil, err
		}
	}
	return f.prependBOS(f.Tokenizer.Encode(text, false)), nil
}

// EncodeContinuation returns the token ids of a prompt and of a response that continues it, both plain text; no token
// spans the boundary. The prompt begins with BOS, if the tokenizer adds one; no EOS is added.
func (f TextFormat) EncodeContinuation(prompt, response string) (promptIDs, responseIDs []int32) {
	encoded := f.Tokenizer.Encode(prompt, false)
	return f.prependBOS(encoded), f.encodeAfter(prompt, encoded, response)
}
