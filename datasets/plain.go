package datasets

import (
	"github.com/bfpo-go/bfpo/datasets/chat"
)

// plainPreference reads {prompt, chosen, rejected[, is_chosen_safe, is_rejected_safe]}: three texts that are already formatted, or three
// lists of messages, the answers without the prompt.
func plainPreference(r row) (Preference, error) {
	var p Preference
	var err error
	columns := []string{"prompt", "chosen", "rejected"}
	if r.isList("prompt") {
		for i, to := range []*[]chat.Message{&p.Prompt, &p.Chosen, &p.Rejected} {
			if *to, err = r.messages(columns[i]); err != nil {
				return p, err
			}
		}
		return withLabels(p, r)
	}
	for i, to := range []*string{&p.PromptText, &p.ChosenText, &p.RejectedText} {
		if *to, err = r.text(columns[i]); err != nil {
			return p, err
		}
	}
	return withLabels(p, r)
}

// textDialogue reads {text}: one document, used as it stands.
func textDialogue(r row) (Dialogue, error) {
	text, err := r.text("text")
	return Dialogue{Text: text}, err
}

// packedDialogue reads {input_ids}: token ids that are already packed, used as they stand.
func packedDialogue(r row) (Dialogue, error) {
	ids, err := r.ids("input_ids")
	return Dialogue{InputIDs: ids}, err
}
