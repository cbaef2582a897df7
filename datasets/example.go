package datasets

import "github.com/bfpo-go/bfpo/datasets/chat"

// Preference is an example of a preference set: a prompt, a better and a worse answer, and whether each answer is safe.
//
// It holds either messages (Prompt, Chosen and Rejected, the answers without the prompt) or, when Prompt is nil, text
// that is formatted already (PromptText, ChosenText and RejectedText) and is used as it is.
type Preference struct {
	ID string // "file.jsonl#row" or "folder/file.jsonl#row", the row counted from 0 in its file

	Prompt, Chosen, Rejected             []chat.Message
	Variables                            chat.Variables // of the chat template, beside messages
	PromptText, ChosenText, RejectedText string

	ChosenSafe, RejectedSafe bool
	Unlabelled               int // answers without a safety label, which count as safe
}

// Dialogue is an example of a supervised set. Exactly one of Messages, Text and InputIDs is set.
type Dialogue struct {
	ID       string // "file.jsonl#row" or "folder/file.jsonl#row", the row counted from 0 in its file
	Messages []chat.Message
	Text     string  // used as it is
	InputIDs []int32 // token ids that are packed already

	Variables chat.Variables // of the chat template, beside messages
}
