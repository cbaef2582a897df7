package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/mistral"
)

// answering holds the flags of commands that generate answers.
type answering struct {
	maxTokens         int
	temperature, topP float64
	seed              int64
	stops             values
}

// answering declares the flags of commands that generate answers.
func (o *options) answering(maxTokens int, temperature float64) *answering {
	a := &answering{}
	o.set.IntVar(&a.maxTokens, "max-tokens", maxTokens, "at most `N` tokens of an answer")
	o.set.Float64Var(&a.temperature, "temperature", temperature,
		"temperature `X` of sampling; 0 always takes the most probable token")
	o.set.Float64Var(&a.topP, "top-p", 1,
		"sample from the smallest set of tokens that has this share `p` of the probability")
	o.set.Int64Var(&a.seed, "seed", 42, "seed `N` of sampling; each prompt has its own random stream")
	o.set.Var(&a.stops, "stop", "`text` that ends an answer; may be repeated")
	return a
}

// check refuses values out of range, before a model is loaded.
func (a *answering) check() error {
	switch {
	case a.maxTokens < 1:
		return usage.Errorf("-max-tokens=%d: must be 1 or more", a.maxTokens)
	case !(a.temperature >= 0) || math.IsInf(a.temperature, 0):
		return usage.Errorf("-temperature=%g: must be 0 (the most probable token) or a positive number", a.temperature)
	case !(a.topP > 0 && a.topP <= 1):
		return usage.Errorf("-top-p=%g: must be greater than 0 and at most 1", a.topP)
	}
	if slices.Contains(a.stops, "") {
		return usage.Errorf("-stop: an empty text would end every answer at once")
	}
	return nil
}

// runGenerate generates answers to one prompt or to the prompts on standard input.
func runGenerate(ctx context.Context, o *options, args []string) error {
	a := o.answering(256, 0)
	prompt := o.set.String("prompt", "",
		"`text` of one user message, or to continue if the model has no chat template; without this flag, prompts are\n"+
			"JSON lines on standard input: "+datasets.PromptForms)
	raw := o.set.Bool("raw", false, "continue the text of -prompt as it stands, without the chat template")
	if err := o.parse(args); err != nil {
		return err
	}
	if err := errors.Join(a.check(), o.checkPrompt(*prompt, *raw)); err != nil {
		return err
	}
	m, err := o.load(ctx)
	if err != nil {
		return err
	}
	defer m.close()
	o.noteGeneration(m)
	g := mistral.NewGenerator(m.Device, m.Config, m.Base, nil, m.config.ComputeDType(m.Device.FastBF16()))
	defer g.Close()
	if *prompt != "" {
		ids, err := m.promptIDs(ctx, m.prompt(*prompt, *raw))
		if err != nil {
			return fmt.Errorf("-prompt: %w", err)
		}
		out, err := a.answer(ctx, g, m, [][]int32{ids})
		if err != nil {
			return m.explain(err)
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
		return m.explain(err)
	}
	for _, line := range lines {
		if err := writeLine(o.std.out, line); err != nil {
			return err
		}
	}
	return nil
}

// checkPrompt refuses a -prompt without text, and -raw without -prompt.
func (o *options) checkPrompt(prompt string, raw bool) error {
	switch {
	case prompt == "" && o.given("prompt"):
		return usage.Errorf("-prompt is empty: give a text, or leave the flag out and give JSON lines on standard input")
	case prompt == "" && raw:
		return usage.Errorf("-raw is for -prompt; on standard input, {\"prompt\": \"…\"} is continued as it stands")
	}
	return nil
}

// prompt returns the prompt of a text: one user message, if the model has a chat template and the text is not raw.
func (m loaded) prompt(text string, raw bool) datasets.Prompt {
	if raw || m.language.UsesDefaultTemplate {
		return datasets.Prompt{Text: text}
	}
	return datasets.Prompt{Messages: []chat.Message{{Role: "user", Content: text}}}
}

// promptIDs returns the token ids of a prompt. A prompt that leaves no room for an answer is an error.
func (m loaded) promptIDs(ctx context.Context, p datasets.Prompt) ([]int32, error) {
	format := datasets.TextFormat{Tokenizer: m.language.Tokenizer, Template: m.language.Template}
	ids, err := format.EncodePrompt(ctx, p)
	if err != nil {
		return nil, err
	}
	return ids, fits(m.Config, ids, nil, 1)
}

// readPrompts reads prompts, one JSON object a line, and returns their token ids.
func (m loaded) readPrompts(ctx context.Context, in io.Reader) (prompts [][]int32, err error) {
	err = eachLine(ctx, in, func(line []byte) error {
		p, err := datasets.ParsePrompt(line)
		if err != nil {
			return fmt.Errorf("%w; for one text use -prompt", err)
		}
		ids, err := m.promptIDs(ctx, p)
		prompts = append(prompts, ids)
		return err
	})
	return prompts, err
}

// answerLine is one line of output.
type answerLine struct {
	Text string  `json:"text"`
	IDs  []int32 `json:"ids"`
	Stop string  `json:"stop"` // eos, length or stop
}

// answer generates an answer to each prompt.
func (a *answering) answer(ctx context.Context, g *mistral.Generator, m loaded, prompts [][]int32) ([]answerLine,
	error) {
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

// options returns the flags as the options of a generator. Stop texts are looked for in the decoded answer.
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

// cut cuts a text off before the first stop text in it, and reports whether there was one.
func (a *answering) cut(text string) (string, bool) {
	found := false
	for _, stop := range a.stops {
		if head, _, ok := strings.Cut(text, stop); ok {
			text, found = head, true
		}
	}
	return text, found
}
