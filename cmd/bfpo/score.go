package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// scoreInput is one line of input: text, or token ids, which are scored as they are.
type scoreInput struct {
	Prompt      *string `json:"prompt"`
	Response    *string `json:"response"`
	PromptIDs   []int32 `json:"prompt_ids"`
	ResponseIDs []int32 `json:"response_ids"`
}

// scoreLine is one line of output: the log-probability of a response.
type scoreLine struct {
	LogProb float64 `json:"logprob"` // sum over the response's tokens, in nats
	Tokens  int     `json:"tokens"`
	Greedy  bool    `json:"greedy"` // every token is the most probable one at its position
}

// runScore computes the log-probabilities of the responses on standard input.
func runScore(ctx context.Context, o *options, args []string) error {
	if err := o.parse(args); err != nil {
		return err
	}
	m, err := o.load(ctx)
	if err != nil {
		return err
	}
	defer m.close()
	format := datasets.TextFormat{Tokenizer: m.language.Tokenizer}
	var sequences []mistral.Sequence
	if err := eachLine(ctx, o.std.in, func(line []byte) error {
		var in scoreInput
		if err := decodeLine(line, &in); err != nil {
			return err
		}
		s, err := in.sequence(format)
		if err == nil {
			err = fits(m.Config, s.PromptIDs, s.ResponseIDs, 0)
		}
		sequences = append(sequences, s)
		return err
	}); err != nil {
		return err
	}
	scorer := mistral.NewScorer(m.Device, m.Config, m.Base, nil, m.config.ComputeDType(m.Device.FastBF16()))
	defer scorer.Close()
	scores, err := scorer.Score(ctx, sequences)
	if err != nil {
		return m.explain(err)
	}
	for _, s := range scores {
		if err := writeLine(o.std.out, scoreLine{s.LogProb, s.Tokens, s.Greedy}); err != nil {
			return err
		}
	}
	return nil
}

// fits returns an error if the network cannot compute a sequence, before the sequence joins others and its line is no
// longer known. more is the number of tokens that must fit after it.
func fits(c config.Config, prompt, response []int32, more int) error {
	n, limit := len(prompt)+len(response)+more, c.MaxPositionEmbeddings
	switch {
	case n > limit:
		return fmt.Errorf("%d tokens are more than the positions of the model (max_position_embeddings %d)", n, limit)
	case n > 0 && len(prompt) == 0:
		return errors.New("the prompt has no token, so " +
			"nothing predicts the first token of the response (begin the prompt with BOS)")
	}
	for _, id := range slices.Concat(prompt, response) {
		if id < 0 || int(id) >= c.VocabSize {
			return fmt.Errorf("token %d is not in the vocabulary of %d", id, c.VocabSize)
		}
	}
	return nil
}

// sequence returns the tokens of a line.
func (in scoreInput) sequence(format datasets.TextFormat) (s mistral.Sequence, err error) {
	switch {
	case in.Prompt != nil && in.Response != nil && in.PromptIDs == nil && in.ResponseIDs == nil:
		s.PromptIDs, s.ResponseIDs = format.EncodeContinuation(*in.Prompt, *in.Response)
	case in.Prompt == nil && in.Response == nil && in.PromptIDs != nil && in.ResponseIDs != nil:
		s.PromptIDs, s.ResponseIDs = in.PromptIDs, in.ResponseIDs
	default:
		err = errors.New(`want {"prompt": text, "response": text} or {"prompt_ids": […], "response_ids": […]}`)
	}
	return s, err
}
