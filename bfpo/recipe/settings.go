package recipe

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// freeKeys lists the keys that a resumed run may change, because neither the order of the data nor the computed
// numbers depend on them.
func freeKeys() []string {
	return []string{"stages", "loss_type", "output_dir", "overwrite_output_dir", "resume_from_checkpoint", "logging_steps",
		"log_rows", "report_to", "do_eval", "evaluation_strategy", "eval_steps", "eval_tasks", "eval_data", "eval_include",
		"eval_limit",
		"eval_judge", "eval_apply_chat_template", "generate_during_eval", "eval_prompts", "eval_dataset_mixer",
		"per_device_eval_batch_size", "save_strategy", "save_steps", "save_total_limit", "load_best_model_at_end",
		"platform", "mesh", "gradient_checkpointing", "precompute_ref_log_probs"}
}

// sourceKeys lists the keys that only say where the model and the rows are. A run whose model and rows are compared by
// their content may find them elsewhere.
func sourceKeys() []string {
	return []string{"model_name_or_path", "dataset_mixer", "buffer_dataset_mixer", "eval_dataset_mixer"}
}

// WithoutSources returns settings without the keys that only say where the model and the rows are.
func WithoutSources(settings map[string]string) map[string]string {
	rest := maps.Clone(settings)
	for _, key := range sourceKeys() {
		delete(rest, key)
	}
	return rest
}

// batchKeys lists the keys whose product is the number of rows in a step.
func batchKeys() []string {
	return []string{"per_device_train_batch_size", "devices", "gradient_accumulation_steps"}
}

// Settings returns the keys on which the order of the data or the computed numbers depend, with their values as YAML.
// The length of a run is among them only if the learning rate depends on it.
func (c Config) Settings() map[string]string {
	free := freeKeys()
	if c.LRSchedulerType == "constant" ||
		c.LRSchedulerType == "constant_with_warmup" && (c.WarmupSteps > 0 || c.WarmupRatio == 0) {
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

// StageSettings returns the keys on which the weights depend that a finished stage leaves: the Settings without the
// model's name, since its content is compared, and with the length of the run and the choice of the best model. Rows in
// a step count as one value.
func (c Config) StageSettings() map[string]string {
	added := []string{"num_train_epochs", "max_steps", "load_best_model_at_end"}
	if c.LoadBestModelAtEnd {
		added = append(added, "evaluation_strategy", "eval_steps", "save_strategy", "save_steps", "eval_dataset_mixer")
	}
	settings := c.Settings()
	for _, f := range recipeFields(&c) {
		if slices.Contains(added, f.key) {
			settings[f.key] = f.text()
		}
	}
	delete(settings, "model_name_or_path")
	for _, key := range batchKeys() {
		if c.TextFormat != "seed" || key != "gradient_accumulation_steps" { // seed weighs micro-batches
			delete(settings, key)
		}
	}
	rows := c.PerDeviceTrainBatchSize * c.Devices * c.GradientAccumulationSteps
	settings[strings.Join(batchKeys(), " x ")] = strconv.Itoa(rows)
	return settings
}

// text returns the field's value as one line of YAML.
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

// InterruptedRun is what CheckResume needs to know about the run that is to be resumed.
type InterruptedRun struct {
	Step                 int               // optimizer steps done
	MainRows, BufferRows int               // rows of the sets that it was trained on
	Settings             map[string]string // its Config.Settings
	KnowsContent         bool              // the content of its model and rows is compared as well
}

// CheckResume refuses to resume a run with settings or data that would make it a different run. mainRows and
// bufferRows are the rows of the sets now. The error is a *usage.Error that names the key.
func (c Config) CheckResume(from InterruptedRun, mainRows, bufferRows int) error {
	now := c.Settings()
	if from.KnowsContent {
		now = WithoutSources(now)
	}
	for _, key := range slices.Sorted(maps.Keys(now)) {
		was := c.settingThen(from.Settings, key, now[key])
		if was != now[key] && !slices.Contains(batchKeys(), key) {
			return c.UsageErrorf(key, "the checkpoint of step %d was trained with %s, not %s: "+
				"a resumed run must keep this value",
				from.Step, was, now[key])
		}
	}
	if from.MainRows != mainRows || from.BufferRows != bufferRows {
		return usage.Errorf("the checkpoint of step %d was trained on %d rows and a buffer of %d; "+
			"the data now has %d and %d: has it changed?", from.Step, from.MainRows, from.BufferRows, mainRows, bufferRows)
	}
	return c.checkStepRows(from)
}

// settingThen returns the value of a key in the settings of an earlier run. An earlier version may not have known the
// key: then its value was the default, if the recipe gives it another one now.
func (c Config) settingThen(then map[string]string, key, now string) string {
	if was, known := then[key]; known {
		return was
	} else if c.Origin(key) == "" {
		return now
	}
	defaults := Default()
	f, _ := fieldOf(&defaults, key)
	return f.text()
}

// ChangedSetting returns the first key of now, Settings or StageSettings of c, whose value differs from that of an
// earlier run, and the value then. The key is "" if none differs.
func (c Config) ChangedSetting(then, now map[string]string) (key, was string) {
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if was := c.settingThen(then, key, now[key]); was != now[key] {
			return key, was
		}
	}
	return "", ""
}

// checkStepRows refuses a resumed run whose steps would not be the same. The product of the batch keys, the rows in a
// step, must not change. The number of devices may. The number of micro-batches may change too, with two exceptions:
// if a pass over a set ends within a step, the rows of the main set and the buffer would be combined differently, and
// text_format: seed weighs micro-batches.
func (c Config) checkStepRows(from InterruptedRun) error {
	was := [3]int{}
	for i, key := range batchKeys() {
		n, err := strconv.Atoi(from.Settings[key])
		if err != nil {
			return nil // the checkpoint is of an earlier version, which did not record the key
		}
		was[i] = n
	}
	now := [3]int{c.PerDeviceTrainBatchSize, c.Devices, c.GradientAccumulationSteps}
	rows := was[0] * was[1] * was[2]
	whole := from.MainRows%rows == 0 && from.BufferRows%rows == 0
	switch {
	case now[0]*now[1]*now[2] != rows:
	case now[2] == was[2], c.TextFormat != "seed" && (from.BufferRows == 0 || whole):
		return nil
	}
	return c.UsageErrorf(batchKeys()[0], "the checkpoint of step %d was trained with "+
		"%d rows on each of %d devices, %d times a step, not with %d on %d, %d times: keep the product of the first two, %d",
		from.Step, was[0], was[1], was[2], now[0], now[1], now[2], was[0]*was[1])
}
