package models

import (
	"fmt"

	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
	"github.com/bfpo-go/bfpo/mistral/config"
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
// own: it is Jinja source, or a name that chat.NamedTemplate knows. The tokens that the two put behind an answer become
// end tokens of c.
func NewChatTokenizer(c *pretrained.Model, chatTemplate string) (ChatTokenizer, error) {
	tokenizer, err := tokenizer.New(c.ReadFile)
	if err != nil {
		return ChatTokenizer{}, err
	}
	if err := config.CheckVocabulary(c.Config, tokenizer.VocabSize()); err != nil {
		return ChatTokenizer{}, err
	}
	t := ChatTokenizer{Tokenizer: tokenizer, TemplateSource: chatTemplate}
	if t.TemplateSource == "" {
		source, found, err := chat.ReadTemplate(c.ReadFile)
		if err != nil {
			return ChatTokenizer{}, err
		}
		t.TemplateSource, t.UsesDefaultTemplate = source, !found
	}
	if source, known := chat.NamedTemplate(t.TemplateSource); known {
		t.TemplateSource = source
	}
	if t.UsesDefaultTemplate {
		t.TemplateSource = chat.ZephyrTemplate
	}
	bos, eos := t.tokenText(tokenizer.BOS()), t.tokenText(tokenizer.EOS())
	if t.Template, err = chat.NewTemplate(t.TemplateSource, bos, eos); err != nil {
		return ChatTokenizer{}, fmt.Errorf("chat template: %w", err)
	}
	c.AddEndTokens(endTokens(t.Tokenizer, t.Template)...)
	return t, nil
}

// tokenText returns the text of a special token, or "" where the tokenizer has no such token (ok is false).
func (t ChatTokenizer) tokenText(id int32, ok bool) string {
	if !ok {
		return ""
	}
	return t.Token(id)
}
