package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/mistral"
)

// answering are the flags of commands that generate.
type answering struct {
	maxTokens         int
	temperature, topP float64
	seed              int64
	stops             values
}

func (o *options) answering(maxTokens int, temperature float64) *answering {
	a := &answering{}
	o.set.IntVar(&a.maxTokens, "max-tokens", maxTokens, "tokens of an answer at most")
	o.set.Float64Var(&a.temperature, "temperature", temperature, "0 takes the likeliest token")
	o.set.Float64Var(&a.topP, "top-p", 1, "draw from the smallest set of tokens with this share of the probability")
	o.set.Int64Var(&a.seed, "seed", 42, "of the random draws; each prompt has its own stream")
	o.set.Var(&a.stops, "stop", "`text` that ends an answer; repeatable")
	return a
}

// check refuses values out of range before a model is loaded.
func (a *answering) check() error {
	switch {
	case a.maxTokens < 1:
		return usage.Errorf("-max-tokens=%d: want 1 or more", a.maxTokens)
	case !(a.temperature >= 0) || math.IsInf(a.temperature, 0):
		return usage.Errorf("-temperature=%g: want 0 (the likeliest token) or a positive number", a.temperature)
	case !(a.topP > 0 && a.topP <= 1):
		return usage.Errorf("-top-p=%g: want a number above 0 and up to 1", a.topP)
	}
	if slices.Contains(a.stops, "") {
		return usage.Errorf("-stop: an empty text would end every answer at once")
	}
	return nil
}

func runGenerate(ctx context.Context, o *options, args []string) error {
	a := o.answering(256, 0)
	prompt := o.set.String("prompt", "", "`text` to go on from, as it stands (JSON lines on standard input when not given)")
	if err := o.parse(args); err != nil {
		return err
	}
	if err := a.check(); err != nil {
		return err
	}
	m, err := o.load(ctx)
	if err != nil {
		return err
	}
	defer m.close()
	g := mistral.NewGenerator(m.Device, m.Config, m.Base, nil, m.config.ComputeType())
	defer g.Close()
	if *prompt != "" {
		ids, err := m.promptIDs(datasets.Prompt{Text: *prompt})
		if err != nil {
			return fmt.Errorf("-prompt: %w", err)
		}
		out, err := a.answer(ctx, g, m, [][]int32{ids})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(o.std.out, out[0].Text)
		return err
	}
	prompts, err := m.readPrompts(ctx, o.std.in)
	if err != nil {
		return err
	}
	lines, err := a.answer(ctx, g, m, prompts)
	if err != nil {
		return err
	}
	for _, line := range lines {
		if err := writeLine(o.std.out, line); err != nil {
			return err
		}
	}
	return nil
}

// promptIDs is a prompt in tokens, which must leave room for an answer.
func (m loaded) promptIDs(p datasets.Prompt) ([]int32, error) {
	ids, err := datasets.TextFormat{Tokenizer: m.language.Tokenizer, Template: m.language.Template}.PromptIDs(p)
	if err != nil {
		return nil, err
	}
	return ids, fits(m.Config, ids, nil, 1)
}

// readPrompts reads one prompt a line.
func (m loaded) readPrompts(ctx context.Context, in io.Reader) (prompts [][]int32, err error) {
	err = eachLine(ctx, in, func(line []byte) error {
		p, err := datasets.ParsePrompt(line)
		if err != nil {
			return err
		}
		ids, err := m.promptIDs(p)
		prompts = append(prompts, ids)
		return err
	})
	return prompts, err
}

// answerLine is one answer.
type answerLine struct {
	Text string  `json:"text"`
	IDs  []int32 `json:"ids"`
	Stop string  `json:"stop"` // eos, length or stop
}

// answer generates for all prompts.
func (a *answering) answer(ctx context.Context, g *mistral.Generator, m loaded, prompts [][]int32) ([]answerLine, error) {
	completions, err := g.Generate(ctx, prompts, a.options(m), nil)
	if err != nil {
		return nil, err
	}
	lines := make([]answerLine, len(prompts))
	for i, c := range completions {
		text, _ := a.cut(m.language.Decode(c.IDs, true))
		lines[i] = answerLine{text, orEmpty(c.IDs), c.Stop}
	}
	return lines, nil
}

func (a *answering) options(m loaded) mistral.GenerateOptions {
	o := mistral.GenerateOptions{MaxTokens: a.maxTokens, Temperature: a.temperature, TopP: a.topP, Seed: a.seed}
	if len(a.stops) > 0 {
		o.Stop = func(_ int, ids []int32) bool {
			_, found := a.cut(m.language.Decode(ids, true))
			return found
		}
	}
	return o
}

// cut ends a text before the first of the stop texts in it.
func (a *answering) cut(text string) (string, bool) {
	found := false
	for _, stop := range a.stops {
		if head, _, ok := strings.Cut(text, stop); ok {
			text, found = head, true
		}
	}
	return text, found
}
