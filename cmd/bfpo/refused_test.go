package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// refusal is a run that cannot begin.
type refusal struct {
	name  string
	args  []string
	code  int
	texts []string // in the message
}

// refused runs each case as `bfpo train -out=…` and checks that no output folder is left.
func refused(t *testing.T, cases []refusal) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			call(t, "", append([]string{"train", "-platform=go", "-out=" + out}, c.args...)...).wants(t, c.code, c.texts...)
			absent(t, out)
		})
	}
}

func TestRefusedRecipes(t *testing.T) {
	unknown, typed := writeRecipe(t, "lerning_rate: 1\n"), writeRecipe(t, "alpha:\n  - high\n")
	good := "-config=" + writeRecipe(t, "")
	refused(t, []refusal{
		{"unknown key", []string{"-config=" + unknown}, exitUsage, []string{unknown + ":17: lerning_rate", "learning_rate?"}},
		{"wrong type", []string{"-config=" + typed}, exitUsage, []string{typed + ":18: alpha: want a number, got a list"}},
		{"wrong type of a flag", []string{good, "-set=beta=high"}, exitUsage,
			[]string{"-set=beta=high: beta: want a number"}},
		{"no such file", []string{"-config=nowhere/recipe.yaml"}, exitUsage, []string{"nowhere/recipe.yaml"}},
		{"no such name", []string{"-config=tny"}, exitUsage, []string{"tny", "did you mean tiny?"}},
		{"set without a value", []string{good, "-set=beta"}, exitUsage, []string{"-set=beta", "key=value"}},
		{"unknown platform", []string{good, "-platform=nonsense"}, exitUsage, []string{
			`bfpo: -platform=nonsense: "nonsense" is unknown; want auto, cpu, cuda, go or the path`}},
		{
			"misspelled platform",
			[]string{good, "-platform=CUDA"},
			exitUsage,
			[]string{"-platform=CUDA: ", "did you mean cuda?"},
		},
		{
			"no data",
			nil,
			exitUsage,
			[]string{"dataset_mixer is missing: add dataset_mixer: {./safety.jsonl: 1.0}", "-config"},
		},
		{"two devices", []string{good, "-devices=2"}, exitUsage, []string{"-devices=2: 2, but the pure Go backend"}},
		{"no devices", []string{good, "-devices=0"}, exitUsage, []string{"-devices=0: must be at least 1"}},
		{"unbuilt key", []string{good, "-set=use_peft=true"}, exitUsage, []string{"use_peft", "not supported yet"}},
		{"pipeline as a stage", []string{"-config=tiny"}, exitUsage, []string{"bfpo run -config=tiny"}},
		{"unknown flag", []string{"-confg=x"}, exitUsage, []string{"-confg", "did you mean -config?"}},
		{"key as a flag", []string{good, "--learning_rate=1e-4"}, exitUsage, []string{"-set=learning_rate=VALUE"}},
		{"argument", []string{good, "more"}, exitUsage, []string{`"more"`}},
		{"rows longer than the model", []string{good, "-set=max_length=2049"}, exitUsage,
			[]string{"max_length: 2049", "max_position_embeddings, 2048"}},
		{"no layer of the name", []string{good, "-set=use_selective=true", "-set=selected_layers=down_prj"}, exitUsage,
			[]string{"selected_layers", "down_prj"}},
	})
}

func TestRefusedCommands(t *testing.T) {
	call(t, "", "tokenise").wants(t, exitUsage, `unknown command "tokenise"`, `did you mean "tokenize"`)
	call(t, "", "-nonsense").wants(t, exitUsage, "-nonsense")
	call(t, "", "export", "-model=tiny").wants(t, exitUsage, "-out=DIR")
	call(t, "", "export", "-model=tiny", "-set=eos_token=<s>", "-out="+t.TempDir()).wants(t, exitUsage,
		"eos_token: an export has the model's own")
	call(t, "", "export", "-model=tiny", "-adapter", "-out=x").wants(t, exitUsage,
		"flag provided but not defined: -adapter")
	call(t, "", "data", "-model=tiny", "-rows=-1").wants(t, exitUsage, "-rows=-1")
	call(t, "", "generate", "-model=tiny", "-max-tokens=0").wants(t, exitUsage, "-max-tokens=0")
	call(t, "", "generate", "-prompt=x").wants(t, exitUsage, "bfpo: no model: set model_name_or_path", "-model=")
	call(t, "How?\n", "generate", "-platform=go", "-model=tiny").wants(t, exitFailed,
		`standard input, line 1: not valid JSON: want JSON: {"messages": [{"role": "user", "content": "…"}]} `+
			`(with the chat template) or {"prompt": "…"} (without); for one text use -prompt`)
	call(t, "", "tokenize", "-model=nowhere").wants(t, exitUsage, "nowhere", "tiny")
	call(t, "", "tokenize", "-model=./nowhere").wants(t, exitFailed, "/nowhere: no such file")
	if gpus, _ := filepath.Glob("/dev/nvidia[0-9]*"); len(gpus) == 0 {
		call(t, "", "version", "-platform=cuda").wants(t, exitFailed, "no NVIDIA GPU", "/dev/nvidia")
	}
	call(t, "", "version", "-platform=/nowhere/plugin.so").wants(t, exitFailed, "/nowhere/plugin.so")
}

