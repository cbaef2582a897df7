package models

import (
	"fmt"

	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// Language is how a model reads and writes text: its tokenizer and its chat template.
type Language struct {
	*tokenizer.Tokenizer
	Template *chat.Template
	Source   string // of the template, as Jinja
	Assumed  bool   // the checkpoint has no template, so this is zephyr's, as in the reference implementation
}

// NewLanguage reads a checkpoint's tokenizer and template. chatTemplate, if not empty, is Jinja source or the name zephyr and
// replaces the checkpoint's.
func NewLanguage(c *pretrained.Checkpoint, chatTemplate string) (Language, error) {
	tokenizer, err := tokenizer.New(c.ReadFile)
	if err != nil {
		return Language{}, err
	}
	if err := config.CheckVocabulary(c.Config, tokenizer.VocabSize()); err != nil {
		return Language{}, err
	}
	l := Language{Tokenizer: tokenizer, Source: chatTemplate}
	if l.Source == "" {
		source, found, err := chat.CheckpointTemplate(c.ReadFile)
		if err != nil {
			return Language{}, err
		}
		l.Source, l.Assumed = source, !found
	}
	if l.Source == "zephyr" || l.Assumed {
		l.Source = chat.ZephyrTemplate
	}
	if l.Template, err = chat.NewTemplate(l.Source, l.special(tokenizer.BOS()), l.special(tokenizer.EOS())); err != nil {
		return Language{}, fmt.Errorf("chat template: %w", err)
	}
	return l, nil
}

func (l Language) special(id int32, ok bool) string {
	if !ok {
		return ""
	}
	return l.Token(id)
}
