package pretrained

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	ggml "github.com/gomlx/go-huggingface/models/gguf"

	"github.com/bfpo-go/bfpo/graph/fuzztest"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// openGGUFBytes writes data to a file and opens it as a model.
func openGGUFBytes(t testing.TB, data []byte) (*Model, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Open(path)
	if err == nil {
		t.Cleanup(func() { c.Close() })
	} else if !strings.Contains(err.Error(), path) {
		t.Errorf("the error does not name the file: %v", err)
	}
	return c, err
}

func TestGGUF(t *testing.T) {
	meta, tensors := smallGGUF()
	c, err := openGGUFBytes(t, encodeGGUF(meta, tensors))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckTensors(); err != nil {
		t.Fatal(err)
	}
	checkSmallGGUF(t, c)
}

// checkSmallGGUF checks the config and some tensors of smallGGUF.
func checkSmallGGUF(t *testing.T, c *Model) {
	if c.Config.RopeTheta != 5000 || c.Config.HeadDim != 4 || !c.Config.TieWordEmbeddings || c.Config.VocabSize != 5 ||
		c.Config.PadTokenID != -1 {
		t.Errorf("config %+v", c.Config)
	}
	// Rows 0 1 2 3 of a head are stored as 0 2 1 3, with the halves (0, 1) and (2, 3) interleaved.
	for name, order := range map[string][]float32{
		config.QProj: {0, 2, 1, 3, 4, 6, 5, 7}, config.KProj: {0, 2, 1, 3}, config.VProj: {0, 1, 2, 3},
	} {
		got, err := c.Tensor(config.LayerTensorName(0, name))
		if err != nil {
			t.Fatal(err)
		}
		for row, from := range order {
			if first := loadFloat32(got.Bytes[row*32:]); first != from*8 {
				t.Errorf("%s: row %d starts with %g, want %g", name, row, first, from*8)
			}
		}
	}
	down, err := c.Tensor(config.LayerTensorName(0, config.DownProj))
	if err != nil || down.DType != dtypes.Float32 || !slices.Equal(down.Dims, []int{8, 32}) ||
		loadFloat32(down.Bytes[4*(7*32+31):]) != 15.5 {
		t.Errorf("down_proj: %v %v %v", down.DType, down.Dims, err)
	}
}

func TestGGUFFiles(t *testing.T) {
	meta, tensors := smallGGUF()
	c, err := openGGUFBytes(t, encodeGGUF(meta, tensors))
	if err != nil {
		t.Fatal(err)
	}
	names, err := c.FileNames()
	if err != nil || !slices.Equal(names, allFiles()) {
		t.Errorf("files %v, %v", names, err)
	}
	for name, want := range map[string][]string{
		config.TokenizerFile: {`"type": "Digits"`, `"individual_digits": true`, `"ab": 4`, `"a b"`, `"special": true`,
			`"post_processor": null`},
		config.TokenizerConfigFile: {`"chat_template": "{{ messages }}"`, `"bos_token": "<s>"`, `"pad_token": null`,
			`"add_bos_token": false`},
		config.GenerationConfigFile: {`"eos_token_id": 1`, `"bos_token_id": 0`, `"pad_token_id": null`},
		config.ChatTemplateFile:     {"{{ messages }}"},
	} {
		data, err := c.ReadFile(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, part := range want {
			if !strings.Contains(string(data), part) {
				t.Errorf("%s: no %s in\n%s", name, part, data)
			}
		}
	}
	if _, err := c.ReadFile("vocab.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
}

func TestGGUFPreTokenizers(t *testing.T) {
	for pre, want := range map[string]string{
		"absent": `{"type":"ByteLevel"`, "gpt-2": `{"type":"ByteLevel"`, "default": `{"type":"ByteLevel"`,
		"smollm":    `{"type":"Sequence","pretokenizers":[{"type":"Digits"`,
		"llama-bpe": `{"type":"Sequence","pretokenizers":[{"type":"Split"`,
		"tekken":    `{"type":"Sequence","pretokenizers":[{"type":"Split"`, "unheard-of": "",
	} {
		meta, tensors := smallGGUF()
		if meta["tokenizer.ggml.pre"] = pre; pre == "absent" {
			delete(meta, "tokenizer.ggml.pre")
		}
		c, err := openGGUFBytes(t, encodeGGUF(meta, tensors))
		if err != nil {
			t.Fatal(err)
		}
		data, err := c.ReadFile(config.TokenizerFile)
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), pre) {
				t.Errorf("%s: error %v", pre, err)
			}
			continue
		}
		var file struct {
			Pre struct {
				Type  string                  `json:"type"`
				Steps []struct{ Type string } `json:"pretokenizers"`
			} `json:"pre_tokenizer"`
		}
		if err != nil || json.Unmarshal(data, &file) != nil {
			t.Fatal(pre, err)
		}
		got := `{"type":"` + file.Pre.Type + `"`
		if len(file.Pre.Steps) > 0 {
			got += `,"pretokenizers":[{"type":"` + file.Pre.Steps[0].Type + `"`
		}
		if got != want {
			t.Errorf("%s: %s, want %s", pre, got, want)
		}
	}
}

