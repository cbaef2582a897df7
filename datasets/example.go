package datasets

import (
	"github.com/bfpo-go/bfpo/datasets/chat"
)

// Preference is one row of a preference set: a prompt, a better and a worse answer, and whether each answer is safe.
//
// A row holds either messages (Prompt, Chosen, Rejected: the answers without the prompt) or, when Prompt is nil, text that is already
// formatted (PromptText, ChosenText, RejectedText), which is used as it stands.
type Preference struct {
	ID string // "file.jsonl#row" or "folder/file.jsonl#row", the row counted from 0 in its file

	Prompt, Chosen, Rejected             []chat.Message
	PromptText, ChosenText, RejectedText string

	ChosenSafe, RejectedSafe bool
}

// Dialogue is one row of a supervised set: messages, or text used as it stands, or token ids that are already packed.
// Exactly one of the three is set.
type Dialogue struct {
	ID       string // "file.jsonl#row" or "folder/file.jsonl#row", the row counted from 0 in its file
	Messages []chat.Message
	Text     string
	InputIDs []int32
}
