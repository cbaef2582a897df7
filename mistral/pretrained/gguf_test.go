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

// openGGUFBytes writes a file and opens it as a checkpoint.
func openGGUFBytes(t testing.TB, data []byte) (*Checkpoint, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Open(path)
	if err == nil {
		t.Cleanup(func() { c.Close() })
	} else if !strings.Contains(err.Error(), path) {
		t.Errorf("error does not name the file: %v", err)
	}
	return c, err
}

func TestGGUF(t *testing.T) {
	meta, parts := smallGGUF()
	backwards := slices.Clone(parts) // descriptions in another order than the data
	at := int64(0)
	for i := range backwards {
		backwards[i].at = at
		at += (int64(len(backwards[i].data)) + 31) / 32 * 32
	}
	file := ggufBytesOf(meta, parts)
	slices.Reverse(backwards)
	turned := ggufBytesOf(meta, backwards)
	copy(turned[len(turned)-int(at):], file[len(file)-int(at):])
	for name, data := range map[string][]byte{"in order": file, "descriptions turned round": turned} {
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

func checkSmallGGUF(t *testing.T, c *Checkpoint) {
	if c.Config.RopeTheta != 5000 || c.Config.HeadDim != 4 || !c.Config.TieWordEmbeddings || c.Config.VocabSize != 5 || c.Config.PadTokenID != -1 {
		t.Errorf("config %+v", c.Config)
	}
	// Rows 0 1 2 3 of a head are stored as 0 2 1 3: the halves (0, 1) and (2, 3) interleaved.
	for name, order := range map[string][]float32{config.QProj: {0, 2, 1, 3, 4, 6, 5, 7}, config.KProj: {0, 2, 1, 3}, config.VProj: {0, 1, 2, 3}} {
		got, err := c.Tensor(config.LayerTensor(0, name))
		if err != nil {
			t.Fatal(err)
		}
		for row, from := range order {
			if first := loadFloat32(got.Bytes[row*32:]); first != from*8 {
				t.Errorf("%s: row %d starts with %g, want %g", name, row, first, from*8)
			}
		}
	}
	down, err := c.Tensor(config.LayerTensor(0, config.DownProj))
	if err != nil || down.DType != dtypes.Float32 || !slices.Equal(down.Dims, []int{8, 32}) || loadFloat32(down.Bytes[4*(7*32+31):]) != 15.5 {
		t.Errorf("down_proj: %v %v %v", down.DType, down.Dims, err)
	}
}

func TestGGUFFiles(t *testing.T) {
	meta, parts := smallGGUF()
	c, err := openGGUFBytes(t, ggufBytesOf(meta, parts))
	if err != nil {
		t.Fatal(err)
	}
	names, err := c.FileNames()
	if err != nil || !slices.Equal(names, []string{config.TemplateFile, config.ConfigFile, config.GenerationFile, config.TokenizerFile, config.TokenizerConf}) {
		t.Errorf("files %v, %v", names, err)
	}
	for name, want := range map[string][]string{
		config.TokenizerFile:  {`"type": "Digits"`, `"individual_digits": true`, `"ab": 4`, `"a b"`, `"special": true`, `"post_processor": null`},
		config.TokenizerConf:  {`"chat_template": "{{ messages }}"`, `"bos_token": "<s>"`, `"pad_token": null`, `"add_bos_token": false`},
		config.GenerationFile: {`"eos_token_id": 1`, `"bos_token_id": 0`, `"pad_token_id": null`},
		config.TemplateFile:   {"{{ messages }}"},
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
		"smollm": `{"type":"Sequence","pretokenizers":[{"type":"Digits"`, "llama-bpe": `{"type":"Sequence","pretokenizers":[{"type":"Split"`, "tekken": "",
	} {
		meta, parts := smallGGUF()
		if meta["tokenizer.ggml.pre"] = pre; pre == "absent" {
			delete(meta, "tokenizer.ggml.pre")
		}
		c, err := openGGUFBytes(t, ggufBytesOf(meta, parts))
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
				Type   string                  `json:"type"`
				Pieces []struct{ Type string } `json:"pretokenizers"`
			} `json:"pre_tokenizer"`
		}
		if err != nil || json.Unmarshal(data, &file) != nil {
			t.Fatal(pre, err)
		}
		got := `{"type":"` + file.Pre.Type + `"`
		if len(file.Pre.Pieces) > 0 {
			got += `,"pretokenizers":[{"type":"` + file.Pre.Pieces[0].Type + `"`
		}
		if got != want {
			t.Errorf("%s: %s, want %s", pre, got, want)
		}
	}
}

