package datasets

// The reasons for which a row is dropped.
const (
	DropIdentical  = "chosen and rejected are identical"
	DropEmpty      = "empty response"
	DropNoPrompt   = "empty prompt"
	DropTooLong    = "response longer than max_length minus prompt"
	DropNoText     = "empty document"
	DropMalformed  = "malformed row"
	DropNotUnicode = "text that is not Unicode"
	DropNoCommon   = "chosen and rejected have no common beginning"
	DropOtherUser  = "chosen and rejected differ first in a message that is not the assistant's"
	DropUnlabelled = "answer without a safety label"
	DropUnsafe     = "pair of two unsafe answers, which the objective leaves out"
	DropSameLabel  = "both answers have the same safety label, so that preference_by: safety cannot order them"
)

// Drops lists the rows that were not used, or not as they were.
type Drops struct {
	Dropped map[string][]string // reason -> IDs of the rows that are not used
	Cut     []string            // IDs of rows that lost tokens, and of documents that were split
}

// drop adds a row that is not used.
func (d *Drops) drop(reason, id string) {
	if d.Dropped == nil {
		d.Dropped = map[string][]string{}
	}
	d.Dropped[reason] = append(d.Dropped[reason], id)
}

// Add adds the rows of other drops.
func (d *Drops) Add(other Drops) {
	for reason, ids := range other.Dropped {
		for _, id := range ids {
			d.drop(reason, id)
		}
	}
	d.Cut = append(d.Cut, other.Cut...)
}

// Total is the number of rows that are not used.
func (d Drops) Total() int {
	n := 0
	for _, ids := range d.Dropped {
		n += len(ids)
	}
	return n
}

// dropError is the error for a row that is as it should be but of no use, such as one with an empty answer.
type dropError struct{ reason string }

func (e *dropError) Error() string { return e.reason }
