package datasets

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/hub"
)

// Prompt is something to answer: messages, which the chat template renders, or text to go on from as it stands.
type Prompt struct {
	ID       string
	Messages []chat.Message
	Text     string
}

// Prompts reads the rows {"messages": [{role, content}, …]} or {"prompt": text} of a source's train split, or the lines of a .txt file.
func Prompts(ctx context.Context, name, base string, hub *hub.Hub) (prompts []Prompt, err error) {
	var source Source
	read := readPrompt
	if filepath.Ext(name) == ".txt" {
		if !filepath.IsAbs(name) {
			name = filepath.Join(base, name)
		}
		source, err = OpenFiles(name, []string{name})
		read = func(r row) (p Prompt, err error) {
			p.Text, err = r.text("text")
			return p, err
		}
	} else {
		source, err = OpenSource(ctx, name, "train", base, hub)
	}
	if err != nil {
		return nil, err
	}
	err = source.rows(func(id string, r row) error {
		p, err := read(r)
		p.ID = id
		prompts = append(prompts, p)
		return err
	})
	return prompts, err
}

// ParsePrompt reads one row of JSON.
func ParsePrompt(line []byte) (Prompt, error) {
	var r row
	if err := json.Unmarshal(line, &r); err != nil {
		return Prompt{}, err
	}
	return readPrompt(r)
}

func readPrompt(r row) (p Prompt, err error) {
	switch {
	case r.has("messages"):
		p.Messages, err = r.messages("messages")
	case r.has("prompt"):
		p.Text, err = r.text("prompt")
	default:
		err = fmt.Errorf("want {\"messages\": […]} or {\"prompt\": text}, got the columns %s", r.columns())
	}
	return p, err
}

// PromptIDs is a prompt as the model sees it before it answers: the template's text with its generation prompt, or the text as it
// stands; BOS first, if the tokenizer adds one.
func (f TextFormat) PromptIDs(p Prompt) ([]int32, error) {
	text := p.Text
	if p.Messages != nil {
		var err error
		if text, err = f.render(p.Messages, true); err != nil {
			return nil, err
		}
	}
	return f.begin(f.Tokenizer.Encode(text, false)), nil
}

// Continuation is the ids of a text and of what follows it, such that no token spans the boundary: what score takes from text. BOS comes
// first, if the tokenizer adds one; no EOS is added.
func (f TextFormat) Continuation(prompt, response string) (promptIDs, responseIDs []int32) {
	head := f.Tokenizer.Encode(prompt, false)
	return f.begin(head), f.follow(prompt, head, response)
}
