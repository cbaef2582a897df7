package recipe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

// recipeFile writes a recipe into a new folder and returns its path.
func recipeFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "recipe.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// ignoreOrigins compares the values of two Configs, but not where they were given or which messages came with them.
func ignoreOrigins() cmp.Options {
	return cmp.Options{
		cmpopts.IgnoreUnexported(Config{}), cmpopts.IgnoreFields(Config{}, "Ignored", "Notices"), cmpopts.EquateEmpty(),
	}
}

func TestEmptyRecipeIsTheDefaults(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "beta: null\noptim: None\ntorch_dtype: ~\n"} {
		c, err := Load(nil, recipeFile(t, text), nil)
		want := Default()
		want.EvalSteps = want.LoggingSteps
		if diff := cmp.Diff(want, c, ignoreOrigins()); err != nil || diff != "" {
			t.Errorf("%q: %v %s", text, err, diff)
		}
	}
}

func TestValues(t *testing.T) {
	path := recipeFile(t, "dataset_mixer:\n  b/second: 1\n  a/first: 2.0e-1\nlearning_rate: 1e-5\nbf16: True\n"+
		"shuffle: no\nsave_steps: 1e2\nselected_layers: down_proj\ngradient_checkpointing: auto\n"+
		"resume_from_checkpoint: true\nnum_train_epochs: 2\n")
	sets := []string{"beta=5.0e-2", "save_total_limit=10", "bf16=False", "report_to=none", "learning_rate=2e-5"}
	c, err := Load(nil, path, sets)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Mixer{{"b/second", 1}, {"a/first", 0.2}}, c.DatasetMixer); diff != "" {
		t.Error(diff)
	}
	if c.LearningRate != 2e-5 || c.BF16 || c.Shuffle || c.SaveSteps != 100 || c.GradientCheckpointing != Auto ||
		c.ResumeFromCheckpoint != On || c.NumTrainEpochs != 2 || c.Beta != 0.05 || c.SaveTotalLimit != 10 ||
		len(c.ReportTo) != 0 || !slices.Equal(c.SelectedLayers, []string{"down_proj"}) {
		t.Errorf("%+v", c)
	}
	if got := c.Origin("save_steps"); got != path+":7" {
		t.Errorf("save_steps is given at %s", got)
	}
	if got := c.Origin("beta"); got != "-set=beta=5.0e-2" {
		t.Errorf("beta is given at %s", got)
	}
}

