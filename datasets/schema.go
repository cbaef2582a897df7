package datasets

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/edit"
	"github.com/bfpo-go/bfpo/datasets/rowfile"
)

// schema is a known layout of rows: its columns identify it, and read makes an example of a row.
type schema[T any] struct {
	name    string
	columns []string
	fits    func(row) bool // a further condition where the columns alone do not decide; may be nil
	read    func(row) (T, error)
}

// schemas are the layouts of one kind of example; the first that fits a row reads it.
type schemas[T any] struct {
	list     []schema[T]
	optional []string // columns that are read where they are there
}

// wanted returns the columns that the schemas read.
func (s schemas[T]) wanted() rowfile.Columns {
	wanted := rowfile.Columns{}
	for _, one := range s.list {
		for _, c := range one.columns {
			wanted[c] = true
		}
	}
	for _, c := range s.optional {
		wanted[c] = true
	}
	return wanted
}

// preferenceSchemas are the layouts of preferences.
func preferenceSchemas() schemas[Preference] {
	return schemas[Preference]{
		list: []schema[Preference]{
			{"PKU-SafeRLHF", []string{"prompt", "response_0", "response_1", "better_response_id"}, nil,
				readPKUPreference},
			{"red-teaming", []string{"prompt", "modeloutput1", "modeloutput2", "better_modelout"}, nil,
				readRedTeamPreference},
			{"UltraFeedback", []string{"chosen", "rejected"}, holdsDialogues, readUltraFeedbackPreference},
			{"plain", []string{"prompt", "chosen", "rejected"}, nil, readPlainPreference},
			{"plain without prompt", []string{"chosen", "rejected"}, nil, readImplicitPreference},
		},
		optional: append(variableColumns(), "is_chosen_safe", "is_rejected_safe", "is_response_0_safe",
			"is_response_1_safe", "is_modelout1_safe", "is_modelout2_safe"),
	}
}

// dialogueSchemas are the layouts of dialogues. textColumn, if not "", is a column of texts that comes before all of
// them.
func dialogueSchemas(textColumn string) schemas[Dialogue] {
	text := func(name, column string) schema[Dialogue] {
		read := func(r row) (Dialogue, error) { return readTextDialogue(r, column) }
		return schema[Dialogue]{name, []string{column}, nil, read}
	}
	if textColumn != "" {
		return schemas[Dialogue]{
			list: []schema[Dialogue]{text("dataset_text_field", textColumn)}, optional: variableColumns(),
		}
	}
	return schemas[Dialogue]{optional: variableColumns(), list: []schema[Dialogue]{
		{"packed", []string{"input_ids"}, nil, readPackedDialogue},
		{"messages", []string{"messages"}, nil, readMessagesDialogue},
		{"PKU-SafeRLHF", []string{"prompt", "response_0", "response_1", "safer_response_id"}, nil, readPKUDialogue},
		text("text", "text"),
	}}
}

// readExample reads a row with the first schema that fits it. The error for a row that fits none lists the known
// layouts.
func readExample[T any](s schemas[T], r row) (T, error) {
	var none T
	for _, one := range s.list {
		if !r.has(one.columns...) || one.fits != nil && !one.fits(r) {
			continue
		}
		out, err := one.read(r)
		if drop, ok := errors.AsType[*dropError](err); ok {
			return none, drop
		} else if err != nil {
			return none, fmt.Errorf("read as %s: %w", one.name, err)
		}
		return out, nil
	}
	if missing := missingColumn(s, r); missing != "" {
		near := ""
		if slip := edit.Nearest(missing, slices.Collect(maps.Keys(r))); slip != "" && !knownColumn(s, slip) {
			near = fmt.Sprintf("; rename %s to %s", slip, missing)
		}
		return none, fmt.Errorf("it has no column %s, only {%s}%s", missing, r.columns(), near)
	}
	var known []string
	for _, one := range s.list {
		known = append(known, fmt.Sprintf("%s {%s}", one.name, strings.Join(one.columns, ", ")))
	}
	return none, fmt.Errorf("columns {%s} fit no known layout: %s", r.columns(), strings.Join(known, "; "))
}

// knownColumn reports whether a layout has a column.
func knownColumn[T any](s schemas[T], column string) bool {
	return slices.ContainsFunc(s.list, func(one schema[T]) bool { return slices.Contains(one.columns, column) })
}

// missingColumn returns the only column that a row lacks for a layout of several columns, or "" if it lacks more for
// all of them.
func missingColumn[T any](s schemas[T], r row) string {
	for _, one := range s.list {
		missing := slices.DeleteFunc(slices.Clone(one.columns), func(name string) bool { return r.has(name) })
		if len(one.columns) > 1 && len(missing) == 1 {
			return missing[0]
		}
	}
	return ""
}
