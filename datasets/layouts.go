package datasets

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

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

// readUltraFeedbackPreference reads a row of UltraFeedback-binarized: two whole dialogues.
func readUltraFeedbackPreference(r row) (Preference, error) {
	chosen, rejected, err := readAnswerMessages(r)
	if err != nil {
		return Preference{}, err
	}
	p, err := splitDialogues(chosen, rejected)
	if _, isText := r["prompt"].(string); isText && err != nil && chosen[0].Role == "assistant" {
		return p, errors.New("column prompt is text, and chosen a list of messages without it: make prompt a list too")
	} else if err != nil {
		return p, err
	}
	return readLabels(p, r)
}

// readAnswerMessages returns the columns chosen and rejected, which are lists of messages.
func readAnswerMessages(r row) (chosen, rejected []chat.Message, err error) {
	if r.isEmptyList("chosen") || r.isEmptyList("rejected") {
		return nil, nil, &dropError{DropEmpty}
	}
	if chosen, err = r.messages("chosen"); err != nil {
		return nil, nil, err
	}
	rejected, err = r.messages("rejected")
	return chosen, rejected, err
}

// splitDialogues makes a preference of two dialogues. As in TRL, their longest common beginning is the prompt, and what
// follows are the answers, which may consist of several messages.
func splitDialogues(chosen, rejected []chat.Message) (Preference, error) {
	if slices.EqualFunc(chosen, rejected, chat.Message.Equal) {
		return Preference{}, &dropError{DropIdentical}
	}
	shorter := min(len(chosen), len(rejected))
	n := 0
	for n < shorter-1 && chosen[n].Equal(rejected[n]) {
		n++
	}
	if n == 0 {
		return Preference{}, &dropError{DropNoCommon}
	}
	for _, answer := range []chat.Message{chosen[n], rejected[n]} {
		if answer.Role == "user" || answer.Role == "system" {
			return Preference{}, &dropError{DropOtherUser}
		}
	}
	return Preference{Prompt: chosen[:n:n], Chosen: chosen[n:], Rejected: rejected[n:]}, nil
}

// readPlainPreference reads {prompt, chosen, rejected[, is_chosen_safe, is_rejected_safe]}: three texts that are
// formatted already, or three lists of messages, where the answers come without the prompt or both with it.
func readPlainPreference(r row) (Preference, error) {
	if r.isList("prompt") {
		return readPlainMessages(r)
	}
	var p Preference
	var err error
	for _, column := range []struct {
		name string
		to   *string
	}{{"prompt", &p.PromptText}, {"chosen", &p.ChosenText}, {"rejected", &p.RejectedText}} {
		if *column.to, err = r.text(column.name); err != nil {
			return p, err
		}
	}
	return readLabels(p, r)
}

// readPlainMessages reads {prompt, chosen, rejected} as lists of messages.
func readPlainMessages(r row) (p Preference, err error) {
	if r.isEmptyList("prompt") {
		return p, &dropError{DropNoPrompt}
	}
	for _, column := range []string{"chosen", "rejected"} {
		if _, isText := r[column].(string); isText {
			return p, fmt.Errorf("column prompt is a list of messages and %s is text: make all three lists, or all texts",
				column)
		}
	}
	if p.Prompt, err = r.messages("prompt"); err != nil {
		return p, err
	}
	if p.Chosen, p.Rejected, err = readAnswerMessages(r); err != nil {
		return p, err
	}
	if n := len(p.Prompt); beginsWith(p.Chosen, p.Prompt) && beginsWith(p.Rejected, p.Prompt) {
		p.Chosen, p.Rejected = p.Chosen[n:], p.Rejected[n:]
	}
	return readLabels(p, r)
}

// beginsWith reports whether a dialogue begins with another, shorter one.
func beginsWith(dialogue, beginning []chat.Message) bool {
	return len(dialogue) > len(beginning) &&
		slices.EqualFunc(dialogue[:len(beginning)], beginning, chat.Message.Equal)
}

// readImplicitPreference reads {chosen, rejected}, two texts without a column prompt. As in TRL, their longest common
// beginning is the prompt, but for a space at its end, which belongs to the answers.
func readImplicitPreference(r row) (Preference, error) {
	chosen, err := r.text("chosen")
	if err != nil {
		return Preference{}, err
	}
	rejected, err := r.text("rejected")
	switch {
	case err != nil:
		return Preference{}, err
	case chosen == rejected:
		return Preference{}, &dropError{DropIdentical}
	case chosen == "" || rejected == "":
		return Preference{}, &dropError{DropEmpty}
	}
	// TRL compares character by character and leaves at least one to the shorter text.
	n := 0
	for n < len(chosen) {
		_, width := utf8.DecodeRuneInString(chosen[n:])
		if n+width >= min(len(chosen), len(rejected)) || chosen[n:n+width] != rejected[n:n+width] {
			break
		}
		n += width
	}
	if n > 0 && chosen[n-1] == ' ' && !strings.HasPrefix(chosen[n:], rejected[n:]) &&
		!strings.HasPrefix(rejected[n:], chosen[n:]) {
		n--
	}
	if n == 0 {
		return Preference{}, &dropError{DropNoCommon}
	}
	return readLabels(Preference{PromptText: chosen[:n], ChosenText: chosen[n:], RejectedText: rejected[n:]}, r)
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
	if r.isEmptyList("messages") {
		return Dialogue{}, &dropError{DropNoText}
	}
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

// readTextDialogue reads {text}, or the column that dataset_text_field names: one document, used as it is.
func readTextDialogue(r row, column string) (Dialogue, error) {
	if r.isList(column) { // messages as JSON text
		messages, err := r.messages(column)
		return Dialogue{Messages: messages}, err
	}
	text, err := r.text(column)
	return Dialogue{Text: text}, err
}