func TestRefused(t *testing.T) {
	for _, test := range []struct{ text, set, want string }{
		{"a: 1", "", ":1: a: unknown key"},
		{"# c\nlearning_rat: 1", "", ":2: learning_rat: unknown key; did you mean learning_rate?"},
		{"beta: 1\nbeta: 2", "", ":2: beta: given twice, first in line 1"},
		{"beta: high", "", `:1: beta: want a number, got the string "high"`},
		{`learning_rate: "1e-5"`, "", `:1: learning_rate: want a number, got the string "1e-5"`},
		{"max_length: 10.5", "", ":1: max_length: want a whole number, got 10.5"},
		{"max_length: 99999999999999999999", "", "want a whole number"},
		{"bf16: 1", "", ":1: bf16: want true or false, got 1"},
		{"model_name_or_path: [a]", "", ":1: model_name_or_path: want a string, got a list"},
		{"dataset_splits:\n- a\n- 3", "", ":3: dataset_splits: want a list of strings, got 3"},
		{"dataset_mixer:\n  a/b: 1\n  c/d: 1.5", "", ":3: dataset_mixer: want a fraction between 0 and 1 for c/d, got 1.5"},
		{"dataset_mixer: {a/b: 1, a/b: 1}", "", "each dataset once; a/b is listed twice"},
		{"dataset_mixer: 7", "", "want a mapping of dataset to fraction, got 7"},
		{"learning_rate: .nan", "", "want a number"},
		{"beta: 0", "", ":1: beta: "},
		{"b1: 1", "", ":1: b1: "},
		{"chat_template_date: tomorrow", "", ":1: chat_template_date: must be a date such as 2026-11-30, got tomorrow"},
		{"chat_template_date: 2026-02-30", "", ":1: chat_template_date: must be a date such as 2026-11-30"},
		{"warmup_ratio: 1.5", "", ":1: warmup_ratio: must be between 0 and 1, got 1.5"},
		{"per_device_train_batch_size: 0", "", "must be at least 1, got 0"},
		{"objective: bpfo", "", `"bpfo" is unknown`},
		{"lr_scheduler_type: cosin", "", `"cosin" is unknown; want linear, cosine`},
		{"max_length: 100", "",
			"max_prompt_length: 128 leaves no room for an answer within max_length 100 (not given; this is its default)"},
		{"use_selective: true", "", ":1: use_selective: selected_layers names no layer"},
		{"use_buffer: true", "", ":1: use_buffer: buffer_dataset_mixer names no dataset"},
		{"load_best_model_at_end: true", "", "evaluation_strategy (no) and save_strategy (steps)"},
		{"loss_type: ipo\nobjective: dpo", "", ":1: loss_type: ipo contradicts objective: dpo"},
		{"report_to: [wanbd]", "", `:1: report_to: "wanbd" is unknown; did you mean wandb?`},
		{"beta:0.2\nseed: 1", "", `a colon and a space: "beta: 0.1"`},
		{"platform: gpu", "", `"gpu" is unknown; want auto, cpu, cuda, go or the path of a plugin; did you mean cuda?`},
		{"platform: cdua", "", `"cdua" is unknown; want auto, cpu, cuda, go or the path of a plugin; did you mean cuda?`},
		{"platform: CUDA", "", "; did you mean cuda?"},
		{"mesh: rows=2", "", "want data, zero1, fsdp or sizes"},
		{"devices: 0", "", ":1: devices: must be at least 1"},
		{"devices: 4\nmesh: data=2,fsdp=4", "", ":2: mesh: data=2,fsdp=4 is a mesh of 8 devices, but there are to be 4"},
		{"mesh: fsdp\ndevices: 2\ngenerate_during_eval: true", "",
			"generate_during_eval: needs the whole weights on every device, and mesh fsdp shards them"},
		{"mesh: data=2,fsdp=4\nplatform: go", "", "devices: 8, but the pure Go backend (platform: go) has one device"},
		{"- a", "", ":1: want a mapping of keys to values, got a list"},
		{"a: [", "", "yaml: "},
		{"beta: 1\n---\nbeta: 2", "", "one YAML document"},
		{"", "beta", "-set=beta: want key=value"},
		{"", "beta=x", `-set=beta=x: beta: want a number, got the string "x"`},
		{"", "bata=1", "-set=bata=1: bata: unknown key; did you mean beta?"},
		{"", "beta={", "the value is not YAML"},
		{"", "other_data_config=nowhere.yaml", "recipe nowhere.yaml: "},
		// keys and values that are not supported
		{"use_peft: true", "", ":1: use_peft: true is not supported yet"},
		{"load_in_4bit: yes", "", ":1: load_in_4bit: "},
		{"push_to_hub: true", "", ":1: push_to_hub: true is not supported yet"},
		{"neftune_noise_alpha: 5", "", "5 is not supported yet"},
		{"optim: rmsprop", "", ":1: optim: rmsprop is not supported yet; use adamw_torch"},
		{"torch_dtype: float16", "", "float16 is not supported yet"},
		{"loss_type: kto_pair", "", "kto_pair is not supported yet"},
		{"eval_tasks: winogrande", "", ":1: eval_tasks: runs at evaluations, and there are none: set evaluation_strategy"},
		{"generate_during_eval: true", "", ":1: generate_during_eval: runs at evaluations"},
		{"eval_tasks: winogrand\ndo_eval: true", "", `task "winogrand" is unknown; did you mean winogrande?`},
		{"eval_tasks: winogrande\ndo_eval: true\neval_limit: -1", "", ":3: eval_limit: must be 0 (all) or more, got -1"},
		{"generate_during_eval: true\ndo_eval: true\ndevices: 2\nmesh: zero1", "", "mesh zero1 shards them"},
	} {
		var sets []string
		if test.set != "" {
			sets = []string{test.set}
		}
		_, err := Load(nil, recipeFile(t, test.text), sets)
		if _, usage := errors.AsType[*usage.Error](err); !usage || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q %s: got %v, want %q", test.text, test.set, err, test.want)
		}
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, err := Load(nil, recipeFile(t, "beta: x\nbta: 1\nuse_peft: true\n"), nil)
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("%v", err)
	}
}

