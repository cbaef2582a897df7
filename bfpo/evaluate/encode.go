package evaluate

import (
	"context"
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

// Encoder turns the texts of documents into token IDs, as lm-evaluation-harness does.
type Encoder struct {
	Tokenizer    *tokenizer.Tokenizer
	Template     *chat.Template // renders every context as a user's message; nil leaves contexts as they are
	TaskTemplate *chat.Template // takes the place of Template in tasks with apply_chat_template
	MaxLength    int            // the number of positions of the model
}

// emptyContext returns the token that stands for an empty context: BOS, else EOS.
func (e Encoder) emptyContext() (int32, error) {
	if id, ok := e.Tokenizer.BOS(); ok {
		return id, nil
	}
	if id, ok := e.Tokenizer.EOS(); ok {
		return id, nil
	}
	return 0, errors.New("the tokenizer has neither a BOS nor an EOS token to stand for an empty context")
}

// encode tokenizes a text. The tokenizer adds its special tokens, unless the text itself begins with BOS.
func (e Encoder) encode(text string) []int32 {
	addSpecial := true
	if id, err := e.emptyContext(); err == nil {
		bos := e.Tokenizer.Token(id)
		addSpecial = bos == "" || !strings.HasPrefix(text, bos)
	}
	return e.Tokenizer.Encode(text, addSpecial)
}

// renderContext returns the text that the model reads before a continuation: the context itself, or the chat template's
// rendering of it up to the place where the answer begins.
func (e Encoder) renderContext(ctx context.Context, text string) (string, error) {
	if e.Template == nil {
		return text, nil
	}
	return e.Template.Render(ctx, chat.Dialogue{
		Messages: []chat.Message{{Role: "user", Content: text}}, GenerationPrompt: true,
	})
}

// EncodePair encodes a continuation to be scored after its context. White space at the end of the context moves to
// the continuation. Both are tokenized as one text, which is split after as many tokens as the context has alone. A
// sequence that is too long loses tokens at its beginning.
func (e Encoder) EncodePair(context, continuation string) (mistral.Sequence, error) {
	var head, tail []int32
	if context == "" {
		prefix, err := e.emptyContext()
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
		return mistral.Sequence{}, errors.New("the context has no tokens, so nothing predicts " +
			"the first token of the continuation")
	}
	if len(tail) > e.MaxLength {
		return mistral.Sequence{}, fmt.Errorf("a continuation of %d tokens is longer than the model has positions (%d)",
			len(tail), e.MaxLength)
	}
	// The model predicts the last token but does not read it, so MaxLength + 1 tokens fit.
	head = head[max(len(head)+len(tail)-e.MaxLength-1, 0):]
	return mistral.Sequence{PromptIDs: head, ResponseIDs: tail}, nil
}

// EncodePrompt encodes a context before an answer of up to maxTokens tokens. A prompt that is too long loses tokens at
// its beginning.
func (e Encoder) EncodePrompt(context string, maxTokens int) ([]int32, error) {
	room := e.MaxLength - maxTokens
	if room < 1 {
		return nil, fmt.Errorf("an answer of %d tokens leaves no room for a prompt: the model has %d positions",
			maxTokens, e.MaxLength)
	}
	ids := e.encode(context)
	if len(ids) == 0 {
		prefix, err := e.emptyContext()
		if err != nil {
			return nil, err
		}
		ids = []int32{prefix}
	}
	return ids[max(len(ids)-room, 0):], nil
}

// encodedDocument is a document as token IDs.
type encodedDocument struct {
	contexts  []string           // rendered, before they are tokenized
	sequences []mistral.Sequence // of multiple choice, one per choice
	prompt    []int32            // of generation
}

// encodeDocument encodes a document of a task.
func (e Encoder) encodeDocument(
	ctx context.Context, t task.Task, d task.Document,
) (out encodedDocument, err error) {
	for _, c := range d.Contexts {
		text, err := e.renderContext(ctx, c)
		if err != nil {
			return out, err
		}
		out.contexts = append(out.contexts, text)
	}
	if t.Output == task.GenerateUntil {
		out.prompt, err = e.EncodePrompt(out.contexts[0], t.Generation.MaxTokens)
		return out, err
	}
	for i, continuation := range e.continuations(t, d) {
		s, err := e.EncodePair(out.contexts[min(i, len(out.contexts)-1)], continuation)
		if err != nil {
			return out, fmt.Errorf("choice %d: %w", i, err)
		}
		out.sequences = append(out.sequences, s)
	}
	return out, nil
}

// continuations returns a document's continuations as they are scored. After a chat template they begin the answer, so
// they lose the delimiter.
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