func TestRefusedData(t *testing.T) {
	dir := t.TempDir()
	row := `{"prompt": "Say a.", "chosen": "a", "rejected": "b"}`
	bad := write(t, filepath.Join(dir, "bad.jsonl"), row+"\n"+`{"prompt": "Say a.", "chosen": "a"}`+"\n")
	torn := write(t, filepath.Join(dir, "torn.jsonl"), row+"\n"+row[:30])
	one := write(t, filepath.Join(dir, "one.jsonl"), row+"\n")
	long := write(t, filepath.Join(dir, "long.jsonl"),
		strings.Replace(row, `"a"`, `"an answer of more than two tokens"`, 1)+"\n")
	good := "-config=" + writeRecipe(t, "")
	mixer := func(name string) string { return "-set=dataset_mixer={'" + name + "': 1.0}" }
	t.Setenv("HF_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("HF_HOME", dir)
	refused(t, []refusal{
		{"missing file", []string{good, mixer(dir + "/none.jsonl")}, exitFailed,
			[]string{"main set", "/none.jsonl: no such file"}},
		{"missing buffer file", []string{good, "-set=buffer_dataset_mixer={'" + dir + "/none.jsonl': 1.0}"}, exitFailed,
			[]string{"buffer set", "none.jsonl"}},
		{"row of no schema", []string{good, mixer(bad), "-set=bad_rows=refuse"}, exitFailed,
			[]string{"bad.jsonl, line 2", "chosen, prompt"}},
		{"torn row", []string{good, mixer(torn)}, exitFailed, []string{"torn.jsonl, line 2", "not a complete JSON object"}},
		{"nothing left", []string{good, mixer(long), "-set=max_length=4", "-set=max_prompt_length=2"}, exitFailed,
			[]string{"main set: no row is left", "long.jsonl", "1 dropped", "raise max_length"}},
		{"missing split", []string{good, mixer(one), "-set=dataset_splits=[train2]"}, exitFailed,
			[]string{"one.jsonl", "train2"}},
		{"hub without network", []string{good, mixer("org/set")}, exitFailed, []string{"org/set", "127.0.0.1:1"}},
		{"hub model without network", []string{good, "-model=org/model"}, exitFailed,
			[]string{"model org/model", "127.0.0.1:1"}},
	})
}

func TestRefusedSupervisedRows(t *testing.T) {
	ids := strings.TrimSuffix(strings.Repeat("7, ", 1100), ", ")
	file := write(t, filepath.Join(t.TempDir(), "packed.jsonl"), `{"input_ids": [`+ids+`]}`+"\n")
	out := filepath.Join(t.TempDir(), "out")
	call(t, "", "sft", "-platform=go", "-model=tiny", "-set=dataset_mixer={'"+file+"': 1}", "-set=dataset_splits=[train]",
		"-out="+out).
		wants(t, exitFailed, "packed.jsonl")
	absent(t, out)
}

func TestRefusedModels(t *testing.T) {
	good := "-config=" + writeRecipe(t, "")
	damaged := func(change func(dir string)) []string {
		dir := tinyFolder(t)
		change(dir)
		return []string{good, "-model=" + dir}
	}
	weights := func(dir string) string { return filepath.Join(dir, "model.safetensors") }
	const down = "model.layers.1.mlp.down_proj.weight"
	refused(t, []refusal{
		{"vocabulary", damaged(func(dir string) {
			config := string(read(t, filepath.Join(dir, "config.json")))
			write(t, filepath.Join(dir, "config.json"), strings.Replace(config, `"vocab_size": 512`, `"vocab_size": 400`, 1))
		}), exitFailed, []string{"512", "400", "embed_tokens"}},
		{"no config", damaged(func(dir string) { os.Remove(filepath.Join(dir, "config.json")) }), exitFailed,
			[]string{"config.json"}},
		{"no tokenizer", damaged(func(dir string) { os.Remove(filepath.Join(dir, "tokenizer.json")) }), exitFailed,
			[]string{"tokenizer.json"}},
		{"truncated weights", damaged(func(dir string) { write(t, weights(dir), string(read(t, weights(dir))[:200_000])) }),
			exitFailed, []string{"model.safetensors"}},
		{"header beyond the file", damaged(func(dir string) {
			data := read(t, weights(dir))
			data[3] = 0x7f
			write(t, weights(dir), string(data))
		}), exitFailed, []string{"model.safetensors", "header"}},
		{"lying offsets", damaged(func(dir string) {
			data := strings.Replace(string(read(t, weights(dir))), `"data_offsets":[0,`, `"data_offsets":[8,`, 1)
			write(t, weights(dir), data)
		}), exitFailed, []string{"model.safetensors"}},
		{"missing tensor", damaged(func(dir string) {
			rewriteWeights(t, dir, func(d *safetensors.Tensor) {
				if d.Name == down {
					d.Dims = nil
				}
			})
		}), exitFailed, []string{"tensor " + down + " is missing"}},
		{"misshapen tensor", damaged(func(dir string) {
			rewriteWeights(t, dir, func(d *safetensors.Tensor) {
				if d.Name == down {
					d.Dims[0], d.Dims[1] = d.Dims[1], d.Dims[0]
				}
			})
		}), exitFailed, []string{"tensor " + down + " has shape [160 64]", "[64 160]"}},
	})
}