func TestIgnored(t *testing.T) {
	c, err := Load(nil, recipeFile(t, "ddp_timeout: 1800\nreport_to: [wandb, tensorboard]\npush_to_hub: false\n"+
		"lora_r: 16\nfsdp: ''\nlabel_smoothing_factor: 0.0\nlr_scheduler_kwargs: {}\nuse_peft: False\n"), nil)
	want := []string{"ddp_timeout", "push_to_hub", "lora_r", "fsdp", "label_smoothing_factor", "lr_scheduler_kwargs",
		"use_peft", "report_to: wandb"}
	if diff := cmp.Diff(want, c.Ignored); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if !slices.Equal(c.ReportTo, []string{"tensorboard"}) {
		t.Errorf("report_to %v", c.ReportTo)
	}
}

// TestOriginalCommands loads the original code's recipes with the arguments of its two scripts.
func TestOriginalCommands(t *testing.T) {
	sft, err := Load(nil, "testdata/original/sft/selective.yaml", []string{
		"gradient_accumulation_steps=2", "output_dir=./models/sft-selective", "learning_rate=5e-7",
		"other_data_config=testdata/original/data/mix_sft.yaml", "use_selective=True"})
	if err != nil {
		t.Fatal(err)
	}
	if sft, err = sft.ForStage("sft"); err != nil {
		t.Fatal(err)
	}
	want := Mixer{{"HuggingFaceH4/ultrachat_200k", 1}, {"PKU-Alignment/PKU-SafeRLHF", 0.2}}
	if diff := cmp.Diff(want, sft.DatasetMixer); diff != "" || sft.LearningRate != 5e-7 ||
		sft.GradientAccumulationSteps != 2 || sft.Objective != "sft" || sft.MaxSeqLength != 2048 || !sft.BF16 ||
		sft.GradientCheckpointing != On || sft.EvaluationStrategy != "epoch" {
		t.Errorf("%s %+v", diff, sft)
	}

	recipe := "testdata/original/bfpo/selective.yaml"
	refused := recipe + ":33: push_to_hub: true is not supported yet"
	if _, err := Load(nil, recipe, nil); err == nil || !strings.Contains(err.Error(), refused) {
		t.Errorf("push_to_hub: %v", err)
	}
	train, err := Load(nil, recipe, []string{
		"per_device_train_batch_size=2", "gradient_accumulation_steps=4", "push_to_hub=false",
		"other_data_config=testdata/original/data/balance_bfpo.yaml", "use_selective=True", "remove_unused_columns=False"})
	if err != nil {
		t.Fatal(err)
	}
	if train, err = train.ForStage("train"); err != nil {
		t.Fatal(err)
	}
	want = Mixer{{"PKU-Alignment/PKU-SafeRLHF", 0.2}}
	if diff := cmp.Diff(want, train.DatasetMixer); diff != "" || !train.UseBuffer || !train.UseSelective ||
		train.TorchDType != "" || train.Objective != "bfpo" || train.Beta != 0.01 || train.SaveTotalLimit != 1 ||
		!train.DoEval {
		t.Errorf("%s %+v", diff, train)
	}

	red, err := Load(nil, recipe, []string{"other_data_config=testdata/original/data/readteaming.yaml",
		"push_to_hub=false", "model_name_or_path=HuggingFaceH4/zephyr-7b-beta", "save_total_limit=10"})
	if err != nil {
		t.Fatal(err)
	}
	data, _ := filepath.Abs("testdata/original/data/data/zephyr-7b-beta_beaver_redteaming.json")
	if diff := cmp.Diff(Mixer{{data, 1}}, red.DatasetMixer); diff != "" || red.UseBuffer || red.SaveTotalLimit != 10 {
		t.Errorf("%s %+v", diff, red)
	}
}

