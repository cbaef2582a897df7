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
type Language struct {
	*tokenizer.Tokenizer
	Template *chat.Template
	Source   string // the template as Jinja source
	Assumed  bool   // the model has no template, so Template is zephyr's, as in the original code
}

// NewChatTokenizer reads a model's tokenizer and chat template. A chatTemplate that is not empty replaces the model's
// own: it is Jinja source, or the name zephyr.
func NewLanguage(c *pretrained.Checkpoint, chatTemplate string) (Language, error) {
	tokenizer, err := tokenizer.New(c.ReadFile)
	if err != nil {
		return Language{}, err
	}
	if err := config.CheckVocabulary(c.Config, tokenizer.VocabSize()); err != nil {
		return Language{}, err
	}
	t := Language{Tokenizer: tokenizer, Source: chatTemplate}
	if t.Source == "" {
		source, found, err := chat.CheckpointTemplate(c.ReadFile)
		if err != nil {
			return Language{}, err
		}
		t.Source, t.Assumed = source, !found
	}
	if t.Source == "zephyr" || t.Assumed {
		t.Source = chat.ZephyrTemplate
	}
	bos, eos := t.tokenText(tokenizer.BOS()), t.tokenText(tokenizer.EOS())
	if t.Template, err = chat.NewTemplate(t.Source, bos, eos); err != nil {
		return Language{}, fmt.Errorf("chat template: %w", err)
	}
	return t, nil
}

// tokenText returns the text of a special token, or "" where the tokenizer has no such token (ok is false).
func (t Language) tokenText(id int32, ok bool) string {
	if !ok {
		return ""
	}
	return t.Token(id)
}
