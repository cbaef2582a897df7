package checkpoint

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/bfpo-go/bfpo/datasets/batch"
)

const stateName = "state.json"

// State is what a checkpoint holds beside its tensors: all that a run needs to go on as if it had never stopped. The random orders follow
// from the seeds among Settings and the epochs of the cursors; metrics.jsonl is cut back to Step.
type State struct {
	Step       int               `json:"step"`   // optimizer steps done
	Main       batch.Cursor      `json:"main"`   // the next pair of the main set (or packed row)
	Buffer     batch.Cursor      `json:"buffer"` // the next pair of the buffer set
	MainRows   int               `json:"main_rows"`
	BufferRows int               `json:"buffer_rows"`
	Best       *Best             `json:"best,omitempty"`
	Settings   map[string]string `json:"settings"` // Config.Settings of the run
}

// Best is the evaluation that load_best_model_at_end goes back to.
type Best struct {
	Metric string  `json:"metric"`
	Value  float64 `json:"value"`
	Step   int     `json:"step"`
}

// File is the state as a file of a checkpoint.
func (s State) File() File {
	return File{stateName, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}}
}

// State reads the checkpoint's state.
func (c Checkpoint) State() (State, error) {
	var s State
	text, err := os.ReadFile(c.File(stateName))
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err == nil && s.Step != c.Step {
		err = fmt.Errorf("it is of step %d", s.Step)
	}
	if err != nil {
		return State{}, fmt.Errorf("checkpoint %s: %s: %w", c.Path, stateName, err)
	}
	return s, nil
}