func TestGGUFErrors(t *testing.T) {
	tests := []struct {
		name   string
		change func(meta map[string]any, parts []ggufPart) []ggufPart
		want   string
	}{
		{"architecture", func(m map[string]any, p []ggufPart) []ggufPart { m["general.architecture"] = "qwen2"; return p }, "qwen2"},
		{"experts", func(m map[string]any, p []ggufPart) []ggufPart { m["llama.expert_count"] = 8; return p }, "llama.expert_count"},
		{"rope scaling", func(m map[string]any, p []ggufPart) []ggufPart { m["llama.rope.scaling.type"] = "yarn"; return p }, "llama.rope.scaling.type"},
		{"no heads", func(m map[string]any, p []ggufPart) []ggufPart { delete(m, "llama.attention.head_count"); return p }, "head_count"},
		{"wrong type", func(m map[string]any, p []ggufPart) []ggufPart { m["llama.block_count"] = "1"; return p }, "llama.block_count"},
		{"token outside", func(m map[string]any, p []ggufPart) []ggufPart { m["tokenizer.ggml.bos_token_id"] = 5; return p }, "bos_token_id"},
		{"bias", func(m map[string]any, p []ggufPart) []ggufPart { p[1].name = "blk.0.attn_q.bias"; return p }, "attn_q.bias"},
		{"rope factors", func(m map[string]any, p []ggufPart) []ggufPart { p[1].name = "rope_freqs.weight"; return p }, "rope_freqs"},
		{"tensor twice", func(m map[string]any, p []ggufPart) []ggufPart { p[1].name = p[6].name; return p }, "comes twice"},
		{"outside", func(m map[string]any, p []ggufPart) []ggufPart { p[10].at = 1 << 40; return p }, "beyond the end"},
		{"overlap", func(m map[string]any, p []ggufPart) []ggufPart { p[10].at = 32; return p }, "overlaps"},
		{"type", func(m map[string]any, p []ggufPart) []ggufPart { p[0].kind = ggml.TensorTypeIQ2_S; return p }, "token_embd.weight: type"},
		{"blocks", func(m map[string]any, p []ggufPart) []ggufPart { p[9].dims[0] = 33; return p }, "blocks of 32"},
		{"overflow", func(m map[string]any, p []ggufPart) []ggufPart { p[2].dims = []uint64{1 << 40, 1 << 40}; return p }, "too large"},
		{"alignment", func(m map[string]any, p []ggufPart) []ggufPart { m["general.alignment"] = 33; return p }, "alignment"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			meta, parts := smallGGUF()
			parts = test.change(meta, parts)
			if _, err := openGGUFBytes(t, ggufBytesOf(meta, parts)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

// TestGGUFTruncated cuts a good file at every length of its header and at some of its data.
func TestGGUFTruncated(t *testing.T) {
	meta, parts := smallGGUF()
	whole := ggufBytesOf(meta, parts)
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

// TestGGUFLyingCounts checks that a promise of very many values fails before memory is taken for them.
func TestGGUFLyingCounts(t *testing.T) {
	meta, parts := smallGGUF()
	whole := ggufBytesOf(meta, parts)
	for _, key := range []string{"tokenizer.ggml.tokens", "tokenizer.ggml.token_type"} {
		lying := slices.Clone(whole)
		at := bytes.Index(lying, []byte(key)) + len(key) + 8
		binary.LittleEndian.PutUint64(lying[at:], 1<<24)
		if _, err := openGGUFBytes(t, lying); err == nil || !strings.Contains(err.Error(), "beyond the end of the file") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func FuzzGGUF(f *testing.F) {
	meta, parts := smallGGUF()
	f.Add(ggufBytesOf(meta, parts))
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
