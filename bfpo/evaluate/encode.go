package evaluate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/metric"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
	"github.com/bfpo-go/bfpo/mistral"
)

// Encoder turns texts into what the model reads, as lm-evaluation-harness does.
type Encoder struct {
	Tokenizer    *tokenizer.Tokenizer
	Template     *chat.Template // not nil: a context is a user's message, and the answer opens behind it
	TaskTemplate *chat.Template // Template of the tasks that ask for one
	MaxLength    int            // positions of the model
}

// prefix is the token that stands for an empty context: BOS, else EOS.
func (e Encoder) prefix() (int32, error) {
	if id, ok := e.Tokenizer.BOS(); ok {
		return id, nil
	}
	if id, ok := e.Tokenizer.EOS(); ok {
		return id, nil
	}
	return 0, errors.New("the tokenizer names neither a BOS nor an EOS token to stand for an empty context")
}

// encode is the ids of a text with what the tokenizer adds around it, unless the text begins with BOS written out.
func (e Encoder) encode(text string) []int32 {
	special := true
	if id, err := e.prefix(); err == nil {
		mark := e.Tokenizer.Token(id)
		special = mark == "" || !strings.HasPrefix(text, mark)
	}
	return e.Tokenizer.Encode(text, special)
}

// context is a context as the model is to read it, and the continuation that the template leaves of one: it stands where an answer
// begins, so no blank comes before it.
func (e Encoder) context(text string) (string, error) {
	if e.Template == nil {
		return text, nil
	}
	return e.Template.Render([]chat.Message{{Role: "user", Content: text}}, true)
}

// Pair is a continuation to be scored after its context. White space at the end of the context counts to the continuation; the two are
// tokenised in one go and cut where the tokens of the context alone end, by count. What is too long loses tokens at the left.
func (e Encoder) Pair(context, continuation string) (mistral.Sequence, error) {
	var head, tail []int32
	if context == "" {
		prefix, err := e.prefix()
		if err != nil {
			return mistral.Sequence{}, err
		}
		tail = e.Tokenizer.Encode(continuation, false)
		if len(tail) > 0 && tail[0] == prefix {
			tail = tail[1:]
		}
		head = []int32{prefix}
	} else {
		trimmed := strings.TrimRightFunc(context, metric.IsSpace)
		head = e.encode(trimmed)
		tail = e.encode(context + continuation)
		tail = tail[min(len(head), len(tail)):]
	}
	if len(head) == 0 {
		return mistral.Sequence{}, errors.New("the context has no token, so nothing predicts the first one of the continuation")
	}
	if len(tail) > e.MaxLength {
		return mistral.Sequence{}, fmt.Errorf("a continuation of %d tokens is longer than the model has positions (%d)", len(tail), e.MaxLength)
	}
	// The last token is predicted but not read, so one more than MaxLength fits.
	head = head[max(len(head)+len(tail)-e.MaxLength-1, 0):]
	return mistral.Sequence{PromptIDs: head, ResponseIDs: tail}, nil
}

// Prompt is a context that an answer of so many tokens is to follow. What is too long loses tokens at the left.
func (e Encoder) Prompt(context string, answer int) ([]int32, error) {
	room := e.MaxLength - answer
	if room < 1 {
		return nil, fmt.Errorf("an answer of %d tokens leaves no room for a prompt: the model has %d positions", answer, e.MaxLength)
	}
	ids := e.encode(context)
	if len(ids) == 0 {
		prefix, err := e.prefix()
		if err != nil {
			return nil, err
		}
		ids = []int32{prefix}
	}
	return ids[max(len(ids)-room, 0):], nil
}

// encoded is a document in tokens.
type encoded struct {
	contexts  []string           // as the model reads them
	sequences []mistral.Sequence // of multiple choice, one a choice
	prompt    []int32            // of generation
}

// Document encodes a document of a task.
func (e Encoder) document(t task.Task, d task.Document) (out encoded, err error) {
	for _, c := range d.Contexts {
		text, err := e.context(c)
		if err != nil {
			return out, err
		}
		out.contexts = append(out.contexts, text)
	}
	if t.Output == task.GenerateUntil {
		out.prompt, err = e.Prompt(out.contexts[0], t.Generation.MaxTokens)
		return out, err
	}
	for i, continuation := range d.Continuations {
		if e.Template != nil {
			continuation = strings.TrimPrefix(continuation, t.Delimiter)
		}
		s, err := e.Pair(out.contexts[min(i, len(out.contexts)-1)], continuation)
		if err != nil {
			return out, fmt.Errorf("choice %d: %w", i, err)
		}
		out.sequences = append(out.sequences, s)
	}
	return out, nil
}

// continuations are the document's as they are scored: without the delimiter where a template stands before them.
func (e Encoder) continuations(t task.Task, d task.Document) []string {
	if e.Template == nil {
		return d.Continuations
	}
	out := slices.Clone(d.Continuations)
	for i := range out {
		out[i] = strings.TrimPrefix(out[i], t.Delimiter)
	}
	return out
}
