package track

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// TrainerState is the content of trainer_state.json as transformers writes it, for tools that read a run's history
// from there.
type TrainerState struct {
	BestMetric          *float64 `json:"best_metric"`
	BestModelCheckpoint *string  `json:"best_model_checkpoint"` // relative to the run, such as checkpoints/step-100
	Epoch               float64  `json:"epoch"`
	EvalSteps           int      `json:"eval_steps"`
	GlobalStep          int      `json:"global_step"`
	HyperParamSearch    bool     `json:"is_hyper_param_search"`
	LocalProcessZero    bool     `json:"is_local_process_zero"`
	WorldProcessZero    bool     `json:"is_world_process_zero"`
	LogHistory          []Record `json:"log_history"` // see LogHistory
	LoggingSteps        int      `json:"logging_steps"`
	MaxSteps            int      `json:"max_steps"`
	NumInputTokensSeen  int64    `json:"num_input_tokens_seen"`
	NumTrainEpochs      float64  `json:"num_train_epochs"`
	SaveSteps           int      `json:"save_steps"`
	TotalFLOs           float64  `json:"total_flos"` // 0: not counted
	TrainBatchSize      int      `json:"train_batch_size"`
	TrialName           *string  `json:"trial_name"`
	TrialParams         *string  `json:"trial_params"`
}

// Write writes trainer_state.json into a folder. Both process flags are set to true, because bfpo trains in a single
// process.
func (s TrainerState) Write(dir string) error {
	s.LocalProcessZero, s.WorldProcessZero = true, true
	if s.LogHistory == nil {
		s.LogHistory = []Record{}
	}
	return atomicfile.WriteJSON(filepath.Join(dir, "trainer_state.json"), "  ", s)
}

// TrainResults summarizes a finished training stage.
type TrainResults struct {
	Epoch   float64
	Loss    float64 // mean over the steps' losses
	Runtime time.Duration
	Samples int // rows of the main set
	Seen    int // rows trained on in all epochs
	Steps   int // optimizer steps
}

// Write writes train_results.json into a folder and updates all_results.json there.
func (r TrainResults) Write(dir string) error {
	seconds := max(r.Runtime.Seconds(), 1e-9)
	return writeResults(dir, "train", map[string]float64{
		"epoch": r.Epoch, "train_loss": r.Loss, "train_runtime": r.Runtime.Seconds(), "train_samples": float64(r.Samples),
		"train_samples_per_second": float64(r.Seen) / seconds, "train_steps_per_second": float64(r.Steps) / seconds,
	})
}

// MeanLoss returns the mean of the steps' losses, transformers' train_loss; ok is false if the records have no step.
func MeanLoss(records []Record) (loss float64, ok bool) {
	var mean Mean
	for _, r := range records {
		if x, ok := r.Get("loss"); ok && !r.IsEvaluation() {
			mean.Add(x)
		}
	}
	return mean.Value()
}

// WriteEvalResults writes an evaluation's record into a folder as eval_results.json and updates all_results.json
// there.
func WriteEvalResults(dir string, r Record) error {
	values := map[string]float64{"epoch": r.Epoch}
	for _, v := range r.Values {
		values[v.Name] = v.Value
	}
	return writeResults(dir, "eval", values)
}

// writeResults merges the values into all_results.json and writes SPLIT_results.json, in this order, since a run that
// has its train_results.json is finished. Keys are sorted, as in transformers.
func writeResults(dir, split string, values map[string]float64) error {
	path := filepath.Join(dir, "all_results.json")
	all := map[string]any{}
	text, err := os.ReadFile(path)
	if err == nil {
		// UseNumber keeps all digits of numbers that other programs wrote into the file.
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		err = d.Decode(&all)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", path, err)
	}
	for name, value := range values {
		all[name] = value
	}
	if err := atomicfile.WriteJSON(path, "    ", all); err != nil {
		return err
	}
	return atomicfile.WriteJSON(filepath.Join(dir, split+"_results.json"), "    ", values)
}
