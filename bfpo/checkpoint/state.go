package checkpoint

import (
	"fmt"

	"github.com/bfpo-go/bfpo/datasets/batch"
)

// stateName is the name of the file that holds State.
const stateName = "state.json"

// State is what a checkpoint holds next to its tensors, so that a resumed run continues as if it had never stopped.
// The random orders follow from the seeds in Settings and the epochs of the cursors. The log metrics.jsonl is
// truncated to Step.
type State struct {
	Step       int               `json:"step"`   // optimizer steps done
	Main       batch.Cursor      `json:"main"`   // position of the next pair, or packed row, of the main set
	Buffer     batch.Cursor      `json:"buffer"` // position of the next pair of the buffer set
	MainRows   int               `json:"main_rows"`
	BufferRows int               `json:"buffer_rows"`
	Best       *Best             `json:"best,omitempty"`
	Settings   map[string]string `json:"settings"`           // the run's recipe.Config.Settings
	Identity   *Identity         `json:"identity,omitempty"` // nil in checkpoints of earlier versions
}

// Best is the best evaluation so far; load_best_model_at_end restores the checkpoint of its Step.
type Best struct {
	Metric string  `json:"metric"`
	Value  float64 `json:"value"`
	Step   int     `json:"step"`
}

// File returns the state as a file to save in a checkpoint.
func (s State) File() File { return jsonFile(stateName, s) }

// State reads the checkpoint's state.
func (c Checkpoint) State() (State, error) {
	var s State
	if err := c.readJSON(stateName, &s); err != nil {
		return State{}, err
	}
	if s.Step != c.Step {
		return State{}, fmt.Errorf("checkpoint %s: %s: it holds the state of step %d", c.Path, stateName, s.Step)
	}
	return s, nil
}