func TestOtherDataConfig(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"recipe.yaml": "other_data_config: data.yaml\nbeta: 0.3\nalpha: 0.3\nseed: 3\n",
		"data.yaml":   "beta: 0.4\nalpha: 0.4\nother_data_config: None\n",
		"more.yaml":   "beta: 0.6\n",
		"loop.yaml":   "other_data_config: recipe.yaml\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load(nil, filepath.Join(dir, "recipe.yaml"), []string{"alpha=0.5"})
	if err != nil || c.Seed != 3 || c.Beta != 0.4 || c.Alpha != 0.5 {
		t.Errorf("%v seed %d beta %v alpha %v", err, c.Seed, c.Beta, c.Alpha)
	}
	c, err = Load(nil, filepath.Join(dir, "recipe.yaml"), []string{"other_data_config=" + filepath.Join(dir, "more.yaml")})
	if err != nil || c.Beta != 0.6 || c.Alpha != 0.3 {
		t.Errorf("%v beta %v alpha %v", err, c.Beta, c.Alpha)
	}
	c, err = Load(nil, filepath.Join(dir, "recipe.yaml"), []string{"other_data_config=null"})
	if err != nil || c.Beta != 0.3 {
		t.Errorf("%v beta %v", err, c.Beta)
	}
	_, err = Load(nil, filepath.Join(dir, "loop.yaml"), nil)
	if err == nil || !strings.Contains(err.Error(), "cannot name a third") {
		t.Errorf("%v", err)
	}
}

func TestLocalNames(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "org", "set"), 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "recipe.yaml")
	text := "model_name_or_path: org/set\n" +
		"dataset_mixer: {org/set: 1, org/other: 1, quickstart/sft: 1, ./x: 1, y.jsonl.zst: 1}\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Load(nil, path, []string{"platform=./plugin.so", "model_revision=v1"})
	here, _ := filepath.Abs(".")
	local := filepath.Join(dir, "org/set")
	want := Mixer{{local, 1}, {"org/other", 1}, {"quickstart/sft", 1}, {filepath.Join(dir, "x"), 1},
		{filepath.Join(dir, "y.jsonl.zst"), 1}}
	if diff := cmp.Diff(want, c.DatasetMixer); err != nil || diff != "" || c.Model != local ||
		c.Platform != filepath.Join(here, "plugin.so") {
		t.Error(err, diff, c.Model, c.Platform)
	}

	text = "model_name_or_path: tiny\ndataset_mixer: {testdata/original: 1, x.jsonl: 1}\n"
	builtin := fstest.MapFS{"r.yaml": {Data: []byte(text)}}
	c, err = Load(builtin, "r", nil)
	want = Mixer{{"testdata/original", 1}, {filepath.Join(here, "x.jsonl"), 1}}
	if diff := cmp.Diff(want, c.DatasetMixer); err != nil || diff != "" || c.Model != "tiny" {
		t.Error(err, diff, c.Model)
	}

	// As in the original code, names may be relative to the working directory.
	c, err = Load(nil, recipeFile(t, "dataset_mixer: {recipe_test.go: 1, testdata/original: 1}\n"), nil)
	if err != nil || c.DatasetMixer[0].Name != "recipe_test.go" && len(c.Notices) != 2 {
		t.Error(err, c.DatasetMixer, c.Notices)
	}
	c, err = Load(nil, "", []string{"model_name_or_path=org/m", "model_revision=v1"})
	if err != nil || c.Model != "org/m@v1" {
		t.Error(err, c.Model)
	}
}

