package pretrained

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// TestLinks puts links in the place of small files. Those that stay in the folder, or in the repository's folder of the
// hub's cache, are followed.
func TestLinks(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := tinyFolder(t)
	for _, name := range []string{"added_tokens.json", config.ConfigFile, config.TokenizerFile} {
		link, original := filepath.Join(dir, name), filepath.Join(dir, "original")
		os.Rename(link, original) // there is no added_tokens.json
		for _, target := range []string{outside, "../../" + filepath.Base(filepath.Dir(outside)) + "/secret", "/dev/zero"} {
			if err := os.Symlink(target, link); err != nil {
				t.Skip(err)
			}
			c, err := Open(dir)
			if err == nil {
				_, err = c.ReadFile(name)
				if exported := Export(filepath.Join(t.TempDir(), "out"), c, nil, dtypes.Float32); exported == nil {
					t.Errorf("%s -> %s is exported", name, target)
				}
				c.Close()
			}
			if err == nil || !strings.Contains(err.Error(), link) || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s -> %s: %v", name, target, err)
			}
			os.Remove(link)
		}
		os.Rename(original, link)
	}
	if err := errors.Join(os.Rename(filepath.Join(dir, config.ConfigFile), filepath.Join(dir, "c.json")),
		os.Symlink("c.json", filepath.Join(dir, config.ConfigFile))); err != nil {
		t.Fatal(err)
	}
	openModel(t, dir)

	cache := filepath.Join(t.TempDir(), "models--org--name")
	snapshot := filepath.Join(cache, "snapshots", "0123456789abcdef")
	if err := errors.Join(os.MkdirAll(snapshot, 0o755), os.Mkdir(filepath.Join(cache, "blobs"), 0o755)); err != nil {
		t.Fatal(err)
	}
	source := tinyFolder(t)
	entries, err := os.ReadDir(source)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		blob := "blob-of-" + e.Name()
		if err := errors.Join(os.Rename(filepath.Join(source, e.Name()), filepath.Join(cache, "blobs", blob)),
			os.Symlink("../../blobs/"+blob, filepath.Join(snapshot, e.Name()))); err != nil {
			t.Fatal(err)
		}
	}
	c := openModel(t, snapshot)
	if err := Export(filepath.Join(t.TempDir(), "out"), c, nil, dtypes.Float32); err != nil {
		t.Error(err)
	}
}

// TestSizeLimit checks that a file larger than any of its name is refused before it is read.
func TestSizeLimit(t *testing.T) {
	dir := tinyFolder(t)
	if err := os.Truncate(filepath.Join(dir, config.ConfigFile), maxFileBytes+1); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Error(err)
	}
}

// TestChangedFiles overwrites files of a model that is in use.
func TestChangedFiles(t *testing.T) {
	const norm = "model.norm.weight"
	dir := tinyFolder(t)
	c := openModel(t, dir)
	read, err := c.Tensor(norm)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckUnchanged(read); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadFile(config.TokenizerFile); err != nil {
		t.Fatal(err)
	}
	weights := filepath.Join(dir, weightsFile)
	data, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	export := func(want string) {
		t.Helper()
		out := filepath.Join(t.TempDir(), "out")
		if err := Export(out, c, nil, dtypes.BFloat16); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("export: %v, want an error with %q", err, want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Error("a model was exported")
		}
	}
	file, err := os.OpenFile(weights, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	one := []byte{0, 0, 0x80, 0x3f} // the norms are 1; this makes all weights of the file 1
	place := len(data) - len(data)%4096
	for at := 4096; at < place; at += 4 {
		copy(data[at:], one)
	}
	other := slices.Clone(data)
	sum := safetensors.Tensor{Name: norm, DType: dtypes.Float32, Bytes: slices.Clone(read.Bytes)}
	sum.Bytes[0]++
	err = c.CheckUnchanged(sum)
	if err == nil || !strings.Contains(err.Error(), norm+" changed since it was first read") {
		t.Errorf("a changed tensor: %v", err)
	}
	if _, err := file.WriteAt(other, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, config.TokenizerFile), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	export("tokenizer.json changed since it was first read")
	if err := file.Truncate(4096); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Digest(); err == nil || !strings.Contains(err.Error(), "became shorter") {
		t.Errorf("digest of a truncated file: %v", err)
	}
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.BFloat16} {
		embedding, err := c.Tensor(config.EmbedTokens)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ConvertCopy(embedding, dtype, nil); err == nil || !strings.Contains(err.Error(), "became shorter") {
			t.Errorf("%s of a truncated file: %v", dtype, err)
		}
	}
}

// TestNotFinite exports weights that are not finite, or are not in the type of the export.
func TestNotFinite(t *testing.T) {
	for _, test := range []struct {
		value float32
		dtype dtypes.DType
		want  string
	}{
		{float32(math.NaN()), dtypes.BFloat16, "model.norm.weight: element 3 is NaN: the weights have diverged"},
		{float32(math.Inf(-1)), dtypes.Float32, "element 3 is -Inf"},
		{1e5, dtypes.Float16, "element 3 is +Inf as float16: choose another torch_dtype"},
		{1e5, dtypes.BFloat16, ""},
	} {
		dir := tinyFolder(t)
		rewriteWeights(t, dir, func(s safetensors.Source) []safetensors.Source {
			if s.Name == config.FinalNorm {
				data := s.Data
				s.Data = func() ([]byte, error) {
					bytes, err := data()
					bytes = slices.Clone(bytes)
					binary.LittleEndian.PutUint32(bytes[12:], math.Float32bits(test.value))
					return bytes, err
				}
			}
			return []safetensors.Source{s}
		})
		model := openModel(t, dir)
		_, err := model.TensorDigests()
		for _, err := range []error{err, model.CheckFinite()} {
			finite := !math.IsNaN(float64(test.value)) && !math.IsInf(float64(test.value), 0)
			if finite != (err == nil) || !finite && !strings.Contains(err.Error(), "model.norm.weight: element 3 is") {
				t.Errorf("%v is found as: %v", test.value, err)
			}
		}
		err = Export(filepath.Join(t.TempDir(), "out"), model, nil, test.dtype)
		if (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v as %s: %v", test.value, test.dtype, err)
		}
	}
}

// TestUntiedHead opens folders with a head beside tie_word_embeddings true.
func TestUntiedHead(t *testing.T) {
	for _, equal := range []bool{true, false} {
		dir := tinyFolder(t)
		tied := openModel(t, dir).Config.TieWordEmbeddings
		rewriteWeights(t, dir, func(s safetensors.Source) []safetensors.Source {
			if s.Name == config.LMHead {
				return nil
			}
			if s.Name != config.EmbedTokens {
				return []safetensors.Source{s}
			}
			head := s
			head.Name = config.LMHead
			head.Data = func() ([]byte, error) {
				bytes, err := s.Data()
				bytes = slices.Clone(bytes)
				if !equal {
					bytes[0] ^= 1
				}
				return bytes, err
			}
			return []safetensors.Source{s, head}
		})
		editJSON(t, dir, config.ConfigFile, map[string]any{"tie_word_embeddings": true})
		c := openModel(t, dir)
		if err := c.CheckTensors(); err != nil {
			t.Error(err)
		}
		if c.Config.TieWordEmbeddings != equal || (len(c.Notices) == 0) != equal {
			t.Errorf("equal %v: tied %v (the model's own: %v), notices %q", equal, c.Config.TieWordEmbeddings, tied, c.Notices)
		}
	}
}
