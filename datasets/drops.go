package datasets

// The reasons for which a row is dropped.
const (
	DropIdentical = "chosen and rejected are identical"
	DropEmpty     = "empty response"
	DropNoPrompt  = "empty prompt"
	DropTooLong   = "response longer than max_length minus prompt"
	DropNoText    = "empty document"
)

// Drops lists the rows that were not used, or not as they were.
type Drops struct {
	Dropped map[string][]string // reason -> IDs of the rows that are not used
	Cut     []string            // IDs of the rows whose prompt lost tokens, and of documents that were split
}

// drop adds a row that is not used.
func (d *Drops) drop(reason, id string) {
	if d.Dropped == nil {
		d.Dropped = map[string][]string{}
	}
	d.Dropped[reason] = append(d.Dropped[reason], id)
}

// Total is the number of rows that are not used.
func (d Drops) Total() int {
	n := 0
	for _, ids := range d.Dropped {
		n += len(ids)
	}
	return n
}
