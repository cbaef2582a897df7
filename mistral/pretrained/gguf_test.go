package pretrained

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	ggml "github.com/gomlx/go-huggingface/models/gguf"

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
	reversed := slices.Clone(tensors) // with the descriptions in another order than the data
	size := int64(0)
	for i := range reversed {
		reversed[i].offset = size
		size += (int64(len(reversed[i].data)) + 31) / 32 * 32
	}
	file := encodeGGUF(meta, tensors)
	slices.Reverse(reversed)
	reversedFile := encodeGGUF(meta, reversed)
	copy(reversedFile[len(reversedFile)-int(size):], file[len(file)-int(size):])
	for name, data := range map[string][]byte{"in order": file, "reversed descriptions": reversedFile} {
		t.Run(name, func(t *testing.T) {
			c, err := openGGUFBytes(t, data)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.CheckTensors(); err != nil {
				t.Fatal(err)
			}
			checkSmallGGUF(t, c)
		})
	}
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
		{"rope scaling", func(m meta, ts []ggufTensor) { m["llama.rope.scaling.type"] = "yarn" }, "llama.rope.scaling.type"},
		{"no heads", func(m meta, ts []ggufTensor) { delete(m, "llama.attention.head_count") }, "head_count"},
		{"wrong type", func(m meta, ts []ggufTensor) { m["llama.block_count"] = "1" }, "llama.block_count"},
		{"token outside", func(m meta, ts []ggufTensor) { m["tokenizer.ggml.bos_token_id"] = 5 }, "bos_token_id"},
		{"bias", func(m meta, ts []ggufTensor) { ts[1].name = "blk.0.attn_q.bias" }, "attn_q.bias"},
		{"rope factors", func(m meta, ts []ggufTensor) { ts[1].name = "rope_freqs.weight" }, "rope_freqs"},
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
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "m.gguf")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
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
	})
}
