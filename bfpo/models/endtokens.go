package models

import (
	"context"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
)

// endTokens returns the tokens that training puts behind an answer: the tokenizer's EOS first, which the clean format
// appends, and the special token that the chat template writes there.
func endTokens(ctx context.Context, t *tokenizer.Tokenizer, template *chat.Template) (ids []int32, err error) {
	if eos, ok := t.EOS(); ok {
		ids = append(ids, eos)
	}
	const answer = "An answer to look for."
	text, err := template.Render(ctx, chat.Dialogue{Messages: []chat.Message{
		{Role: "user", Content: "A question."}, {Role: "assistant", Content: answer},
	}})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	at := strings.LastIndex(text, answer)
	if err != nil || at < 0 { // a template for dialogues of another form, of which nothing can be learned here
		return ids, nil
	}
	behind := t.Encode(strings.TrimLeft(text[at+len(answer):], " \t\r\n"), false)
	if len(behind) > 0 && t.IsSpecial(behind[0]) {
		ids = append(ids, behind[0])
	}
	return ids, nil
}
