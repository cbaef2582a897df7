package datasets

import (
	"fmt"
	"strings"
)

// schema is a known layout of rows: its columns identify it, and read makes an example of a row.
type schema[T any] struct {
	name    string
	columns []string
	fits    func(row) bool // a further condition where the columns alone do not decide; may be nil
	read    func(row) (T, error)
}

// preferenceSchemas are the layouts of preferences; the first that fits a row reads it.
func preferenceSchemas() []schema[Preference] {
	return []schema[Preference]{
		{"PKU-SafeRLHF", []string{"prompt", "response_0", "response_1", "better_response_id"}, nil,
			readPKUPreference},
		{"red-teaming", []string{"prompt", "modeloutput1", "modeloutput2", "better_modelout"}, nil,
			readRedTeamPreference},
		{"UltraFeedback", []string{"chosen", "rejected"}, holdsDialogues, readUltraFeedbackPreference},
		{"plain", []string{"prompt", "chosen", "rejected"}, nil, readPlainPreference},
	}
}

// dialogueSchemas are the layouts of dialogues; the first that fits a row reads it.
func dialogueSchemas() []schema[Dialogue] {
	return []schema[Dialogue]{
		{"packed", []string{"input_ids"}, nil, readPackedDialogue},
		{"messages", []string{"messages"}, nil, readMessagesDialogue},
		{"PKU-SafeRLHF", []string{"prompt", "response_0", "response_1", "safer_response_id"}, nil, readPKUDialogue},
		{"text", []string{"text"}, nil, readTextDialogue},
	}
}

// readExample reads a row with the first schema that fits it. The error for a row that fits none lists the known
// layouts.
func readExample[T any](schemas []schema[T], r row) (T, error) {
	for _, s := range schemas {
		if r.has(s.columns...) && (s.fits == nil || s.fits(r)) {
			out, err := s.read(r)
			if err != nil {
				return out, fmt.Errorf("read as %s: %w", s.name, err)
			}
			return out, nil
		}
	}
	var known []string
	for _, s := range schemas {
		known = append(known, fmt.Sprintf("%s {%s}", s.name, strings.Join(s.columns, ", ")))
	}
	var none T
	return none, fmt.Errorf("columns {%s} fit no known layout: %s", r.columns(), strings.Join(known, "; "))
}
