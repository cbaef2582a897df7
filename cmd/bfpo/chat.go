package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/mistral"
)

const chatHelp = `/compare DIR  let a second model answer too (a folder, a .gguf file or a name)
/new          start a new conversation
/quit         leave (the end of input does the same)`

const chatPrompt = "\n> "

// speaker is one model in a conversation, with its own history.
type speaker struct {
	name string
	loaded
	generator *mistral.Generator
	history   []chat.Message
}

// runChat answers the user's lines until the end of input.
func runChat(ctx context.Context, o *options, args []string) error {
	a := o.answering(512, 0.7)
	system := o.set.String("system", "", "`text` of the system message")
	if err := o.parse(args); err != nil {
		return err
	}
	if err := a.check(); err != nil {
		return err
	}
	c := &conversation{options: o, answering: a, system: *system}
	defer c.close()
	if err := c.join(ctx, o.model); err != nil {
		return err
	}
	fmt.Fprintln(o.std.out, chatHelp)
	fmt.Fprint(o.std.out, chatPrompt)
	for line, err := range lines(ctx, o.std.in) {
		if err != nil {
			return err
		}
		if done, err := c.turn(ctx, strings.TrimSpace(line)); done || err != nil {
			return err
		}
		fmt.Fprint(o.std.out, chatPrompt)
	}
	fmt.Fprintln(o.std.out)
	return nil
}

// conversation is a chat with one model, or with two at once.
type conversation struct {
	*options
	*answering
	system   string
	speakers []*speaker
}

// turn handles one line of the user, a command or a message. If the second model cannot be loaded, turn prints why, and
// the conversation continues without it.
func (c *conversation) turn(ctx context.Context, line string) (done bool, err error) {
	command, argument, _ := strings.Cut(line, " ")
	switch {
	case line == "":
		return false, nil
	case command == "/quit" || command == "/exit":
		return true, nil
	case command == "/new":
		for _, s := range c.speakers {
			s.history = nil
		}
		return false, nil
	case command == "/compare":
		if err := c.join(ctx, strings.TrimSpace(argument)); err != nil {
			fmt.Fprintln(c.std.out, err)
		}
		return false, nil
	case strings.HasPrefix(command, "/"):
		fmt.Fprintf(c.std.out, "unknown command %s\n%s\n", command, chatHelp)
		return false, nil
	}
	for _, s := range c.speakers {
		if len(c.speakers) > 1 {
			fmt.Fprintf(c.std.out, "\n[%s]\n", s.name)
		}
		err := s.reply(ctx, c.std.out, line, c)
		if ctx.Err() != nil {
			return false, err
		} else if err != nil {
			fmt.Fprintf(c.std.out, "%v\n(/new starts a new conversation)\n", err)
		}
	}
	return false, nil
}

// join adds a model as the first speaker, or as the second one in place of an earlier second. The new speaker gets the
// history of the first.
func (c *conversation) join(ctx context.Context, model string) error {
	o := *c.options
	o.model = model
	m, err := o.load(ctx)
	if err != nil {
		return err
	}
	generator := mistral.NewGenerator(m.Device, m.Config, m.Base, nil, m.config.ComputeDType(m.Device.FastBF16()))
	s := &speaker{name: m.config.Model, loaded: m, generator: generator}
	if len(c.speakers) > 1 {
		c.speakers[1].leave()
		c.speakers = c.speakers[:1]
	}
	if len(c.speakers) > 0 {
		s.history = slices.Clone(c.speakers[0].history)
	}
	c.speakers = append(c.speakers, s)
	return nil
}

// reply prints the answer to a line while it is generated, and adds both to the history.
func (s *speaker) reply(ctx context.Context, out io.Writer, line string, c *conversation) error {
	if len(s.history) == 0 && c.system != "" {
		s.history = append(s.history, chat.Message{Role: "system", Content: c.system})
	}
	asked := append(s.history[:len(s.history):len(s.history)], chat.Message{Role: "user", Content: line})
	format := datasets.TextFormat{Tokenizer: s.language.Tokenizer, Template: s.language.Template}
	ids, err := format.EncodePrompt(datasets.Prompt{Messages: asked})
	if err != nil {
		return err
	}
	stream := s.language.NewStream()
	var answer strings.Builder
	show := func(text string) {
		answer.WriteString(text)
		fmt.Fprint(out, text)
	}
	_, err = s.generator.Generate(ctx, [][]int32{ids}, c.answering.options(s.loaded), func(_ int, id int32) {
		if !s.language.IsSpecial(id) {
			show(stream.Push(id))
		}
	})
	show(stream.Flush())
	fmt.Fprintln(out)
	if err != nil {
		return err
	}
	s.history = append(asked, chat.Message{Role: "assistant", Content: strings.TrimSpace(answer.String())})
	return nil
}

// leave frees the model of the speaker.
func (s *speaker) leave() {
	s.generator.Close()
	s.close()
}

func (c *conversation) close() {
	for _, s := range c.speakers {
		s.leave()
	}
}
