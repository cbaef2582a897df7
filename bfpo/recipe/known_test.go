package recipe

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// classOf returns the word of testdata/keys.tsv for what becomes of a key.
func classOf(key string) string {
	values, inert := inertKeys[key]
	_, renamed := otherNames[key]
	_, field := fieldOf(&Config{}, key)
	switch {
	case field, slices.Contains(partKeys, key):
		return "done"
	case renamed:
		return "name"
	case inert && values == nil:
		return "ignored"
	case inert:
		return "limited"
	}
	return "unknown"
}

// Every key of the recorded classes has its class, and a recipe with the default that these classes have for it loads,
// apart from the defaults that ask for something that bfpo does not do.
func TestKnownKeys(t *testing.T) {
	text, err := os.ReadFile("testdata/keys.tsv")
	if err != nil {
		t.Fatal(err)
	}
	refused := []string{
		`auto_insert_empty_system_msg: true`, // clean texts have no empty system message
		`truncation_mode: "keep_start"`,
		`max_prompt_length: 512`, // as long as max_length's default here
	}
	recorded := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(strings.TrimSpace(line), "\t")
		recorded[fields[0]] = true
		if got := classOf(fields[0]); got != fields[1] {
			t.Errorf("%s is %s, recorded as %s", fields[0], got, fields[1])
		}
		for _, value := range fields[2:] {
			row := fields[0] + ": " + value
			_, err := Load(nil, recipeFile(t, row+"\n"), nil)
			if want := slices.Contains(refused, row); (err != nil) != want {
				t.Errorf("%s: %v, want it refused: %v", row, err, want)
			}
		}
	}
	if len(recorded) < 230 {
		t.Errorf("%d recorded keys", len(recorded))
	}
	for key := range inertKeys {
		if outer, _, _ := strings.Cut(key, "."); inertKeys[outer] == nil && outer != key {
			t.Errorf("%s is part of a key that is ignored whatever its value", key)
		}
	}
}

// What a key of today means is what the key here means.
func TestNamesOfToday(t *testing.T) {
	path := recipeFile(t, "eval_strategy: steps\ndtype: bfloat16\nactivation_checkpointing: true\ndataset_name: org/set\n"+
		"dataset_train_split: train_prefs\ndataset_test_split: test_prefs\nloss_type: [sigmoid]\nwarmup_steps: 0.1\n"+
		"dataset_kwargs: {add_special_tokens: false}\naccelerator_config: {split_batches: false, even_batches: true}\n"+
		"auto_insert_empty_system_msg: false\nlabel_smoothing_factor: 0.0\nchat_template_path: llama3\n")
	c, err := Load(nil, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.EvaluationStrategy != "steps" || !c.DoEval || c.TorchDType != "bfloat16" || c.GradientCheckpointing != On ||
		c.Objective != "dpo" || c.WarmupRatio != 0.1 || c.WarmupSteps != 0 || c.ChatTemplate != "llama3" {
		t.Errorf("%+v", c)
	}
	if diff := cmp.Diff(Mixer{{"org/set", 1}}, c.DatasetMixer); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"train_prefs", "test_prefs"}, c.DatasetSplits); diff != "" {
		t.Error(diff)
	}
	want := []string{"dataset_kwargs", "accelerator_config", "auto_insert_empty_system_msg", "label_smoothing_factor"}
	if diff := cmp.Diff(want, c.Ignored); diff != "" {
		t.Error(diff)
	}
	c, err = Load(nil, recipeFile(t, "text_format: seed\nauto_insert_empty_system_msg: true\n"), []string{"dtype=float32"})
	if err != nil || c.TorchDType != "float32" {
		t.Error(err, c.TorchDType)
	}
	c, err = Load(nil, recipeFile(t, "loss_type: nll\nmax_length: 700\ndataset_name: quickstart/sft\n"), nil)
	if err == nil {
		c, err = c.ForStage("sft")
	}
	if err != nil || c.MaxSeqLength != 700 || c.Objective != "sft" {
		t.Error(err, c.MaxSeqLength, c.Objective)
	}
	for _, test := range []struct{ text, want string }{
		{"auto_insert_empty_system_msg: true", "true is not supported yet (-set=auto_insert_empty_system_msg=null"},
		{"text_format: seed\nauto_insert_empty_system_msg: false",
			"text_format: seed has auto_insert_empty_system_msg: true"},
		{"dtype: bfloat16\ntorch_dtype: float32", ":2: torch_dtype: given twice, as dtype in line 1"},
		{"dtype: float16", ":1: torch_dtype: float16 is not supported yet"},
		{"dtype: 7", ":1: dtype: want a string, got 7"},
		{"loss_type: [sigmoid, sft]", ":1: loss_type: a sum of 2 losses is not supported"},
		{"dataset_train_split: all", `a split for this has "train" in its name, unlike all`},
		{"dataset_splits: [train]\ndataset_train_split: train_sft", "dataset_splits names the splits already"},
		{"dataset_kwargs: {add_special_tokens: true}", "dataset_kwargs: a mapping is not supported yet"},
		{"accelerator_config: {split_batches: true}", "accelerator_config: a mapping is not supported yet"},
		{"accelerator_config.split_batches: false", "unknown key"},
		{"deepspeed: zero3.json", "mesh: fsdp shards the model"},
		{"platform: cuda\nuse_cpu: true", ":2: use_cpu: true contradicts platform: cuda"},
		{"save_strategy: best", "best is not supported yet"},
		{"max_steps: 9000000000000000000", "max_steps: must be at most 2147483647"},
	} {
		if _, err := Load(nil, recipeFile(t, test.text), nil); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.text, err, test.want)
		}
	}
}

func TestSuggestedKeys(t *testing.T) {
	for key, want := range map[string]string{
		"lr": "learning_rate", "epochs": "num_train_epochs", "batch_size": "per_device_train_batch_size",
		"bs": "per_device_train_batch_size", "model": "model_name_or_path", "data": "dataset_mixer",
		"dataset": "dataset_mixer", "wd": "weight_decay", "warmup": "warmup_ratio",
		"grad_accum": "gradient_accumulation_steps", "eval_strategi": "eval_strategy", "Learning-Rate": "learning_rate",
		"--beta": "beta", "torch_dtyp": "torch_dtype",
	} {
		_, err := Load(nil, recipeFile(t, key+": 1\n"), nil)
		if err == nil || !strings.HasSuffix(err.Error(), "; did you mean "+want+"?") {
			t.Errorf("%s: %v, want %s", key, err, want)
		}
	}
	for word, key := range synonyms {
		if classOf(word) != "unknown" {
			t.Errorf("%s is suggested as %s, and is a key itself", word, key)
		}
		if class := classOf(key); class == "unknown" || class == "limited" {
			t.Errorf("%s is suggested for %s, and is %s", key, word, class)
		}
	}
	for text, want := range map[string]string{
		"objective: bpfo": "; did you mean bfpo?", "lr_scheduler_type: cosin": "; did you mean cosine?",
		"optim: adam_torch": "; did you mean adamw_torch?",
	} {
		if _, err := Load(nil, recipeFile(t, text), nil); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	path := recipeFile(t, "")
	_, err := Load(nil, filepath.Join(filepath.Dir(path), "recipes.yaml"), nil)
	if err == nil || !strings.HasSuffix(err.Error(), "; did you mean "+path+"?") {
		t.Errorf("%v", err)
	}
}
