package pretrained

import (
	"embed"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strings"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// Tiny is the name of the built-in model for Open.
const Tiny = "tiny"

// tinyFiles are the config and the tokenizer of the built-in model. The tokenizer is a byte-level BPE: 6 special
// tokens, the 256 bytes in order, and 250 merges learned from datasets/quickstart.
//
//go:embed tiny/*.json tiny/*.jinja
var tinyFiles embed.FS

// tinyModel is the built-in model: a random Mistral network of 2 layers with a real tokenizer, for tests and for
// trying things out without a download.
//
// Its weights are computed with integers modulo 2^64, so that they have the same bits everywhere. Let t be the
// index of the tensor in Config.Tensors and i the index of the element in row-major order. Then the weight w is
//
//	z = (t<<40 + i + 1) * 0x9E3779B97F4A7C15
//	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
//	z = (z ^ z>>27) * 0x94D049BB133111EB
//	z =  z ^ z>>31
//	s = sum of the four 16-bit digits of z, minus 131070
//	w = float32(s) * 0x1.1bc77ap-21
//
// with a bell-shaped distribution around 0 and a standard deviation of 0.02. The weights of the norms are 1.
type tinyModel struct {
	tensors map[string]safetensors.Tensor
	order   []string
}

// tinyScale is 0.02 * sqrt(3) / 65536, rounded to float32.
const tinyScale float32 = 0x1.1bc77ap-21

func openTiny() (*tinyModel, error) {
	m := &tinyModel{tensors: map[string]safetensors.Tensor{}}
	data, err := m.ReadFile(config.ConfigFile)
	if err != nil {
		return nil, err
	}
	parsed, err := config.Parse(Tiny+"/"+config.ConfigFile, data)
	if err != nil {
		return nil, err
	}
	for t, spec := range parsed.Tensors() {
		data := make([]byte, 4*spec.Elements())
		for i := range spec.Elements() {
			w := float32(1)
			if len(spec.Dims) > 1 {
				w = tinyWeight(uint64(t), uint64(i))
			}
			binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(w))
		}
		m.tensors[spec.Name] = safetensors.Tensor{Name: spec.Name, DType: dtypes.Float32, Dims: spec.Dims, Bytes: data}
		m.order = append(m.order, spec.Name)
	}
	return m, nil
}

// tinyWeight returns element i of tensor t by the rule of tinyModel.
func tinyWeight(t, i uint64) float32 {
	z := (t<<40 + i + 1) * 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	z ^= z >> 31
	s := int64(z&0xffff+z>>16&0xffff+z>>32&0xffff+z>>48) - 131070
	return float32(s) * tinyScale
}

// Names returns the names of all tensors in the order of Config.Tensors.
func (m *tinyModel) Names() []string { return m.order }

// Info returns a tensor without its Bytes, and whether there is one of this name.
func (m *tinyModel) Info(name string) (safetensors.Tensor, bool) {
	t, ok := m.tensors[name]
	t.Bytes = nil
	return t, ok
}

// Tensor returns a tensor. All calls share its Bytes.
func (m *tinyModel) Tensor(name string) (safetensors.Tensor, error) {
	t, ok := m.tensors[name]
	if !ok {
		return safetensors.Tensor{}, fmt.Errorf("%s: no tensor %s", Tiny, name)
	}
	return t, nil
}

// FileNames lists the embedded files.
func (m *tinyModel) FileNames() ([]string, error) {
	matches, err := fs.Glob(tinyFiles, Tiny+"/*")
	for i, name := range matches {
		matches[i] = strings.TrimPrefix(name, Tiny+"/")
	}
	return matches, err
}

// ReadFile returns an embedded file.
func (m *tinyModel) ReadFile(name string) ([]byte, error) {
	return tinyFiles.ReadFile(path.Join(Tiny, name))
}

// Close does nothing.
func (m *tinyModel) Close() error { return nil }