func TestGGUFErrors(t *testing.T) {
	type meta = map[string]any
	tests := []struct {
		name   string
		change func(m meta, ts []ggufTensor)
		want   string
	}{
		{"architecture", func(m meta, ts []ggufTensor) { m["general.architecture"] = "qwen2" }, "qwen2"},
		{"experts", func(m meta, ts []ggufTensor) { m["llama.expert_count"] = 8 }, "llama.expert_count"},
		{"rope scaling", func(m meta, ts []ggufTensor) { m["llama.rope.scaling.type"] = "longrope" },
			"llama.rope.scaling.type"},
		{"no heads", func(m meta, ts []ggufTensor) { delete(m, "llama.attention.head_count") }, "head_count"},
		{"wrong type", func(m meta, ts []ggufTensor) { m["llama.block_count"] = "1" }, "llama.block_count"},
		{"token outside", func(m meta, ts []ggufTensor) { m["tokenizer.ggml.bos_token_id"] = 5 }, "bos_token_id"},
		{"bias", func(m meta, ts []ggufTensor) { ts[1].name = "blk.0.attn_q.bias" }, "attn_q.bias"},
		{"rope factors", func(m meta, ts []ggufTensor) { ts[1].name = "rope_freqs.weight" },
			"rope_freqs.weight: Float32 [8], want"},
		{"factors and scaling", func(m meta, ts []ggufTensor) {
			ts[1] = ggufTensor{"rope_freqs.weight", []uint64{2}, ggml.TensorTypeF32, float32Bytes(1, 3), -1}
			m["llama.rope.scaling.factor"] = 2.0
		}, "llama.rope.scaling.type: linear together with"},
		{"a factor of 0", func(m meta, ts []ggufTensor) {
			ts[1] = ggufTensor{"rope_freqs.weight", []uint64{2}, ggml.TensorTypeF32, float32Bytes(1, 0), -1}
		}, "factor 1 is 0"},
		{"NaN", func(m meta, ts []ggufTensor) { m["llama.rope.freq_base"] = math.NaN() },
			"llama.rope.freq_base: NaN is no number"},
		{"attention factor", func(m meta, ts []ggufTensor) { m["llama.rope.scaling.attn_factor"] = 1.5 }, "attn_factor"},
		{"blend", func(m meta, ts []ggufTensor) { m["llama.rope.scaling.yarn_ext_factor"] = 0.5 }, "yarn_ext_factor"},
		{"yarn blend", func(m meta, ts []ggufTensor) {
			m["llama.rope.scaling.type"], m["llama.rope.scaling.yarn_ext_factor"] = "yarn", 0.5
		}, "yarn_ext_factor"},
		{"window", func(m meta, ts []ggufTensor) { m["llama.attention.sliding_window"] = 32 }, "sliding_window"},
		{"not causal", func(m meta, ts []ggufTensor) { m["llama.attention.causal"] = false }, "attention.causal"},
		{"pooling", func(m meta, ts []ggufTensor) { m["llama.pooling_type"] = 1 }, "pooling_type"},
		{"scale", func(m meta, ts []ggufTensor) { m["llama.attention.scale"] = 0.25 }, "llama.attention.scale"},
		{"logit scale", func(m meta, ts []ggufTensor) { m["llama.logit_scale"] = 4.0 }, "llama.logit_scale"},
		{"softcap", func(m meta, ts []ggufTensor) { m["llama.final_logit_softcapping"] = 30.0 }, "softcapping"},
		{"unknown key", func(m meta, ts []ggufTensor) { m["llama.attention.new_trick"] = 1 }, "attention.new_trick"},
		{"heads by layer", func(m meta, ts []ggufTensor) { m["llama.attention.head_count"] = []int32{2} }, "head_count"},
		{"value width", func(m meta, ts []ggufTensor) { m["llama.attention.value_length"] = 8 }, "value width 8"},
		{"partial rotation", func(m meta, ts []ggufTensor) {
			m["llama.attention.key_length"], m["llama.rope.dimension_count"] = 4, 2
		}, "rotary width 2"},
		{"adapter", func(m meta, ts []ggufTensor) { m["general.type"] = "adapter" }, "general.type"},
		{"split", func(m meta, ts []ggufTensor) { m["split.count"] = 2 }, "split.count"},
		{"alignment 0", func(m meta, ts []ggufTensor) { m["general.alignment"] = 0 }, "general.alignment: 0"},
		{"alignment of a wrong type", func(m meta, ts []ggufTensor) { m["general.alignment"] = "32" }, "general.alignment"},
		{"misaligned", func(m meta, ts []ggufTensor) { ts[1].offset = 164 }, "starts at 164, want 160"},
		{"hole", func(m meta, ts []ggufTensor) { ts[1].offset = 192 }, "want 160"},
		{"another order", func(m meta, ts []ggufTensor) { ts[0].offset, ts[1].offset = 192, 0 }, "holes are not allowed"},
		{"long name", func(m meta, ts []ggufTensor) { ts[1].name = strings.Repeat("n", 64) }, "64 bytes (at most 63)"},
		{"five dimensions", func(m meta, ts []ggufTensor) { ts[1].dims = []uint64{8, 1, 1, 1, 1} }, "5 dimensions"},
		{"no elements", func(m meta, ts []ggufTensor) { ts[1].dims = []uint64{8, 0} }, "no elements"},
		{"tensor twice", func(m meta, ts []ggufTensor) { ts[1].name = ts[6].name }, "appears twice"},
		{"outside", func(m meta, ts []ggufTensor) { ts[10].offset = 1 << 40 }, "beyond the end"},
		{"overlap", func(m meta, ts []ggufTensor) { ts[10].offset = 32 }, "overlaps"},
		{"type", func(m meta, ts []ggufTensor) { ts[0].kind = ggml.TensorTypeIQ2_S }, "token_embd.weight: type"},
		{"blocks", func(m meta, ts []ggufTensor) { ts[9].dims[0] = 33 }, "blocks of 32"},
		{"overflow", func(m meta, ts []ggufTensor) { ts[2].dims = []uint64{1 << 40, 1 << 40} }, "too large"},
		{"alignment", func(m meta, ts []ggufTensor) { m["general.alignment"] = 33 }, "alignment"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, ts := smallGGUF()
			test.change(m, ts)
			_, err := openGGUFBytes(t, encodeGGUF(m, ts))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

// TestGGUFScaling has metadata that llama.cpp takes for the scalings of config.json.
func TestGGUFScaling(t *testing.T) {
	type meta = map[string]any
	const at = "llama.rope.scaling."
	llama3 := config.RopeScaling{Type: "llama3", Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4, OriginalMaxPosition: 8192}
	tests := []struct {
		name    string
		change  meta
		factors []float32
		want    config.RopeScaling
		left    []float32 // of the factors
	}{
		{name: "none", change: meta{at + "type": "none", at + "factor": 4.0}},
		{name: "factor alone", change: meta{at + "factor": 4.0}, want: config.RopeScaling{Type: "linear", Factor: 4}},
		{name: "older key", change: meta{"llama.rope.scale_linear": 2.0},
			want: config.RopeScaling{Type: "linear", Factor: 2}},
		{name: "factor 1", change: meta{at + "type": "linear", at + "factor": 1.0, at + "finetuned": false}},
		{name: "yarn", change: meta{at + "type": "yarn", at + "factor": 4.0, at + "original_context_length": 16},
			want: config.RopeScaling{Type: "yarn", Factor: 4, OriginalMaxPosition: 16, BetaFast: 32, BetaSlow: 1}},
		{name: "yarn attention", change: meta{at + "type": "yarn", at + "factor": 1.0, at + "attn_factor": 0.5},
			want: config.RopeScaling{Type: "yarn", Factor: 1, OriginalMaxPosition: 64, BetaFast: 32, BetaSlow: 1,
				AttentionFactor: 0.5}},
		{name: "neutral", change: meta{"llama.attention.causal": true, "llama.pooling_type": 0, "llama.expert_count": 0,
			"llama.attention.sliding_window": 64, "llama.attention.scale": 0.5, "llama.logit_scale": 1.0,
			"split.count": 1, "llama.vocab_size": 5, "general.type": "model", "general.quantization_version": 2,
			"general.alignment": 32}},
		{name: "factors of 1", factors: []float32{1, 1}},
		{name: "factors of Llama 3.1", factors: []float32{1, 1, 1, 1, 2.6945297, 8, 8, 8}, change: meta{
			"llama.attention.key_length": 16, "llama.attention.value_length": 16, "llama.rope.freq_base": 500000.0},
			want: llama3},
		{name: "other factors", factors: []float32{1, 3}, left: []float32{1, 3}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, ts := smallGGUF()
			maps.Copy(m, test.change)
			if test.factors != nil {
				ts = append(ts, ggufTensor{"rope_freqs.weight", []uint64{uint64(len(test.factors))}, ggml.TensorTypeF32,
					float32Bytes(test.factors...), -1})
			}
			for i, tensor := range ts { // wider heads need larger projections
				if width := 2 * len(test.factors); width > 4 && strings.Contains(tensor.name, "attn_") &&
					len(tensor.dims) == 2 {
					ts[i].dims[map[bool]int{true: 0, false: 1}[strings.Contains(tensor.name, "output")]] *= uint64(width / 4)
					n := int(ts[i].dims[0] * ts[i].dims[1])
					ts[i].data = float32Bytes(countingUp(n)...)
				}
			}
			c, err := openGGUFBytes(t, encodeGGUF(m, ts))
			if err != nil {
				t.Fatal(err)
			}
			if err := c.CheckTensors(); err != nil {
				t.Error(err)
			}
			if c.Config.RopeScaling != test.want || !slices.Equal(c.Config.RopeFactors, test.left) {
				t.Errorf("scaling %+v, factors %v; want %+v, %v", c.Config.RopeScaling, c.Config.RopeFactors, test.want,
					test.left)
			}
			if err := c.CheckExport(); (err != nil) != (test.left != nil) {
				t.Errorf("export: %v", err)
			}
		})
	}
}

// TestGGUFEndTokens checks that the tokens that end a turn and a message end an answer too.
func TestGGUFEndTokens(t *testing.T) {
	meta, tensors := smallGGUF()
	meta["tokenizer.ggml.eot_token_id"], meta["tokenizer.ggml.eom_token_id"] = 3, 4
	c, err := openGGUFBytes(t, encodeGGUF(meta, tensors))
	if err != nil {
		t.Fatal(err)
	}
	if ids := c.EndTokens(); !slices.Equal(ids, []int32{1, 3, 4}) {
		t.Errorf("end tokens %v, want 1, 3 and 4", ids)
	}
}

// TestGGUFTruncated truncates a valid file at every seventh length, up to the last tensor's data.
func TestGGUFTruncated(t *testing.T) {
	meta, tensors := smallGGUF()
	whole := encodeGGUF(meta, tensors)
	path := filepath.Join(t.TempDir(), "m.gguf")
	for n := 0; n < len(whole)-8*4; n += 7 {
		if err := os.WriteFile(path, whole[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		if c, err := Open(path); err == nil {
			c.Close()
			t.Fatalf("%d of %d bytes are accepted", n, len(whole))
		}
	}
}

// TestGGUFFalseCounts checks that a count of very many values is refused before memory is allocated for them.
func TestGGUFFalseCounts(t *testing.T) {
	meta, tensors := smallGGUF()
	whole := encodeGGUF(meta, tensors)
	for _, key := range []string{"tokenizer.ggml.tokens", "tokenizer.ggml.token_type"} {
		damaged := slices.Clone(whole)
		at := bytes.Index(damaged, []byte(key)) + len(key) + 8
		binary.LittleEndian.PutUint64(damaged[at:], 1<<24)
		if _, err := openGGUFBytes(t, damaged); err == nil || !strings.Contains(err.Error(), "beyond the end of the file") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func FuzzGGUF(f *testing.F) {
	meta, tensors := smallGGUF()
	f.Add(encodeGGUF(meta, tensors))
	meta["llama.rope.scaling.type"], meta["llama.rope.scaling.factor"] = "yarn", 4.0
	meta["tokenizer.ggml.model"], meta["tokenizer.ggml.scores"] = "llama", []float32{0, 0, 1, 2, 3}
	meta["tokenizer.ggml.eot_token_id"], meta["llama.attention.causal"], meta["general.alignment"] = 1, true, 32
	f.Add(encodeGGUF(meta, tensors))
	meta["llama.rope.scaling.type"] = "none"
	f.Add(encodeGGUF(meta, append(tensors, ggufTensor{"rope_freqs.weight", []uint64{2}, ggml.TensorTypeF32,
		float32Bytes(1, 3), -1})))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "m.gguf")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		fuzztest.Bounded(t, len(data), 10*time.Second, func() { readGGUF(t, path) })
	})
}

// readGGUF reads everything in a file that Open accepts.
func readGGUF(t *testing.T, path string) {
	c, err := Open(path)
	if err != nil {
		return
	}
	defer c.Close()
	names, _ := c.FileNames()
	for _, name := range names {
		c.ReadFile(name)
	}
	if c.CheckTensors() != nil {
		return
	}
	for _, spec := range c.Config.Tensors() {
		if _, err := c.Tensor(spec.Name); err != nil {
			t.Fatal(err)
		}
	}
}
