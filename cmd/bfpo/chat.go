package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/mistral"
)

const chatHelp = `/compare MODEL  let a second model answer too (a folder, a .gguf file or a name)
/new            start a new conversation
/quit           leave (the end of input does the same)`

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
	console, interactive := newConsole(o.std)
	if !interactive { // Ctrl-C ends the program
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, os.Interrupt)
		defer stop()
	}
	if err := c.join(ctx, o.model); err != nil {
		return err
	}
	fmt.Fprintln(o.std.out, chatHelp)
	if interactive {
		fmt.Fprintln(o.std.out, "Ctrl-C          stop the answer; at the prompt: leave")
		return c.converse(ctx, console)
	}
	fmt.Fprint(o.std.out, "\n"+chatPrompt)
	for line, err := range lines(ctx, o.std.in) {
		if err != nil {
			return err
		}
		if done, err := c.turn(ctx, o.std.out, strings.TrimSpace(line)); done || err != nil {
			return err
		}
		fmt.Fprint(o.std.out, "\n"+chatPrompt)
	}
	fmt.Fprintln(o.std.out)
	return nil
}

// converse answers the lines that the user types at a terminal. Ctrl-C during an answer stops the answer.
func (c *conversation) converse(ctx context.Context, console *console) error {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	for {
		fmt.Fprintln(c.std.out)
		line, err := console.readLine(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		answering, stop := stopOn(ctx, interrupts)
		text := track.NewWrapper(c.std.out, console.width())
		done, err := c.turn(answering, text, strings.TrimSpace(line))
		stopped := answering.Err() != nil && ctx.Err() == nil
		stop()
		if err = errors.Join(err, text.Flush()); stopped {
			fmt.Fprintln(c.std.out, "\n(stopped)")
			continue
		}
		if done || err != nil {
			return err
		}
	}
}

// stopOn returns a context that ends at the next signal. Call stop to release it.
func stopOn(ctx context.Context, signals <-chan os.Signal) (stopped context.Context, stop func()) {
	stopped, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-signals:
			cancel()
		case <-stopped.Done():
		}
	}()
	return stopped, func() { cancel(); <-ended }
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
func (c *conversation) turn(ctx context.Context, out io.Writer, line string) (done bool, err error) {
	command, argument, _ := strings.Cut(line, " ")
	switch {
	case line == "":
		return false, nil
	case !utf8.ValidString(line):
		fmt.Fprintln(out, "this line is not UTF-8 text")
		return false, nil
	case command == "/quit" || command == "/exit":
		return true, nil
	case command == "/new" && argument != "":
		fmt.Fprintln(out, "/new stands alone; the message goes on the next line")
		return false, nil
	case command == "/new":
		for _, s := range c.speakers {
			s.history = nil
		}
		return false, nil
	case command == "/compare":
		model := strings.TrimSpace(argument)
		if model == "" {
			fmt.Fprintln(out, "/compare needs the name of a model")
			return false, nil
		}
		if err := c.join(ctx, model); err != nil {
			fmt.Fprintln(out, err)
		} else {
			fmt.Fprintf(out, "%s answers too, after %s\n", c.speakers[1].name, c.speakers[0].name)
		}
		return false, nil
	case strings.HasPrefix(command, "/"):
		fmt.Fprintf(out, "unknown command %s\n%s\n", command, chatHelp)
		return false, nil
	}
	for _, s := range c.speakers {
		if len(c.speakers) > 1 {
			fmt.Fprintf(out, "\n[%s]\n", s.name)
		}
		err := s.reply(ctx, out, line, c)
		if ctx.Err() != nil {
			return false, err
		} else if err != nil {
			fmt.Fprintf(out, "%v\n(/new starts a new conversation)\n", err)
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
	o.noteGeneration(m)
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

// reply prints the answer to a line while it is generated, and adds both to the history; of an answer that is stopped,
// what there is of it.
func (s *speaker) reply(ctx context.Context, out io.Writer, line string, c *conversation) error {
	if len(s.history) == 0 && c.system != "" {
		s.history = append(s.history, chat.Message{Role: "system", Content: c.system})
	}
	asked := append(s.history[:len(s.history):len(s.history)], chat.Message{Role: "user", Content: line})
	format := datasets.TextFormat{Tokenizer: s.language.Tokenizer, Template: s.language.Template}
	ids, err := format.EncodePrompt(ctx, datasets.Prompt{Messages: asked})
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
	text := strings.TrimSpace(answer.String())
	if err == nil || ctx.Err() != nil && text != "" {
		s.history = append(asked, chat.Message{Role: "assistant", Content: text})
	}
	return err
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
