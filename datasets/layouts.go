package datasets

import (
	"errors"
	"fmt"
	"slices"

	"github.com/bfpo-go/bfpo/datasets/chat"
)

// readPKUPreference reads a row of PKU-SafeRLHF. The chosen answer is the better (more helpful) one, whether or not it
// is safe.
func readPKUPreference(r row) (Preference, error) {
	better, err := r.choice("better_response_id", 0)
	if err != nil {
		return Preference{}, err
	}
	return readAnswers(r, better, 0, "response_%d", "is_response_%d_safe")
}

// readRedTeamPreference reads a row of the original code's red-teaming file: two answers of one model, numbered 1 and
// 2.
func readRedTeamPreference(r row) (Preference, error) {
	better, err := r.choice("better_modelout", 1)
	if err != nil {
		return Preference{}, err
	}
	return readAnswers(r, better, 1, "modeloutput%d", "is_modelout%d_safe")
}

// readAnswers reads a prompt with two answers, numbered first and first+1, of which better is chosen. The columns of an
// answer and of its safety label have its number in their names.
func readAnswers(r row, better, first int, answerColumn, safeColumn string) (Preference, error) {
	var answers [2]string
	var safe [2]bool
	var err error
	unlabelled := 0
	for i := range answers {
		if answers[i], err = r.text(fmt.Sprintf(answerColumn, first+i)); err != nil {
			return Preference{}, err
		}
		label := fmt.Sprintf(safeColumn, first+i)
		if safe[i], err = r.safe(label); err != nil {
			return Preference{}, err
		}
		unlabelled += r.absent(label)
	}
	prompt, err := r.text("prompt")
	if err != nil {
		return Preference{}, err
	}
	chosen, rejected := better-first, 1-(better-first)
	return Preference{
		Prompt:       []chat.Message{{Role: "user", Content: prompt}},
		Chosen:       []chat.Message{{Role: "assistant", Content: answers[chosen]}},
		Rejected:     []chat.Message{{Role: "assistant", Content: answers[rejected]}},
		ChosenSafe:   safe[chosen],
		RejectedSafe: safe[rejected],
		Unlabelled:   unlabelled,
	}, nil
}

// holdsDialogues reports whether the columns chosen and rejected are whole dialogues; a column prompt then repeats the
// last question as text. In the plain layout with messages, prompt is a list too.
func holdsDialogues(r row) bool {
	return r.isList("chosen") && !r.isList("prompt")
}

// readUltraFeedbackPreference reads a row of UltraFeedback-binarized: two dialogues that differ in the last answer
// alone.
func readUltraFeedbackPreference(r row) (Preference, error) {
	chosen, err := r.messages("chosen")
	if err != nil {
		return Preference{}, err
	}
	rejected, err := r.messages("rejected")
	if err != nil {
		return Preference{}, err
	}
	c, j := len(chosen)-1, len(rejected)-1
	if c == 0 {
		return Preference{}, errors.New("column chosen: an answer without the question before it")
	}
	if !slices.EqualFunc(chosen[:c], rejected[:j], chat.Message.Equal) {
		return Preference{}, errors.New(
			"columns chosen and rejected answer different dialogues: they must share all turns but the last")
	}
	return readLabels(Preference{Prompt: chosen[:c:c], Chosen: chosen[c:], Rejected: rejected[j:]}, r)
}

// readPlainPreference reads {prompt, chosen, rejected[, is_chosen_safe, is_rejected_safe]}: three texts that are
// formatted already, or three lists of messages, where the answers come without the prompt.
func readPlainPreference(r row) (Preference, error) {
	var p Preference
	var err error
	columns := []string{"prompt", "chosen", "rejected"}
	if r.isList("prompt") {
		for i, to := range []*[]chat.Message{&p.Prompt, &p.Chosen, &p.Rejected} {
			if *to, err = r.messages(columns[i]); err != nil {
				return p, err
			}
		}
		return readLabels(p, r)
	}
	for i, to := range []*string{&p.PromptText, &p.ChosenText, &p.RejectedText} {
		if *to, err = r.text(columns[i]); err != nil {
			return p, err
		}
	}
	return readLabels(p, r)
}

// readLabels adds the safety labels is_chosen_safe and is_rejected_safe to a preference; an answer without a label is
// safe.
func readLabels(p Preference, r row) (Preference, error) {
	var err error
	if p.ChosenSafe, err = r.safe("is_chosen_safe"); err != nil {
		return p, err
	}
	p.RejectedSafe, err = r.safe("is_rejected_safe")
	p.Unlabelled = r.absent("is_chosen_safe") + r.absent("is_rejected_safe")
	return p, err
}

// readPackedDialogue reads {input_ids}: token ids that are packed already, used as they are.
func readPackedDialogue(r row) (Dialogue, error) {
	ids, err := r.ids("input_ids")
	return Dialogue{InputIDs: ids}, err
}

// readMessagesDialogue reads {messages}: UltraChat and every other set of whole dialogues.
func readMessagesDialogue(r row) (Dialogue, error) {
	messages, err := r.messages("messages")
	return Dialogue{Messages: messages}, err
}

// readPKUDialogue reads the supervised example of a PKU-SafeRLHF row: the prompt with the safer answer.
func readPKUDialogue(r row) (Dialogue, error) {
	safer, err := r.choice("safer_response_id", 0)
	if err != nil {
		return Dialogue{}, err
	}
	prompt, err := r.text("prompt")
	if err != nil {
		return Dialogue{}, err
	}
	answer, err := r.text(fmt.Sprintf("response_%d", safer))
	if err != nil {
		return Dialogue{}, err
	}
	messages := []chat.Message{{Role: "user", Content: prompt}, {Role: "assistant", Content: answer}}
	return Dialogue{Messages: messages}, nil
}

// readTextDialogue reads {text}: one document, used as it is.
func readTextDialogue(r row) (Dialogue, error) {
	text, err := r.text("text")
	return Dialogue{Text: text}, err
}
