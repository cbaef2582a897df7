package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/jinja"
)

// textObject is a text as JSON.
type textObject struct {
	Text *string `json:"text"`
}

// idsObject holds token ids as JSON.
type idsObject struct {
	IDs []int32 `json:"ids"`
}

// messagesObject is a dialogue as JSON; its messages have a role and content. The other keys are optional.
type messagesObject struct {
	Messages  []chat.Message `json:"messages"`
	Tools     anyJSON        `json:"tools"`                // a list of objects, or null
	Documents anyJSON        `json:"documents"`            // a list of objects, or null
	Kwargs    anyJSON        `json:"chat_template_kwargs"` // an object: further variables of the template
}

// anyJSON is a value of JSON whose objects keep the order of their keys.
type anyJSON struct{ value any }

// UnmarshalJSON implements json.Unmarshaler.
func (a *anyJSON) UnmarshalJSON(data []byte) (err error) {
	a.value, err = jinja.DecodeJSON(data)
	return err
}

// renderedObject is a rendered dialogue as JSON.
type renderedObject struct {
	Text string  `json:"text"`
	IDs  []int32 `json:"ids"`
}

// runTokenize converts text to token ids, or back.
func runTokenize(ctx context.Context, o *options, args []string) error {
	special := o.set.Bool("special", true,
		"add BOS and EOS as the tokenizer does; with -decode, keep special tokens in the text")
	decode := o.set.Bool("decode", false, `convert {"ids": […]} to {"text": …}`)
	return o.eachWithLanguage(ctx, args, func(l models.ChatTokenizer, line []byte) (any, error) {
		if *decode {
			var in idsObject
			if err := decodeLine(line, &in); err != nil {
				return nil, err
			}
			if in.IDs == nil {
				return nil, errors.New(`want {"ids": […]}`)
			}
			for _, id := range in.IDs {
				if id < 0 || int(id) >= l.VocabSize() {
					return nil, fmt.Errorf("token %d is not in the vocabulary of %d", id, l.VocabSize())
				}
			}
			text := l.Decode(in.IDs, !*special)
			return textObject{&text}, nil
		}
		var in textObject
		if err := decodeLine(line, &in); err != nil {
			return nil, err
		}
		if in.Text == nil {
			return nil, errors.New(`want {"text": …}`)
		}
		return idsObject{orEmpty(l.Encode(*in.Text, *special))}, nil
	})
}

// runRender renders messages with the chat template of a model.
func runRender(ctx context.Context, o *options, args []string) error {
	ask := o.set.Bool("generation-prompt", false, "end with the generation prompt, which asks the model for an answer")
	return o.eachWithLanguage(ctx, args, func(l models.ChatTokenizer, line []byte) (any, error) {
		var in messagesObject
		if err := decodeLine(line, &in); err != nil {
			return nil, err
		}
		if in.Messages == nil {
			return nil, errors.New(`want {"messages": […]}`)
		}
		d := chat.Dialogue{Messages: in.Messages, GenerationPrompt: *ask}
		var err error
		if d.Variables, err = chat.NewVariables(in.Tools.value, in.Documents.value, in.Kwargs.value); err != nil {
			return nil, err
		}
		text, err := l.Template.Render(ctx, d)
		if err != nil {
			return nil, err
		}
		return renderedObject{text, orEmpty(l.Encode(text, false))}, nil
	})
}

// eachWithLanguage answers every line of standard input with one line. It reads the tokenizer and the chat template of
// the model, and needs neither its weights nor its config.json.
func (o *options) eachWithLanguage(
	ctx context.Context, args []string, answer func(l models.ChatTokenizer, line []byte) (any, error),
) error {
	if err := o.parse(args); err != nil {
		return err
	}
	c, err := o.recipe()
	if err != nil {
		return err
	}
	language, err := models.OpenTokenizer(ctx, c, o.hub(), "", o.log())
	if err != nil {
		return err
	}
	o.noteLanguage(language, c.Model)
	return eachLine(ctx, o.std.in, func(line []byte) error {
		v, err := answer(language, line)
		if err != nil {
			return err
		}
		return writeLine(o.std.out, v)
	})
}
