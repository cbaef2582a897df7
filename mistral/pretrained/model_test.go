package pretrained

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// openModel opens a model and closes it at the end of the test.
func openModel(t testing.TB, path string) *Model {
	t.Helper()
	c, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestTinyWeights pins the bits of the built-in model's weights.
func TestTinyWeights(t *testing.T) {
	c := openModel(t, Tiny)
	if err := c.CheckTensors(); err != nil {
		t.Fatal(err)
	}
	digest := sha256.New()
	for _, spec := range c.Config.Tensors() {
		tensor, err := c.Tensor(spec.Name)
		if err != nil {
			t.Fatal(err)
		}
		digest.Write(tensor.Bytes)
	}
	const want = "2d3688cec37979f8f672ec6bc3be5d6cb97052452630901c7de0c69c14e48179"
	if got := hex.EncodeToString(digest.Sum(nil)); got != want {
		t.Errorf("weights have SHA-256 %s, want %s", got, want)
	}
	if n := c.Config.Parameters(); n != 151_872 {
		t.Errorf("%d parameters, want 151872", n)
	}
}

// TestTinyFiles checks that the tokenizer and the config of the built-in model agree.
func TestTinyFiles(t *testing.T) {
	c := openModel(t, Tiny)
	data, err := c.ReadFile(config.TokenizerFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Model struct {
			Vocab  map[string]int
			Merges []string
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	ids := slices.Sorted(maps.Values(file.Model.Vocab))
	if len(ids) > c.Config.VocabSize || len(ids) != 512 || ids[511] != 511 {
		t.Errorf("%d ids, %v", len(ids), err)
	}
	for i, merge := range file.Model.Merges {
		left, right, _ := strings.Cut(merge, " ")
		if id := file.Model.Vocab[left+right]; id != 6+256+i {
			t.Errorf("merge %d (%s) makes token %d", i, merge, id)
		}
	}
	if _, err := c.ReadFile("vocab.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
}

// TestOpenSharded opens a folder with two weight files.
func TestOpenSharded(t *testing.T) {
	c := openModel(t, fixture.Mistral(t))
	if err := c.CheckTensors(); err != nil {
		t.Fatal(err)
	}
	if c.Config.SlidingWindow != 4096 || c.Config.NumHiddenLayers != 3 || c.Config.DType != "float32" {
		t.Errorf("config %+v", c.Config)
	}
	names, err := c.FileNames()
	if err != nil || !slices.Contains(names, "tokenizer.model") || slices.Contains(names, indexFile) {
		t.Errorf("files %v, %v", names, err)
	}
}

// tinyFolder exports the built-in model to a folder that the test may damage.
func tinyFolder(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	if err := Export(dir, openModel(t, Tiny), nil, dtypes.Float32); err != nil {
		t.Fatal(err)
	}
	return dir
}

// rewriteWeights replaces the weights of a folder by the results of change for each tensor of the built-in model.
func rewriteWeights(t *testing.T, dir string, change func(safetensors.Source) []safetensors.Source) {
	t.Helper()
	c := openModel(t, Tiny)
	sources, err := tensorSources(c, nil, dtypes.Float32)
	if err != nil {
		t.Fatal(err)
	}
	var changed []safetensors.Source
	for _, s := range sources {
		changed = append(changed, change(s)...)
	}
	if err := safetensors.Write(filepath.Join(dir, weightsFile), nil, changed); err != nil {
		t.Fatal(err)
	}
}

func TestCheckTensors(t *testing.T) {
	const name = "model.layers.1.mlp.up_proj.weight"
	replace := func(change func(safetensors.Source) []safetensors.Source) func(safetensors.Source) []safetensors.Source {
		return func(s safetensors.Source) []safetensors.Source {
			if s.Name == name {
				return change(s)
			}
			return []safetensors.Source{s}
		}
	}
	tests := []struct {
		name   string
		change func(safetensors.Source) []safetensors.Source
		want   string // in the error; "" = accepted
	}{
		{"missing", replace(func(safetensors.Source) []safetensors.Source { return nil }), "is missing"},
		{"transposed", replace(func(s safetensors.Source) []safetensors.Source {
			s.Dims = []int{64, 160}
			return []safetensors.Source{s}
		}), "has shape [64 160], the config asks for [160 64]"},
		{"integers", replace(func(s safetensors.Source) []safetensors.Source {
			s.DType = dtypes.Int32
			return []safetensors.Source{s}
		}), "dtype"},
		{"bias", replace(func(s safetensors.Source) []safetensors.Source {
			bias := s
			bias.Name = strings.Replace(name, "weight", "bias", 1)
			return []safetensors.Source{s, bias}
		}), "is not part of"},
		{"value head and rotary table", replace(func(s safetensors.Source) []safetensors.Source {
			a, b := s, s
			a.Name, b.Name = "v_head.summary.weight", "model.layers.0.self_attn.rotary_emb.inv_freq"
			return []safetensors.Source{s, a, b}
		}), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := tinyFolder(t)
			rewriteWeights(t, dir, test.change)
			err := openModel(t, dir).CheckTensors()
			if test.want == "" && err == nil {
				return
			}
			if err == nil || !strings.Contains(err.Error(), "model.layers.1.mlp.up_proj") ||
				!strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestOpenErrors(t *testing.T) {
	tests := []struct {
		name   string
		damage func(dir string) error
		want   string
	}{
		{"no config", func(dir string) error {
			return os.Remove(filepath.Join(dir, config.ConfigFile))
		}, "not a Hugging Face model folder"},
		{"damaged config", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, config.ConfigFile), []byte("{"), 0o644)
		}, "config.json"},
		{"no weights", func(dir string) error {
			return os.Remove(filepath.Join(dir, weightsFile))
		}, "neither model.safetensors nor"},
		{"truncated weights", func(dir string) error {
			return os.Truncate(filepath.Join(dir, weightsFile), 100_000)
		}, "truncated"},
		{"index leads out of the folder", func(dir string) error {
			os.Remove(filepath.Join(dir, weightsFile))
			return os.WriteFile(filepath.Join(dir, indexFile), []byte(`{"weight_map":{"w":"../x.safetensors"}}`), 0o644)
		}, "not the name of a weight file"},
		{"index names an absent tensor", func(dir string) error {
			os.Rename(filepath.Join(dir, weightsFile), filepath.Join(dir, "a.safetensors"))
			return os.WriteFile(filepath.Join(dir, indexFile), []byte(`{"weight_map":{"w":"a.safetensors"}}`), 0o644)
		}, "no tensor w"},
		{"index names an absent file", func(dir string) error {
			os.Remove(filepath.Join(dir, weightsFile))
			return os.WriteFile(filepath.Join(dir, indexFile), []byte(`{"weight_map":{"w":"a.safetensors"}}`), 0o644)
		}, "a.safetensors"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := tinyFolder(t)
			if err := test.damage(dir); err != nil {
				t.Fatal(err)
			}
			_, err := Open(dir)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("error %v, want one with the folder and %q", err, test.want)
			}
		})
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "absent"), "model_test.go"} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestChatTemplate(t *testing.T) {
	dir := tinyFolder(t)
	c := openModel(t, dir)
	c.SetChatTemplate("{{ 'new' }}")
	out := filepath.Join(t.TempDir(), "out")
	if err := Export(out, c, nil, dtypes.BFloat16); err != nil {
		t.Fatal(err)
	}
	reopened := openModel(t, out)
	if template, err := reopened.ReadFile(config.ChatTemplateFile); err != nil || string(template) != "{{ 'new' }}" {
		t.Errorf("%s, %v", template, err)
	}
	text, err := reopened.ReadFile(config.TokenizerConfigFile)
	if err != nil || !strings.Contains(string(text), `"chat_template": "{{ 'new' }}"`) ||
		!strings.Contains(string(text), `"eos_token": "</s>"`) {
		t.Errorf("%s, %v", text, err)
	}
	for text, want := range map[string]string{
		`{}`: "", `{"chat_template": null}`: "", `{"chat_template": "x"}`: "x",
		`{"chat_template": [{"name": "tool", "template": "t"}, {"name": "default", "template": "d"}]}`: "d",
	} {
		os.Remove(filepath.Join(dir, config.ChatTemplateFile))
		if err := os.WriteFile(filepath.Join(dir, config.TokenizerConfigFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := openModel(t, dir).chatTemplate(); got != want || err != nil {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}

// TestEOSToken replaces the EOS token in the files of a folder and of its export, which has all tokenizer files.
func TestEOSToken(t *testing.T) {
	dir := tinyFolder(t)
	for name, text := range map[string]string{
		config.SpecialTokensFile: `{"bos_token": "<s>", "eos_token": {"content": "</s>"}}`,
		"tekken.json":            `{}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := openModel(t, dir)
	c.SetEOSToken("<|im_end|>")
	out := filepath.Join(t.TempDir(), "out")
	if err := Export(out, c, nil, dtypes.BFloat16); err != nil {
		t.Fatal(err)
	}
	for _, model := range []*Model{c, openModel(t, out)} {
		for name, want := range map[string]string{
			config.SpecialTokensFile: `"bos_token": "<s>"`, config.TokenizerConfigFile: `"chat_template"`,
		} {
			text, err := model.ReadFile(name)
			if err != nil || !strings.Contains(string(text), `"eos_token": "<|im_end|>"`) ||
				!strings.Contains(string(text), want) {
				t.Errorf("%s of %s: %s, %v", name, model.Path, text, err)
			}
		}
	}
	if text, err := openModel(t, out).ReadFile("tekken.json"); err != nil || string(text) != "{}" {
		t.Errorf("tekken.json: %s, %v", text, err)
	}
}
