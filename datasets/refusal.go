package datasets

import (
	"fmt"
	"strings"
)

// refusal is the error for a row that the chat template does not render: it has the template's own words, or names what
// the template does not read.
type refusal struct{ err error }

func (e *refusal) Error() string { return e.err.Error() }

func (e *refusal) Unwrap() error { return e.err }

// refusals are the rows of a set that the chat template refuses.
type refusals struct {
	ids   []string
	first *refusal
}

// add adds the row with an id.
func (r *refusals) add(id string, err *refusal) {
	if r.ids = append(r.ids, id); r.first == nil {
		r.first = err
	}
}

// drop adds the refused rows to the drops of a set, which has the given number of rows. It is an error if the template
// refuses all of them, or too many: the rows were then probably written for another template.
func (r *refusals) drop(drops *Drops, rows int) error {
	n := len(r.ids)
	switch {
	case n == 0:
		return nil
	case rows == 1:
		return fmt.Errorf("row %s: %w", r.ids[0], r.first)
	case n == rows || n >= minMalformedRows && float64(n) > maxMalformedShare*float64(rows):
		return fmt.Errorf("row %s: %w (the chat template refuses %d of %d rows; up to %g %% are dropped)",
			r.ids[0], r.first, n, rows, 100*maxMalformedShare)
	}
	reason := "refused by the chat template (the first: " + strings.TrimPrefix(r.first.Error(), "chat template: ") + ")"
	for _, id := range r.ids {
		drops.drop(reason, id)
	}
	return nil
}
