package models

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/usage"
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
	TemplateDate        string // that the template writes with strftime_now, as 2026-11-30; "" if it writes none
	UsesDefaultTemplate bool   // the model has no template, so Template is zephyr's, as in the original code
}

// NewChatTokenizer reads a model's tokenizer and chat template. A chat_template of the recipe c replaces the model's
// own: it is Jinja source, or a name that chat.NamedTemplate knows. An eos_token of c replaces the tokenizer's EOS
// token by another token of the vocabulary. The tokenizer may have tokens beyond the model's embedding: a row that has
// one of them is dropped and counted. The tokens that tokenizer and template put behind an answer become end
// tokens of the model.
func NewChatTokenizer(ctx context.Context, model *pretrained.Model, c recipe.Config) (ChatTokenizer, error) {
	t, err := readChatTokenizer(model.ReadFile, model.Config.VocabSize, c)
	if err != nil && c.ChatTemplate == "" && !strings.Contains(err.Error(), model.Path) {
		err = fmt.Errorf("%s: %w", model.Path, err)
	}
	if err != nil {
		return ChatTokenizer{}, err
	}
	ends, err := endTokens(ctx, t.Tokenizer, t.Template)
	if err != nil {
		return ChatTokenizer{}, err
	}
	model.AddEndTokens(ends...)
	return t, nil
}

// SetFiles gives a model the chat template of t and the EOS token of the recipe c, so that an export of the model has
// those of its training.
func (t ChatTokenizer) SetFiles(model *pretrained.Model, c recipe.Config) {
	model.SetChatTemplate(t.TemplateSource)
	model.SetEOSToken(c.EOSToken)
}

// readChatTokenizer reads the tokenizer and the chat template from a model's files. rows is the number of rows of the
// embedding, 0 where it is not known.
func readChatTokenizer(
	read func(name string) ([]byte, error), rows int, c recipe.Config,
) (t ChatTokenizer, err error) {
	if t.Tokenizer, err = tokenizer.New(read); err != nil {
		return ChatTokenizer{}, err
	}
	if c.EOSToken != "" {
		if _, ok := t.ID(c.EOSToken); !ok {
			return ChatTokenizer{}, c.UsageErrorf("eos_token", "the tokenizer has no token %s%s", usage.Quote(c.EOSToken),
				usage.DidYouMean(c.EOSToken, slices.Collect(maps.Values(t.SpecialTokens()))))
		}
		if t.Tokenizer, err = tokenizer.New(pretrained.WithEOSToken(read, c.EOSToken)); err != nil {
			return ChatTokenizer{}, err
		}
	}
	t.SetRows(rows)
	t.TemplateSource = c.ChatTemplate
	if t.TemplateSource == "" {
		source, found, err := chat.ReadTemplate(read)
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
	date, err := templateDate(c)
	if err != nil {
		return ChatTokenizer{}, err
	}
	now := func() time.Time { return date }
	if t.Template, err = chat.NewTemplateOn(now, t.TemplateSource, t.SpecialTokens()); err != nil {
		return ChatTokenizer{}, err
	}
	if t.Template.ReadsDate() {
		t.TemplateDate = date.Format(time.DateOnly)
	}
	return t, nil
}

// templateDate returns the beginning of the day whose date a template writes: of chat_template_date, or of today. The
// time of day is left out, so that all rows of a run, and a repetition on the same day, have the same text.
func templateDate(c recipe.Config) (time.Time, error) {
	date := c.ChatTemplateDate
	if date == "" {
		date = time.Now().Format(time.DateOnly)
	}
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return t, c.UsageErrorf("chat_template_date", "want a date as 2026-11-30, got %q", date)
	}
	return t, nil
}
