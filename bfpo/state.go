package bfpo

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

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
func (s State) File() CheckpointFile {
	return CheckpointFile{stateName, func(w io.Writer) error {
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

// settingsFree are the keys that a resumed run may change: they decide neither the order of the data nor what is computed.
var settingsFree = []string{"stages", "loss_type", "output_dir", "overwrite_output_dir", "resume_from_checkpoint", "logging_steps",
	"log_rows", "report_to", "do_eval", "evaluation_strategy", "eval_steps", "eval_tasks", "eval_data", "eval_include", "eval_limit",
	"eval_judge", "eval_apply_chat_template", "generate_during_eval", "eval_prompts", "eval_dataset_mixer",
	"per_device_eval_batch_size", "save_strategy", "save_steps", "save_total_limit", "load_best_model_at_end", "platform", "mesh",
	"gradient_checkpointing", "precompute_ref_log_probs"}

// Settings are the keys, and their values as YAML, that decide the order of the data or what is computed. The length of a run counts
// only where the learning rate depends on it.
func (c Config) Settings() map[string]string {
	free := slices.Clone(settingsFree)
	if c.LRSchedulerType == "constant" || c.LRSchedulerType == "constant_with_warmup" && (c.WarmupSteps > 0 || c.WarmupRatio == 0) {
		free = append(free, "num_train_epochs", "max_steps")
	}
	settings := map[string]string{}
	for _, f := range recipeFields(&c) {
		if !slices.Contains(free, f.key) {
			settings[f.key] = f.text()
		}
	}
	return settings
}

// text is the field's value in one line of YAML.
func (f field) text() string {
	n := f.node()
	if n.Kind == yaml.MappingNode {
		n.Style = yaml.FlowStyle
	}
	text, err := yaml.Marshal(n)
	if err != nil { // a path that is not UTF-8
		return fmt.Sprintf("%q", fmt.Sprint(f.value.Interface()))
	}
	return strings.TrimSuffix(string(text), "\n")
}

// Check refuses to go on from a state under a configuration or with data that would make a different run of it. The error is a
// *UsageError that names the key.
func (s State) Check(c Config, mainRows, bufferRows int) error {
	now := c.Settings()
	for _, key := range slices.Sorted(maps.Keys(now)) {
		was, known := s.Settings[key]
		if known && was != now[key] && !slices.Contains(batchKeys, key) {
			return c.usage(key, "the checkpoint of step %d was trained with %s, not %s: it cannot go on with another value", s.Step, was,
				now[key])
		}
	}
	if s.MainRows != mainRows || s.BufferRows != bufferRows {
		return Usagef("the checkpoint of step %d was trained on %d rows and a buffer of %d; the data now has %d and %d: has it changed?",
			s.Step, s.MainRows, s.BufferRows, mainRows, bufferRows)
	}
	return s.checkBatch(c)
}

// batchKeys are the keys whose product is the number of rows of a step.
var batchKeys = []string{"per_device_train_batch_size", "devices", "gradient_accumulation_steps"}

// checkBatch refuses another number of rows in a step. Another number of devices with as many rows in all makes the same steps. So does
// another number of micro-batches, but where a pass over a set ends within a step, there the main set and the buffer would meet otherwise;
// and in seed format, which weighs micro-batches.
func (s State) checkBatch(c Config) error {
	was := [3]int{}
	for i, key := range batchKeys {
		n, err := strconv.Atoi(s.Settings[key])
		if err != nil {
			return nil // of a version that did not write it
		}
		was[i] = n
	}
	now := [3]int{c.PerDeviceTrainBatchSize, c.Devices, c.GradientAccumulationSteps}
	rows := was[0] * was[1] * was[2]
	whole := s.MainRows%rows == 0 && s.BufferRows%rows == 0
	switch {
	case now[0]*now[1]*now[2] != rows:
	case now[2] == was[2], c.TextFormat != "seed" && (s.BufferRows == 0 || whole):
		return nil
	}
	return c.usage(batchKeys[0], "the checkpoint of step %d was trained with %d rows on each of %d devices, %d times a step, not with %d on %d, "+
		"%d times: it goes on where the product of the first two, %d, is the same", s.Step, was[0], was[1], was[2], now[0], now[1], now[2], was[0]*was[1])
}
