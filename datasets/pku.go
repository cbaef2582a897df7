package datasets

import (
	"github.com/bfpo-go/bfpo/datasets/chat"
)

import "fmt"

// pkuPreference reads a row of PKU-SafeRLHF: the chosen answer is the better (more helpful) one, whatever its safety.
func pkuPreference(r row) (Preference, error) {
	better, err := r.choice("better_response_id", 0)
	if err != nil {
		return Preference{}, err
	}
	var answers [2]string
	var safe [2]bool
	for i := range answers {
		if answers[i], err = r.text(fmt.Sprintf("response_%d", i)); err != nil {
			return Preference{}, err
		}
		if safe[i], err = r.safe(fmt.Sprintf("is_response_%d_safe", i)); err != nil {
			return Preference{}, err
		}
	}
	prompt, err := r.text("prompt")
	if err != nil {
		return Preference{}, err
	}
	return answered(prompt, answers, safe, better), nil
}

// pkuDialogue reads the supervised example of a PKU-SafeRLHF row: the answer of safer_response_id.
func pkuDialogue(r row) (Dialogue, error) {
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
	return Dialogue{Messages: []chat.Message{{Role: "user", Content: prompt}, {Role: "assistant", Content: answer}}}, nil
}

// answered is a single-turn preference between two answers of which number better is chosen.
func answered(prompt string, answers [2]string, safe [2]bool, better int) Preference {
	worse := 1 - better
	return Preference{
		Prompt:       []chat.Message{{Role: "user", Content: prompt}},
		Chosen:       []chat.Message{{Role: "assistant", Content: answers[better]}},
		Rejected:     []chat.Message{{Role: "assistant", Content: answers[worse]}},
		ChosenSafe:   safe[better],
		RejectedSafe: safe[worse],
	}
}