func TestRecipeNames(t *testing.T) {
	builtin := fstest.MapFS{
		"quickstart.yaml": {Data: []byte("beta: 0.2\n")},
		"a/b.yaml":        {Data: []byte("beta: 2\nx: 1\n")},
	}
	if c, err := Load(builtin, "quickstart", nil); err != nil || c.Beta != 0.2 {
		t.Error(err, c.Beta)
	}
	for name, want := range map[string]string{
		"quikstart":      "neither a file nor one of a/b or quickstart; did you mean quickstart?",
		"quickstart.yml": "recipe quickstart.yml: open quickstart.yml",
		"a/b":            "a/b.yaml:2: x: unknown key",
		"../x":           "neither a file nor",
	} {
		if _, err := Load(builtin, name, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

func TestObjectiveOfStage(t *testing.T) {
	for _, test := range []struct {
		sets       []string
		kind, want string // want "": refused
	}{
		{nil, "sft", "sft"},
		{nil, "train", "bfpo"},
		{[]string{"objective=ipo"}, "train", "ipo"},
		{[]string{"objective=ipo"}, "sft", ""},
		{[]string{"objective=sft"}, "train", ""},
		{[]string{"loss_type=sigmoid"}, "train", "dpo"},
		{[]string{"loss_type=sigmoid"}, "sft", ""},
	} {
		c, err := Load(nil, "", append(test.sets, "dataset_mixer=quickstart/sft"))
		if err == nil {
			c, err = c.ForStage(test.kind)
		}
		if c.Objective != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%v as %s: %s, %v", test.sets, test.kind, c.Objective, err)
		}
	}
}

func FuzzRecipe(f *testing.F) {
	f.Add("beta: 1\ndataset_mixer: {a: 1}\n", "learning_rate=1e-5")
	f.Add("stages: [{sft: {dataset_mixer: {quickstart/sft: 1.0}}}, {eval: {prompts: quickstart/prompts}}]", "max_steps=3")
	f.Add("a: &a [*a]\nselected_layers: *a\n<<: *a\n", "report_to=[none, wandb]")
	f.Add("? {a: b}\n: c\n!!int x: !!binary y\n", "x=!!float z")
	f.Add("dtype: bfloat16\ndataset_name: org/set\nloss_type: [sigmoid]\nchat_template: chatml\n", "lr=1")
	f.Add("chat_template: '{{ x }}'\naccelerator_config: {split_batches: false, a: {b: c}}\n", "warmup_steps=0.1")
	f.Add("? [a]\n: b\ndataset_mixer: &m {a: 1}\neval_dataset_mixer: *m\n", "max_steps=9e18")
	f.Fuzz(func(t *testing.T, text, set string) {
		if len(text)+len(set) > 1<<16 {
			t.Skip() // the bounds below are for short texts
		}
		fuzztest.Bounded(t, len(text)+len(set), 10*time.Second, func() {
			c, err := Load(fstest.MapFS{"r.yaml": {Data: []byte(text)}}, "r", []string{set})
			if err != nil {
				if _, usage := errors.AsType[*usage.Error](err); !usage {
					t.Fatalf("%v is no usage error", err)
				}
				return
			}
			out, err := c.YAML()
			if err != nil {
				t.Fatal(err)
			}
			again, err := Load(fstest.MapFS{"r.yaml": {Data: out}}, "r", nil)
			if diff := cmp.Diff(c, again, ignoreOrigins()); err != nil || diff != "" {
				t.Fatalf("%v\n%s\n%s", err, out, diff)
			}
		})
	})
}

// Of a recipe with very many unknown keys the first are named, without a search for the nearest of each.
func TestManyUnknownKeys(t *testing.T) {
	var text strings.Builder
	for i := range 200_000 {
		fmt.Fprintf(&text, "k%d: 1\n", i)
	}
	started := time.Now()
	_, err := Load(fstest.MapFS{"many.yaml": {Data: []byte(text.String())}}, "many", nil)
	if err == nil || !strings.Contains(err.Error(), "many.yaml:20: k19: unknown key\n") ||
		!strings.HasSuffix(err.Error(), "many.yaml:21: what follows has not been checked") {
		t.Errorf("%.2000v", err)
	}
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}
