package track

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func readJSON(t *testing.T, path string) (v map[string]any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestResults(t *testing.T) {
	dir := t.TempDir()
	results := TrainResults{Epoch: 2, Loss: 1.5, Runtime: 4 * time.Second, Samples: 10, Seen: 20, Steps: 8}
	if err := results.Write(dir); err != nil {
		t.Fatal(err)
	}
	eval := Metrics{Evaluation: true, Step: 8, Epoch: 2, Loss: 0.5, Samples: 6, Batches: 3, Seconds: 2}
	if err := WriteEvalResults(dir, eval.Record()); err != nil {
		t.Fatal(err)
	}
	train := map[string]any{
		"epoch": 2.0, "train_loss": 1.5, "train_runtime": 4.0, "train_samples": 10.0,
		"train_samples_per_second": 5.0, "train_steps_per_second": 2.0,
	}
	evaluated := map[string]any{
		"epoch": 2.0, "eval_loss": 0.5, "eval_runtime": 2.0, "eval_samples": 6.0,
		"eval_samples_per_second": 3.0, "eval_steps_per_second": 1.5,
	}
	all := map[string]any{}
	maps.Copy(all, train)
	maps.Copy(all, evaluated)
	for name, want := range map[string]map[string]any{
		"train_results.json": train, "eval_results.json": evaluated, "all_results.json": all,
	} {
		if diff := cmp.Diff(want, readJSON(t, filepath.Join(dir, name))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	os.WriteFile(filepath.Join(dir, "all_results.json"), []byte("{"), 0o644)
	if err := WriteEvalResults(dir, eval.Record()); err == nil {
		t.Error("a damaged all_results.json was overwritten")
	}
}

func TestTrainerState(t *testing.T) {
	dir := t.TempDir()
	best, checkpoint := 0.5, "checkpoints/step-2"
	evaluation := Metrics{Step: 2, Evaluation: true, Loss: 0.5, Samples: 4}
	records := []Record{sftStep(1, 3).Record(), sftStep(2, 1).Record(), evaluation.Record()}
	state := TrainerState{
		BestMetric: &best, BestModelCheckpoint: &checkpoint, Epoch: 1, GlobalStep: 2, MaxSteps: 2, LoggingSteps: 1,
		NumTrainEpochs: 1, LogHistory: LogHistory(records, 1, 2), TrainBatchSize: 2,
	}
	if err := state.Write(dir); err != nil {
		t.Fatal(err)
	}
	got := readJSON(t, filepath.Join(dir, "trainer_state.json"))
	history := got["log_history"].([]any)
	if len(history) != 3 || history[1].(map[string]any)["loss"] != 1.0 || history[2].(map[string]any)["eval_loss"] != 0.5 {
		t.Errorf("log_history: %v", history)
	}
	for key, want := range map[string]any{
		"best_metric": 0.5, "best_model_checkpoint": "checkpoints/step-2", "global_step": 2.0, "is_world_process_zero": true,
		"trial_name": nil,
	} {
		if got[key] != want {
			t.Errorf("%s = %v, want %v", key, got[key], want)
		}
	}
	if loss, ok := MeanLoss(records); !ok || loss != 2 {
		t.Errorf("mean loss %v", loss)
	}
	if err := (TrainerState{}).Write(dir); err != nil {
		t.Fatal(err)
	}
	got = readJSON(t, filepath.Join(dir, "trainer_state.json"))
	if history, ok := got["log_history"].([]any); !ok || len(history) != 0 {
		t.Errorf("an empty history is written as %v, want an empty list", got["log_history"])
	}
}
