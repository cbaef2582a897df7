package datasets

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/edit"
	"github.com/bfpo-go/bfpo/datasets/rowfile"
)

// findings is what the user should know about the rows of a data set.
type findings struct {
	bad      []string       // the first errors about malformed rows
	json     map[string]int // rows whose column was a list of messages in JSON
	labels   map[string]bool
	texts    map[string]bool // columns that look like a part of the question
	implicit int             // rows of texts without a prompt
	both     int             // rows with messages and text
	unasked  int             // rows of dialogues whose column prompt is none of their questions
}

// looksLikeLabel matches the names of columns that may be safety labels.
var looksLikeLabel = regexp.MustCompile(`(?i)(^|_|-|\b)(un)?safe(ty)?(_|-|\b|$)|harm|toxic|^labels?$|_labels?$`)

// labelColumns are the columns of safety labels that are read.
func labelColumns() []string {
	return []string{"is_chosen_safe", "is_rejected_safe", "is_response_0_safe", "is_response_1_safe",
		"is_modelout1_safe", "is_modelout2_safe"}
}

// looksLikeQuestion matches the names of columns that may hold a part of the question.
var looksLikeQuestion = regexp.MustCompile(`(?i)^(system(_prompt|_message)?|question|query|instruction|input|context|` +
	`history|images?|user(_prompt)?)$`)

// noteUnread collects the columns of a row that may hold a part of the question and are not read.
func (f *findings) noteUnread(r row) {
	for name, v := range r {
		if _, other := v.(rowfile.Unread); other && !f.texts[name] && looksLikeQuestion.MatchString(name) {
			if f.texts == nil {
				f.texts = map[string]bool{}
			}
			f.texts[name] = true
		}
	}
}

// noteLabels collects the columns of a row without a safety label that look like labels.
func (f *findings) noteLabels(r row) {
	for name, v := range r {
		_, other := v.(rowfile.Unread)
		if other && !f.labels[name] && (looksLikeLabel.MatchString(name) || edit.Nearest(name, labelColumns()) != "") {
			if f.labels == nil {
				f.labels = map[string]bool{}
			}
			f.labels[name] = true
		}
	}
}

// noteUnasked counts a row of dialogues whose column prompt, a text, is no message of the prompt that they share.
func (f *findings) noteUnasked(r row, prompt []chat.Message) {
	text, ok := r["prompt"].(string)
	if ok && holdsDialogues(r) && !slices.ContainsFunc(prompt, func(m chat.Message) bool {
		return m.HasParts() || strings.TrimSpace(m.Content) == strings.TrimSpace(text)
	}) {
		f.unasked++
	}
}

// parsed counts a row whose columns were lists of messages in JSON.
func (f *findings) parsed(columns []string) {
	for _, column := range columns {
		if f.json == nil {
			f.json = map[string]int{}
		}
		f.json[column]++
	}
}

// malformed keeps the first errors about malformed rows.
func (f *findings) malformed(at place, err error) {
	if len(f.bad) < 3 {
		f.bad = append(f.bad, fmt.Sprintf("%s: %v", at.inSet(), err))
	}
}

// notes returns the findings as sentences.
func (f *findings) notes() (notes []string) {
	for _, text := range f.bad {
		notes = append(notes, "dropped: "+text)
	}
	for _, column := range slices.Sorted(maps.Keys(f.json)) {
		notes = append(notes, fmt.Sprintf("column %s holds messages as JSON text in %d rows: read as messages",
			column, f.json[column]))
	}
	if f.implicit > 0 {
		notes = append(notes, fmt.Sprintf("rows without a column prompt: %d; the common beginning of chosen and rejected "+
			"is the prompt, as in TRL", f.implicit))
	}
	if f.both > 0 {
		notes = append(notes, fmt.Sprintf("rows with both messages and text: %d; messages are used, as in TRL", f.both))
	}
	if f.unasked > 0 {
		notes = append(notes, fmt.Sprintf("rows whose column prompt is no message of chosen and rejected: %d; the "+
			"dialogues are used, and the column is not read", f.unasked))
	}
	if len(f.texts) > 0 {
		notes = append(notes, fmt.Sprintf("columns that may belong to the question are not read: %s; put their text into "+
			"prompt", strings.Join(slices.Sorted(maps.Keys(f.texts)), ", ")))
	}
	if len(f.labels) > 0 {
		notes = append(notes, fmt.Sprintf("columns that look like safety labels are not read: %s; the names that are read "+
			"are is_chosen_safe and is_rejected_safe (true: safe), or is_response_0_safe and is_response_1_safe with "+
			"response_0, response_1 and better_response_id", strings.Join(slices.Sorted(maps.Keys(f.labels)), ", ")))
	}
	return notes
}
