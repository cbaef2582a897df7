package gguf

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/go-huggingface/models/gguf"

	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// File is an open GGUF file of the llama architecture, with the tensor names of a Hugging Face model.
// Quantised tensors are dequantised to float32 on every read; nothing is cached.
type File struct {
	path    string
	file    *gguf.File
	reader  *gguf.Reader
	tensors map[string]tensorInfo // by Hugging Face name
	factors []float32             // divide the rotary frequencies; nil if scaling describes them
	scaling config.Object         // rope_scaling of config.json; nil for none
}

// tensorInfo describes a tensor of the file.
type tensorInfo struct {
	fileName string // the tensor's name in the file
	dtype    dtypes.DType
	dims     []int
	heads    int // above 0, the rows of each head are interleaved and have to be reordered; see unpermute
}

// Open opens a file and checks its header: the metadata, and the type, shape and place of every tensor. Errors name
// the file and the tensor or the metadata key.
func Open(path string) (g *File, err error) {
	mapping, err := safetensors.MapFile(path)
	if err != nil {
		return nil, err
	}
	size := uint64(len(mapping))
	var layout layout
	faulted := safetensors.CatchFaults(func() error {
		layout, err = scanHeader(mapping)
		return err
	})
	if err = faulted; mapping != nil {
		err = errors.Join(err, mapping.Unmap())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	file, err := gguf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	g = &File{path: path, file: file}
	if err := g.open(layout, size); err != nil {
		if g.reader != nil {
			err = errors.Join(err, g.Close())
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

// open checks the header of a file of size bytes and opens its tensors.
func (g *File) open(l layout, size uint64) (err error) {
	m := &metadataReader{file: g.file}
	if err := errors.Join(l.check(g.file, size), m.checkKeys()); err != nil {
		return err
	}
	if err := g.nameTensors(); err != nil {
		return err
	}
	if g.reader, err = gguf.NewReader(g.file); err != nil {
		return err
	}
	factors, err := readRopeFactors(g.file, g.reader, m.headWidth())
	if err != nil {
		return err
	}
	g.scaling = m.ropeScaling(factors, m.number("llama.rope.freq_base", config.DefaultRopeTheta))
	if g.scaling == nil {
		g.factors = factors
	}
	return m.err
}

// nameTensors gives the tensors their Hugging Face names. A tensor without one means that the file is of another
// kind of network.
func (g *File) nameTensors() error {
	m := &metadataReader{file: g.file}
	m.need("llama.attention.head_count")
	heads := m.integer("llama.attention.head_count", 0)
	kv := m.integer("llama.attention.head_count_kv", heads)
	if heads < 1 || heads > 1<<20 || kv < 1 || kv > 1<<20 {
		m.fail("llama.attention.head_count", "%d heads and %d key/value heads are not supported", heads, kv)
	}
	if m.err != nil {
		return m.err
	}
	parts := map[string]string{
		"attn_norm": config.InputNorm, "attn_q": config.QProj, "attn_k": config.KProj, "attn_v": config.VProj,
		"attn_output": config.OProj, "ffn_norm": config.PostAttentionNorm, "ffn_gate": config.GateProj,
		"ffn_up": config.UpProj, "ffn_down": config.DownProj,
	}
	outside := map[string]string{ // the layers
		"token_embd.weight": config.EmbedTokens, "output_norm.weight": config.FinalNorm, "output.weight": config.LMHead,
	}
	g.tensors = map[string]tensorInfo{}
	for _, info := range g.file.TensorInfos {
		if info.Name == ropeFactorsTensor {
			continue // see readRopeFactors
		}
		name := outside[info.Name]
		t := tensorInfo{fileName: info.Name}
		var layer int
		if rest, ok := strings.CutPrefix(info.Name, "blk."); ok {
			number, part, _ := strings.Cut(rest, ".")
			part, weight := strings.CutSuffix(part, ".weight")
			_, err := fmt.Sscanf(number, "%d", &layer)
			if err == nil && weight && parts[part] != "" && number == fmt.Sprint(layer) {
				name = config.LayerTensorName(layer, parts[part])
			}
			t.heads = map[string]int{"attn_q": heads, "attn_k": kv}[part]
		}
		if name == "" {
			return fmt.Errorf("tensor %s: not part of a plain Llama network "+
				"(biases and experts are not supported)", info.Name)
		}
		t.dtype, t.dims = info.GoMLXShape()
		if t.heads > 0 && (len(t.dims) != 2 || t.dims[0]%(2*t.heads) != 0) {
			return fmt.Errorf("tensor %s: shape %v cannot be divided among %d heads", info.Name, t.dims, t.heads)
		}
		g.tensors[name] = t
	}
	return nil
}

// RopeFactors returns the factors that divide the rotary frequencies, nil if config.json describes the frequencies.
func (g *File) RopeFactors() []float32 { return slices.Clone(g.factors) }

// Names returns the Hugging Face names of the tensors, sorted.
func (g *File) Names() []string {
	return slices.Sorted(maps.Keys(g.tensors))
}

// Info returns the tensor of the given Hugging Face name without its Bytes, and whether there is one.
func (g *File) Info(name string) (safetensors.Tensor, bool) {
	t, ok := g.tensors[name]
	return safetensors.Tensor{Name: name, DType: t.dtype, Dims: t.dims}, ok
}

// Tensor reads the tensor of the given Hugging Face name and dequantises it if necessary. It may be called from
// several goroutines.
func (g *File) Tensor(name string) (safetensors.Tensor, error) {
	t, ok := g.tensors[name]
	if !ok {
		return safetensors.Tensor{}, fmt.Errorf("%s: no tensor %s", g.path, name)
	}
	value, err := g.reader.ReadTensor(nil, t.fileName)
	if err != nil {
		return safetensors.Tensor{}, fmt.Errorf("%s: tensor %s (%s): %w", g.path, name, t.fileName, err)
	}
	out := safetensors.Tensor{Name: name, DType: t.dtype, Dims: t.dims}
	// Without a backend the tensor is on the Go heap, so its bytes outlive it.
	if err := value.ConstBytes(func(data []byte) { out.Bytes = data }); err != nil {
		return safetensors.Tensor{}, fmt.Errorf("%s: tensor %s: %w", g.path, name, err)
	}
	if t.heads > 0 {
		out.Bytes = unpermute(out.Bytes, t.dims[0], t.heads)
	}
	return out, nil
}

// unpermute restores Hugging Face's order of the rows of a query or key projection. GGUF files of the llama
// architecture interleave the two halves of each head, which rotary embedding pairs up: row 2j+i of a head is row
// i*hd/2+j in Hugging Face's order.
func unpermute(data []byte, rows, heads int) []byte {
	width, hd := len(data)/rows, rows/heads
	out := make([]byte, len(data))
	for r := range rows {
		head, in := r/hd*hd, r%hd
		to := head + in%2*(hd/2) + in/2
		copy(out[to*width:(to+1)*width], data[r*width:(r+1)*width])
	}
	return out
}

// Close closes the file.
func (g *File) Close() error { return g.reader.Close() }
