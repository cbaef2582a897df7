package datasets

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
)

// TextFormat turns rows of text into token ids.
//
// Clean (Seed false) keeps these promises: the template's generation prompt belongs to the prompt; BOS stands once, if the tokenizer
// adds one; a response and a document end with exactly one EOS; no token spans the boundary of prompt and response; what does not fit
// is cut or dropped by the rules at Pairs and Documents, and counted.
//
// Seed is the reference implementation to the letter, double EOS and lost BOS included.
type TextFormat struct {
	Tokenizer *tokenizer.Tokenizer
	Template  *chat.Template // not needed for rows of text or ids
	Seed      bool

	MaxLength       int    // tokens of a row: prompt + response, or a packed row; 0 = no limit
	MaxPromptLength int    // tokens of a prompt whose row is over-long; 0 = no limit
	TruncationSide  string // where an over-long prompt loses tokens: left (also "") or right
	Packing         bool   // several documents in a row
}

// Drops counts what did not become rows as it was.
type Drops struct {
	Dropped map[string][]string // reason -> IDs of rows that are not used
	Cut     []string            // IDs of rows whose prompt lost tokens, and of documents spread over several rows
}

func (d *Drops) drop(reason, id string) {
	if d.Dropped == nil {
		d.Dropped = map[string][]string{}
	}
	d.Dropped[reason] = append(d.Dropped[reason], id)
}

// Total is the number of rows that are not used.
func (d Drops) Total() int {
	n := 0
	for _, ids := range d.Dropped {
		n += len(ids)
	}
	return n
}

func (f TextFormat) check() error {
	switch {
	case f.Tokenizer == nil:
		return errors.New("text format: no tokenizer")
	case f.MaxLength < 0 || f.MaxPromptLength < 0:
		return fmt.Errorf("text format: max_length %d and max_prompt_length %d must not be negative", f.MaxLength, f.MaxPromptLength)
	case f.MaxLength > 0 && f.MaxPromptLength >= f.MaxLength:
		return fmt.Errorf("text format: max_prompt_length %d leaves nothing of max_length %d for a response", f.MaxPromptLength, f.MaxLength)
	case f.TruncationSide != "" && f.TruncationSide != "left" && f.TruncationSide != "right":
		return fmt.Errorf("text format: truncation_side %q is neither left nor right", f.TruncationSide)
	}
	if _, ok := f.Tokenizer.EOS(); !ok {
		return errors.New("text format: the tokenizer names no EOS token, so no response could end")
	}
	return nil
}

func (f TextFormat) render(messages []chat.Message, generationPrompt bool) (string, error) {
	if f.Template == nil {
		return "", errors.New("rows of messages need a chat template")
	}
	return f.Template.Render(messages, generationPrompt)
}

// withSystem puts an empty system message before a dialogue without one, as the reference does.
func withSystem(messages []chat.Message) []chat.Message {
	if len(messages) > 0 && messages[0].Role == "system" {
		return messages
	}
	return append([]chat.Message{{Role: "system"}}, messages...)
}

// body is a text without the EOS tokens that a template wrote at its end and without the white space around them.
func (f TextFormat) body(text string) string {
	eos, _ := f.Tokenizer.EOS()
	mark := f.Tokenizer.Token(eos)
	for {
		rest, ended := strings.CutSuffix(strings.TrimRight(text, " \t\r\n"), mark)
		if !ended || mark == "" {
			return text
		}
		text = rest
	}
}

// begin puts before a row's ids what the tokenizer puts before a text (BOS), unless the template wrote it already.
func (f TextFormat) begin(ids []int32) []int32 {
	if before := f.Tokenizer.Prefix(); !startsWith(ids, before) {
		return slices.Concat(before, ids)
	}
	return ids
}

// follow is the ids of a text after a prompt (whose ids are head), such that the two together are how prompt+text is tokenised. Where a
// token would span the boundary, the text is tokenised behind something that does not merge with it: by itself a SentencePiece-like
// tokenizer would put a blank before it.
func (f TextFormat) follow(prompt string, head []int32, text string) []int32 {
	if all := f.Tokenizer.Encode(prompt+text, false); startsWith(all, head) {
		return all[len(head):]
	}
	for _, other := range []string{"\n", ".", "a"} {
		head := f.Tokenizer.Encode(other, false)
		if all := f.Tokenizer.Encode(other+text, false); startsWith(all, head) {
			return all[len(head):]
		}
	}
	return f.Tokenizer.Encode(text, false)
}

func startsWith(ids, head []int32) bool {
	return len(ids) >= len(head) && slices.Equal(ids[:len(head)], head)
}

// eachRow applies f to all rows on all cores; results keep the rows' order.
func eachRow[T, R any](ctx context.Context, rows []T, f func(T) (R, error)) ([]R, error) {
	out := make([]R, len(rows))
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	const chunk = 64
	for begin := 0; begin < len(rows) && running.Err() == nil; begin += chunk {
		group.Go(func() error {
			for i := begin; i < min(begin+chunk, len(rows)); i++ {
				if err := running.Err(); err != nil {
					return err
				}
				var err error
				if out[i], err = f(rows[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return out, ctx.Err()
}
