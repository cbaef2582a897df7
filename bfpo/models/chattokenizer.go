package models

import (
	"fmt"

	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// ChatTokenizer is a model's tokenizer together with its chat template: all that turns messages into tokens and
// tokens into text.
type ChatTokenizer struct {
	*tokenizer.Tokenizer
	Template            *chat.Template
	TemplateSource      string // the template as Jinja source
	UsesDefaultTemplate bool   // the model has no template, so Template is zephyr's, as in the original code
}

// NewChatTokenizer reads a model's tokenizer and chat template. A chatTemplate that is not empty replaces the model's
// own: it is Jinja source, or the name zephyr. The tokenizer may have tokens beyond the model's embedding: a row that
// has one of them is refused where it is used.
func NewChatTokenizer(c *pretrained.Model, chatTemplate string) (ChatTokenizer, error) {
	return readChatTokenizer(c.ReadFile, c.Config.VocabSize, chatTemplate)
}

// readChatTokenizer reads the tokenizer and the chat template from a model's files. rows is the number of rows of the
// embedding, 0 where it is not known.
func readChatTokenizer(
	read func(name string) ([]byte, error), rows int, chatTemplate string,
) (t ChatTokenizer, err error) {
	if t.Tokenizer, err = tokenizer.New(read); err != nil {
		return ChatTokenizer{}, err
	}
	t.SetRows(rows)
	t.TemplateSource = chatTemplate
	if t.TemplateSource == "" {
		source, found, err := chat.ReadTemplate(read)
		if err != nil {
			return ChatTokenizer{}, err
		}
		t.TemplateSource, t.UsesDefaultTemplate = source, !found
	}
	if t.TemplateSource == "zephyr" || t.UsesDefaultTemplate {
		t.TemplateSource = chat.ZephyrTemplate
	}
	bos, eos := t.tokenText(t.BOS()), t.tokenText(t.EOS())
	if t.Template, err = chat.NewTemplate(t.TemplateSource, bos, eos); err != nil {
		return ChatTokenizer{}, fmt.Errorf("chat template: %w", err)
	}
	return t, nil
}

// tokenText returns the text of a special token, or "" where the tokenizer has no such token (ok is false).
func (t ChatTokenizer) tokenText(id int32, ok bool) string {
	if !ok {
		return ""
	}
	return t.Token(id)
}
