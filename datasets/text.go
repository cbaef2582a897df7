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
	"github.com/bfpo-go/bfpo/datasets/fault"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
)

// TextFormat turns examples into token ids.
//
// The clean format (Original false) keeps these promises: the template's generation prompt belongs to the prompt; BOS
// comes once, if the tokenizer adds one; a response and a document end with exactly one EOS; no token spans the
// boundary of prompt and response; what does not fit is cut or dropped by the rules at TokenizePreferences and
// TokenizeDialogues, and counted.
//
// With Original the token ids are exactly those of the original code, with its second EOS and its lost BOS.
type TextFormat struct {
	Tokenizer *tokenizer.Tokenizer
	Template  *chat.Template // not needed for rows of text or ids
	Original  bool           // the original code's format
	Strict    bool           // a row that the template refuses is an error, not dropped; with Original it always is

	MaxLength       int    // tokens of a row: prompt and response, or a packed row; 0: no limit
	MaxPromptLength int    // tokens of the prompt of a row that is too long; 0: no limit
	TruncationSide  string // where such a prompt loses tokens: left (also "") or right
	Packing         bool   // pack several documents into a row
}

// check refuses settings that contradict each other.
func (f TextFormat) check() error {
	switch {
	case f.Tokenizer == nil:
		return errors.New("text format: no tokenizer")
	case f.MaxLength < 0 || f.MaxPromptLength < 0:
		return fmt.Errorf("text format: max_length %d and max_prompt_length %d must not be negative",
			f.MaxLength, f.MaxPromptLength)
	case f.MaxLength > 0 && f.MaxPromptLength >= f.MaxLength:
		return fmt.Errorf("text format: max_prompt_length %d leaves nothing of max_length %d for a response",
			f.MaxPromptLength, f.MaxLength)
	case f.TruncationSide != "" && f.TruncationSide != "left" && f.TruncationSide != "right":
		return fmt.Errorf("text format: truncation_side %q is neither left nor right", f.TruncationSide)
	}
	if _, ok := f.Tokenizer.EOS(); !ok {
		return errors.New("text format: the tokenizer names no EOS token, so no response could end")
	}
	return nil
}

// RenderPreference returns the three texts of a preference. TokenizePreferences turns prompt+chosen and prompt+rejected
// into ids; the clean format then sees to the boundary and to the one EOS at the end.
func (f TextFormat) RenderPreference(
	ctx context.Context, p Preference,
) (prompt, chosen, rejected string, err error) {
	v := p.Variables
	switch {
	case p.Prompt == nil:
		return p.PromptText, p.ChosenText, p.RejectedText, nil
	case f.Original:
		// Prompt and answers are rendered separately, so that the answers begin with the assistant's header.
		if prompt, err = f.render(ctx, withSystem(p.Prompt), v, false); err != nil {
			return
		}
		if chosen, err = f.render(ctx, p.Chosen, v, false); err != nil {
			return
		}
		rejected, err = f.render(ctx, p.Rejected, v, false)
		return
	}
	if prompt, err = f.render(ctx, p.Prompt, v, true); err != nil {
		return
	}
	if chosen, err = f.renderAnswer(ctx, prompt, p, p.Chosen); err != nil {
		return
	}
	rejected, err = f.renderAnswer(ctx, prompt, p, p.Rejected)
	return
}

// render applies the chat template to messages and what it sees beside them.
func (f TextFormat) render(
	ctx context.Context, messages []chat.Message, v chat.Variables, generationPrompt bool,
) (string, error) {
	if f.Template == nil {
		return "", errors.New("rows of messages need a chat template")
	}
	dialogue := chat.Dialogue{Messages: messages, GenerationPrompt: generationPrompt, Variables: v}
	text, err := f.Template.Render(ctx, dialogue)
	if err != nil && ctx.Err() == nil {
		if role := unknownRole(messages); role != nil {
			err = fmt.Errorf("%w: %w", role, err)
		}
		err = &refusal{err}
	}
	return text, err
}

