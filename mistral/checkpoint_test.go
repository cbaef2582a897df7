package mistral

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

	"github.com/bfpo-go/bfpo/internal/fixture"
)

// open opens a checkpoint for the length of a test.
func open(t testing.TB, path string) *Checkpoint {
	t.Helper()
	c, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestTinyWeights pins the bits of the built-in model.
func TestTinyWeights(t *testing.T) {
	c := open(t, Tiny)
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
		t.Errorf("%d parameters", n)
	}
}

// TestTinyFiles checks that tokenizer and config belong together.
func TestTinyFiles(t *testing.T) {
	c := open(t, Tiny)
	data, err := c.ReadFile(tokenizerFile)
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
	if err := CheckVocabulary(c.Config, len(ids)); err != nil || len(ids) != 512 || ids[511] != 511 {
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

// TestOpenSharded opens the reference checkpoint, which has two weight files.
func TestOpenSharded(t *testing.T) {
	c := open(t, fixture.Mistral(t))
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

// tinyFolder exports the built-in model as a folder that a test may damage.
func tinyFolder(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	if err := Export(dir, open(t, Tiny), nil, dtypes.Float32); err != nil {
		t.Fatal(err)
	}
	return dir
}

// rewrite writes the weights of a folder again, as change gives them back.
func rewrite(t *testing.T, dir string, change func(TensorSource) []TensorSource) {
	t.Helper()
	c := open(t, Tiny)
	sources, err := exportSources(c, nil, dtypes.Float32)
	if err != nil {
		t.Fatal(err)
	}
	var changed []TensorSource
	for _, s := range sources {
		changed = append(changed, change(s)...)
	}
	if err := WriteSafetensors(filepath.Join(dir, weightsFile), nil, changed); err != nil {
		t.Fatal(err)
	}
}

func TestCheckTensors(t *testing.T) {
	const name = "model.layers.1.mlp.up_proj.weight"
	at := func(change func(TensorSource) []TensorSource) func(TensorSource) []TensorSource {
		return func(s TensorSource) []TensorSource {
			if s.Name == name {
				return change(s)
			}
			return []TensorSource{s}
		}
	}
	tests := []struct {
		name   string
		change func(TensorSource) []TensorSource
		want   string // after the tensor's name; "" = accepted
	}{
		{"missing", at(func(TensorSource) []TensorSource { return nil }), "is missing"},
		{"turned", at(func(s TensorSource) []TensorSource { s.Dims = []int{64, 160}; return []TensorSource{s} }), "has shape [64 160], the config wants [160 64]"},
		{"integers", at(func(s TensorSource) []TensorSource { s.DType = dtypes.Int32; return []TensorSource{s} }), "dtype"},
		{"bias", at(func(s TensorSource) []TensorSource {
			bias := s
			bias.Name = strings.Replace(name, "weight", "bias", 1)
			return []TensorSource{s, bias}
		}), "is not part of"},
		{"value head and rotary table", at(func(s TensorSource) []TensorSource {
			a, b := s, s
			a.Name, b.Name = "v_head.summary.weight", "model.layers.0.self_attn.rotary_emb.inv_freq"
			return []TensorSource{s, a, b}
		}), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := tinyFolder(t)
			rewrite(t, dir, test.change)
			err := open(t, dir).CheckTensors()
			if test.want == "" && err == nil {
				return
			}
			if err == nil || !strings.Contains(err.Error(), "model.layers.1.mlp.up_proj") || !strings.Contains(err.Error(), test.want) {
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
		{"no config", func(dir string) error { return os.Remove(filepath.Join(dir, configFile)) }, "not a Hugging Face model folder"},
		{"damaged config", func(dir string) error { return os.WriteFile(filepath.Join(dir, configFile), []byte("{"), 0o644) }, "config.json"},
		{"no weights", func(dir string) error { return os.Remove(filepath.Join(dir, weightsFile)) }, "neither model.safetensors nor"},
		{"truncated weights", func(dir string) error { return os.Truncate(filepath.Join(dir, weightsFile), 100_000) }, "truncated"},
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
			if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("error %v, want one with the folder and %q", err, test.want)
			}
		})
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "absent"), "checkpoint_test.go"} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestChatTemplate(t *testing.T) {
	dir := tinyFolder(t)
	c := open(t, dir)
	c.SetChatTemplate("{{ 'new' }}")
	out := filepath.Join(t.TempDir(), "out")
	if err := Export(out, c, nil, dtypes.BFloat16); err != nil {
		t.Fatal(err)
	}
	again := open(t, out)
	if template, err := again.ReadFile(templateFile); err != nil || string(template) != "{{ 'new' }}" {
		t.Errorf("%s, %v", template, err)
	}
	config, err := again.ReadFile(tokenizerConf)
	if err != nil || !strings.Contains(string(config), `"chat_template": "{{ 'new' }}"`) || !strings.Contains(string(config), `"eos_token": "</s>"`) {
		t.Errorf("%s, %v", config, err)
	}
	for config, want := range map[string]string{`{}`: "", `{"chat_template": null}`: "", `{"chat_template": "x"}`: "x",
		`{"chat_template": [{"name": "tool", "template": "t"}, {"name": "default", "template": "d"}]}`: "d"} {
		os.Remove(filepath.Join(dir, templateFile))
		if err := os.WriteFile(filepath.Join(dir, tokenizerConf), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := open(t, dir).chatTemplate(); got != want || err != nil {
			t.Errorf("%s: %q, %v", config, got, err)
		}
	}
}

// TestScoredMerges rebuilds the merges of Mistral's tokenizer from its vocabulary. Its scores fall with the id, but runs of blanks
// come last of all.
func TestScoredMerges(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(fixture.Mistral(t), "tokenizer.json"))
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
	v := &ggufVocabulary{tokens: make([]string, len(file.Model.Vocab)), scores: make([]float32, len(file.Model.Vocab))}
	for token, id := range file.Model.Vocab {
		v.tokens[id] = token
		if id > 258 { // behind the special tokens and the bytes
			v.scores[id] = float32(259 - id)
		}
		if strings.Trim(token, "▁") == "" {
			v.scores[id] = -1e9
		}
	}
	got := v.scoredMerges()
	if !slices.Equal(got, file.Model.Merges) {
		for i := range min(len(got), len(file.Model.Merges)) {
			if got[i] != file.Model.Merges[i] {
				t.Fatalf("%d merges, want %d; merge %d is %q, want %q", len(got), len(file.Model.Merges), i, got[i], file.Model.Merges[i])
			}
		}
		t.Fatalf("%d merges, want %d", len(got), len(file.Model.Merges))
	}
}
