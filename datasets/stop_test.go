package datasets

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
)

// TestTokenizingStops checks that reading rows ends at once when the context does, also within one rendering.
func TestTokenizingStops(t *testing.T) {
	model, err := tokenizer.New(fixture.FolderReader(fixture.Mistral(t)))
	if err != nil {
		t.Fatal(err)
	}
	const long = `{% for a in range(2000) %}{% for b in range(2000) %}{{ '' }}{% endfor %}{% endfor %}`
	template, err := chat.NewTemplate(long, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := TextFormat{Tokenizer: model, Template: template}
	question := []chat.Message{{Role: "user", Content: "Q"}}
	answer := []chat.Message{{Role: "assistant", Content: "A"}}
	for name, tokenize := range map[string]func(context.Context) error{
		"preferences": func(ctx context.Context) error {
			_, _, err := f.TokenizePreferences(ctx, []Preference{{Prompt: question, Chosen: answer, Rejected: answer}})
			return err
		},
		"dialogues": func(ctx context.Context) error {
			_, _, err := f.TokenizeDialogues(ctx, []Dialogue{{Messages: question}})
			return err
		},
		"prompt": func(ctx context.Context) error {
			_, err := f.EncodePrompt(ctx, Prompt{Messages: question})
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		begin := time.Now()
		err := tokenize(ctx)
		took := time.Since(begin)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || took > 100*time.Millisecond {
			t.Errorf("%s: ended after %v: %v", name, took, err)
		}
	}
}