// asRefusal returns the refusal that err is, if this format drops such rows, and otherwise err. Both are nil for no
// error.
func (f TextFormat) asRefusal(err error) (*refusal, error) {
	refused, ok := errors.AsType[*refusal](err)
	if ok && f.Strict && !f.Original {
		return nil, fmt.Errorf("%w (set bad_rows: drop to leave such rows out)", err)
	} else if !ok || f.Original {
		return nil, err
	}
	return refused, nil
}

// unknownRole returns an error that names the first role that no usual chat template knows, or nil if there is none.
func unknownRole(messages []chat.Message) error {
	known := []string{"system", "user", "assistant", "tool", "function", "ipython", "developer"}
	for _, m := range messages {
		if !slices.Contains(known, m.Role) {
			return fmt.Errorf("the role %q is unknown; the usual ones are system, user, assistant and tool", m.Role)
		}
	}
	return nil
}

// renderAnswer returns the text that the template writes for an answer to a preference's prompt after prompt, the text
// of the question with its generation prompt.
func (f TextFormat) renderAnswer(
	ctx context.Context, prompt string, p Preference, answer []chat.Message,
) (string, error) {
	dialogue, err := f.render(ctx, slices.Concat(p.Prompt, answer), p.Variables, false)
	if err != nil {
		return "", err
	}
	text, ok := strings.CutPrefix(dialogue, prompt)
	if !ok {
		if err := unknownRole(slices.Concat(p.Prompt, answer)); err != nil {
			return "", &refusal{err}
		}
		if last := answer[len(answer)-1].Role; last != "assistant" {
			return "", &refusal{fmt.Errorf("the last message of an answer has the role %q; want assistant", last)}
		}
		if first := answer[0].Role; first != "assistant" {
			return "", &refusal{fmt.Errorf("an answer begins with a message of the role %q; beside a prompt, chosen and "+
				"rejected hold the assistant's messages alone", first)}
		}
		return "", &refusal{errors.New("the chat template writes another text before an answer than it asks for one " +
			"with (add_generation_prompt): answers cannot be told from prompts; set chat_template to one where the " +
			"second continues the first")}
	}
	return text, nil
}

// withSystem puts an empty system message before a dialogue without one, as the original code does.
func withSystem(messages []chat.Message) []chat.Message {
	if len(messages) > 0 && messages[0].Role == "system" {
		return messages
	}
	return append([]chat.Message{{Role: "system"}}, messages...)
}

// trimEOS returns a text without the EOS tokens that a template wrote at its end and the white space around them.
func (f TextFormat) trimEOS(text string) string {
	eos, _ := f.Tokenizer.EOS()
	spelled := f.Tokenizer.Token(eos)
	for {
		rest, ended := strings.CutSuffix(strings.TrimRight(text, " \t\r\n"), spelled)
		if !ended || spelled == "" {
			return text
		}
		text = rest
	}
}

// prependBOS puts before the ids of a row what the tokenizer puts before a text (BOS), unless the template wrote it
// already.
func (f TextFormat) prependBOS(ids []int32) []int32 {
	if before := f.Tokenizer.Prefix(); !startsWith(ids, before) {
		return slices.Concat(before, ids)
	}
	return ids
}

// encodeAfter returns the ids of a text that follows a prompt, whose ids are promptIDs. They are what the ids of
// prompt+text have behind promptIDs, unless a token spans the boundary. Then the text is tokenised behind a short
// neutral text, since a SentencePiece-like tokenizer would put a space before a text that stands alone.
func (f TextFormat) encodeAfter(prompt string, promptIDs []int32, text string) []int32 {
	if all := f.Tokenizer.Encode(prompt+text, false); startsWith(all, promptIDs) {
		return all[len(promptIDs):]
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

// mapRows applies f to all rows on all cores; the results keep the order of the rows.
func mapRows[T, R any](ctx context.Context, rows []T, f func(context.Context, T) (R, error)) (
	[]R, error) {
	out := make([]R, len(rows))
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	const chunk = 64
	for begin := 0; begin < len(rows) && running.Err() == nil; begin += chunk {
		group.Go(func() error {
			return fault.Call(func() (err error) {
				for i := begin; i < min(begin+chunk, len(rows)) && err == nil; i++ {
					if err = running.Err(); err == nil {
						out[i], err = f(running, rows[i])
					}
				}
				return err
			})
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return out, ctx.Err()
}
