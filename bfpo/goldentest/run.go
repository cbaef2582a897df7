package goldentest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/bfpo-go/bfpo/datasets/fixture"
)

// Run is a whole training run recorded from the original code.
type Run struct {
	Name   string
	Kind   string // bfpo or sft
	Config map[string]any
	Steps  []struct {
		LR       float64
		GradNorm float64 `json:"grad_norm"` // before clipping
	}
	MicroBatches []MicroBatch `json:"micro"` // in the order of training
	EvalBatches  []PairBatch  `json:"eval_micro"`
	Logs         []map[string]float64
	Orders       struct {
		Train  []Tokenized `json:"train_dataset"`
		Buffer []Tokenized `json:"buffer_dataset"`
		Eval   []Tokenized `json:"eval_dataset"`
	}
	PackedTrain [][]int32 `json:"packed_train"`
	PackedEval  [][]int32 `json:"packed_eval"`
	Trainable   []string
	Stats       map[string]struct {
		DeltaL2 float64 `json:"delta_l2"` // Euclidean distance from the start
	} `json:"final_weight_stats"`
}

// Row is a preference as formatted text.
type Row struct {
	Prompt       string `json:"prompt"`
	Chosen       string `json:"chosen"`
	Rejected     string `json:"rejected"`
	ChosenSafe   int    `json:"is_chosen_safe"`
	RejectedSafe int    `json:"is_rejected_safe"`
}

// Tokenized is a preference with its token ids in the original code. A token with the label -100 is not scored.
type Tokenized struct {
	Row
	ChosenIDs      []int32 `json:"chosen_input_ids"`
	ChosenLabels   []int32 `json:"chosen_labels"`
	RejectedIDs    []int32 `json:"rejected_input_ids"`
	RejectedLabels []int32 `json:"rejected_labels"`
}

// MicroBatch is one micro-batch. In a preference run it has a batch of the main set and, with a buffer, a batch of the
// buffer; in a supervised run it has rows of PackedTrain.
type MicroBatch struct {
	StepLoss float64     `json:"training_step_loss"` // its share of the step's loss
	Batches  []PairBatch `json:"parts"`
	Rows     []int
}

// PairBatch holds the pairs of one set in a micro-batch.
type PairBatch struct {
	Rows         []int // indices of the set's rows in Orders
	Loss         float64
	Chosen       []float64 `json:"policy_chosen_logps"`
	Rejected     []float64 `json:"policy_rejected_logps"`
	RefChosen    []float64 `json:"ref_chosen_logps"`
	RefRejected  []float64 `json:"ref_rejected_logps"`
	ChosenSafe   []int     `json:"is_chosen_safe"`
	RejectedSafe []int     `json:"is_rejected_safe"`
}

// RunNames lists the names of the recorded runs.
func RunNames(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(fixture.Path(t, "train"), "*.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range paths {
		names = append(names, filepath.Base(path[:len(path)-len(".json.gz")]))
	}
	return names
}

// ReadRun reads a recorded run.
func ReadRun(t testing.TB, name string) *Run {
	t.Helper()
	r := &Run{}
	fixture.Read(t, r, "train", name+".json")
	return r
}

// Recipe writes the run's configuration as a recipe, with its rows as data sets in the recorded order, and returns the
// file's path. The recorded order contains all epochs and all restarts of the buffer, so the recipe has one epoch.
func (r *Run) Recipe(t testing.TB) string {
	t.Helper()
	var train, buffer, eval []any
	for _, m := range r.MicroBatches {
		for _, row := range m.Rows {
			train = append(train, packedRow(r.PackedTrain[row]))
		}
		for part, p := range m.Batches {
			for _, row := range p.Rows {
				if part == 0 {
					train = append(train, r.Orders.Train[row].Row)
				} else {
					buffer = append(buffer, r.Orders.Buffer[row].Row)
				}
			}
		}
	}
	for _, row := range r.Orders.Eval {
		eval = append(eval, row.Row)
	}
	for _, ids := range r.PackedEval {
		eval = append(eval, packedRow(ids))
	}
	dir := t.TempDir()
	writeRows(t, filepath.Join(dir, "train.jsonl"), train)
	writeRows(t, filepath.Join(dir, "eval.jsonl"), eval)
	changes := map[string]any{
		"dataset_mixer":      map[string]float64{"train.jsonl": 1},
		"eval_dataset_mixer": map[string]float64{"eval.jsonl": 1},
		"shuffle":            false, "log_rows": true, "num_train_epochs": 1,
	}
	if len(buffer) > 0 {
		writeRows(t, filepath.Join(dir, "buffer.jsonl"), buffer)
		changes["buffer_dataset_mixer"] = map[string]float64{"buffer.jsonl": 1}
	}
	return r.write(t, dir, changes)
}

// RawRecipe writes the run's configuration as a recipe over the raw rows that the original code read, and returns the
// file's path.
func (r *Run) RawRecipe(t testing.TB) string {
	t.Helper()
	files := map[string]string{
		"PKU-Alignment/PKU-SafeRLHF":                 "pku",
		"HuggingFaceH4/ultrafeedback_binarized":      "uf",
		"HuggingFaceH4/ultrachat_200k":               "chat",
		"data/zephyr-7b-beta_beaver_redteaming.json": "red",
	}
	changes := map[string]any{}
	for _, key := range []string{"dataset_mixer", "buffer_dataset_mixer"} {
		mixer, _ := r.Config[key].(map[string]any)
		train, test := &yaml.Node{Kind: yaml.MappingNode}, map[string]float64{}
		for _, name := range slices.Sorted(maps.Keys(mixer)) { // HuggingFaceH4 before PKU-Alignment, as in the recipes
			file := files[name]
			path, fraction := fixture.Path(t, "data", file+"_train.jsonl"), fmt.Sprint(mixer[name])
			train.Content = append(train.Content, scalar(path), scalar(fraction))
			if file == "red" { // the original code evaluates on its training rows
				test[fixture.Path(t, "data", "red_train.jsonl")] = 1
			} else {
				test[fixture.Path(t, "data", file+"_test.jsonl")] = 1
			}
		}
		if changes[key] = train; key == "dataset_mixer" {
			changes["eval_dataset_mixer"] = test
		}
	}
	return r.write(t, t.TempDir(), changes)
}

// scalar returns a YAML scalar.
func scalar(text string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: text} }

// write writes the run's configuration with some changed keys into a folder.
func (r *Run) write(t testing.TB, dir string, changes map[string]any) string {
	t.Helper()
	c := maps.Clone(r.Config)
	c["model_name_or_path"], c["text_format"] = fixture.Mistral(t), "seed"
	delete(c, "output_dir")
	maps.Copy(c, changes)
	text, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "recipe.yaml")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// packedRow returns a row that is already tokenized.
func packedRow(ids []int32) any { return map[string][]int32{"input_ids": ids} }

// writeRows writes rows as JSON lines.
func writeRows(t testing.TB, path string, rows []any) {
	t.Helper()
	var text bytes.Buffer
	for _, row := range rows {
		if err := json.NewEncoder(&text).Encode(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
