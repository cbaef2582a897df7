package gguf

import (
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/go-huggingface/models/gguf"

	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// ggufFile is an open GGUF file of the llama architecture, seen through the names of a Hugging Face checkpoint. Quantised tensors
// are dequantised to float32 each time they are asked for; nothing is kept.
type File struct {
	path    string
	file    *gguf.File
	reader  *gguf.Reader
	tensors map[string]tensor // by Hugging Face name
}

// ggufTensor says where a tensor comes from.
type tensor struct {
	source string // its name in the file
	dtype  dtypes.DType
	dims   []int
	heads  int // > 0: rows of each head are interleaved for the other rotary layout and have to be put back
}

// openGGUF parses and checks the header: metadata, and every tensor's type, shape and place in the file.
func Open(path string) (g *File, err error) {
	mapping, err := safetensors.MapFile(path)
	if err != nil {
		return nil, err
	}
	size := uint64(len(mapping))
	err = scanHeader(mapping)
	if mapping != nil {
		err = errors.Join(err, mapping.Unmap())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer func() {
		if err != nil {
			g, err = nil, fmt.Errorf("%s: %w", path, err)
		}
	}()
	file, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	if err := checkGGUF(file, size); err != nil {
		return nil, err
	}
	g = &File{path: path, file: file}
	if err := g.mapTensors(); err != nil {
		return nil, err
	}
	g.reader, err = gguf.NewReader(file)
	return g, err
}

// checkGGUF checks what the library leaves unchecked: names that come twice, places outside the file, overlaps, types it cannot
// dequantise.
func checkGGUF(file *gguf.File, size uint64) error {
	keys := map[string]bool{}
	for _, kv := range file.KeyValues {
		if keys[kv.Key] {
			return fmt.Errorf("metadata key %s comes twice", kv.Key)
		}
		keys[kv.Key] = true
	}
	start := uint64(file.DataOffset())
	if a := file.Alignment; a > 1<<20 || a&(a-1) != 0 || (start > size && len(file.TensorInfos) > 0) {
		return fmt.Errorf("alignment %d puts the data at %d of %d bytes", a, start, size)
	}
	names, end := map[string]bool{}, uint64(0)
	for _, t := range file.TensorInfos { // in the order of their offsets
		if names[t.Name] {
			return fmt.Errorf("tensor %s comes twice", t.Name)
		}
		names[t.Name] = true
		bytes, err := ggufBytes(t)
		if err != nil {
			return fmt.Errorf("tensor %s: %w", t.Name, err)
		}
		if t.Offset < end {
			return fmt.Errorf("tensor %s: overlaps the tensor before it", t.Name)
		}
		if t.Offset > size-start || bytes > size-start-t.Offset {
			return fmt.Errorf("tensor %s: its %d bytes at %d are beyond the end of the file: it is truncated or damaged", t.Name, bytes, t.Offset)
		}
		end = t.Offset + bytes
	}
	return repairIndex(file)
}

// repairIndex puts the tensor descriptions back into the order of the file. The library sorts them by offset after having noted
// the place of each name, so a file in any other order would give one tensor's data under another's name.
func repairIndex(file *gguf.File) error {
	place := map[string]int{}
	for i, t := range file.TensorInfos {
		place[t.Name] = i
	}
	original := make([]gguf.TensorInfo, len(file.TensorInfos))
	for _, t := range file.TensorInfos {
		found, ok := file.GetTensorInfo(t.Name)
		if !ok {
			return fmt.Errorf("tensor %s: not in the library's index", t.Name)
		}
		original[place[found.Name]] = t
	}
	copy(file.TensorInfos, original)
	for _, t := range original {
		if found, _ := file.GetTensorInfo(t.Name); found.Name != t.Name {
			return fmt.Errorf("tensor %s: the library's index gives %s", t.Name, found.Name)
		}
	}
	return nil
}

// ggufBytes returns the number of bytes that a tensor takes in the file.
func ggufBytes(t gguf.TensorInfo) (uint64, error) {
	switch t.Type {
	case gguf.TensorTypeF32, gguf.TensorTypeF16, gguf.TensorTypeBF16,
		gguf.TensorTypeQ4_0, gguf.TensorTypeQ4_1, gguf.TensorTypeQ5_0, gguf.TensorTypeQ5_1, gguf.TensorTypeQ8_0,
		gguf.TensorTypeQ2_K, gguf.TensorTypeQ3_K, gguf.TensorTypeQ4_K, gguf.TensorTypeQ5_K, gguf.TensorTypeQ6_K:
	default:
		return 0, fmt.Errorf("type %s is not supported", t.Type)
	}
	if len(t.Shape) == 0 {
		return 0, errors.New("no dimensions")
	}
	block := uint64(t.Type.BlockSize())
	if t.Shape[0]%block != 0 {
		return 0, fmt.Errorf("rows of %d values cannot be made of blocks of %d", t.Shape[0], block)
	}
	n := t.Shape[0] / block * uint64(t.Type.TypeSize())
	if t.Shape[0]/block > 1<<48 {
		return 0, fmt.Errorf("shape %v is too large", t.Shape)
	}
	for _, d := range t.Shape[1:] {
		var over uint64
		if over, n = bits.Mul64(n, d); over != 0 || n > 1<<56 {
			return 0, fmt.Errorf("shape %v is too large", t.Shape)
		}
	}
	return n, nil
}

// mapTensors gives the tensors their Hugging Face names. A tensor without one belongs to another network than this one.
func (g *File) mapTensors() error {
	m := &metadata{file: g.file}
	heads := m.integer("llama.attention.head_count", 0)
	kv := m.integer("llama.attention.head_count_kv", heads)
	if m.err != nil || heads < 1 || heads > 1<<20 || kv < 1 || kv > 1<<20 {
		return errors.Join(m.err, fmt.Errorf("llama.attention.head_count: %d heads and %d key/value heads make no network", heads, kv))
	}
	parts := map[string]string{
		"attn_norm": config.InputNorm, "attn_q": config.QProj, "attn_k": config.KProj, "attn_v": config.VProj, "attn_output": config.OProj,
		"ffn_norm": config.PostAttentionNorm, "ffn_gate": config.GateProj, "ffn_up": config.UpProj, "ffn_down": config.DownProj,
	}
	whole := map[string]string{"token_embd.weight": config.EmbedTokens, "output_norm.weight": config.FinalNorm, "output.weight": config.LMHead}
	g.tensors = map[string]tensor{}
	for _, info := range g.file.TensorInfos {
		name := whole[info.Name]
		t := tensor{source: info.Name}
		var layer int
		if rest, ok := strings.CutPrefix(info.Name, "blk."); ok {
			number, part, _ := strings.Cut(rest, ".")
			part, weight := strings.CutSuffix(part, ".weight")
			if _, err := fmt.Sscanf(number, "%d", &layer); err == nil && weight && parts[part] != "" && number == fmt.Sprint(layer) {
				name = config.LayerTensor(layer, parts[part])
			}
			t.heads = map[string]int{"attn_q": heads, "attn_k": kv}[part]
		}
		if name == "" {
			return fmt.Errorf("tensor %s: not part of a plain Llama network (biases, experts and rope factors are not supported)", info.Name)
		}
		t.dtype, t.dims = info.GoMLXShape()
		if t.heads > 0 && (len(t.dims) != 2 || t.dims[0]%(2*t.heads) != 0) {
			return fmt.Errorf("tensor %s: shape %v does not suit %d heads", info.Name, t.dims, t.heads)
		}
		g.tensors[name] = t
	}
	return nil
}

// names lists the tensors by their Hugging Face names.
func (g *File) Names() []string {
	return slices.Sorted(maps.Keys(g.tensors))
}

// info returns a tensor without its data.
func (g *File) Info(name string) (safetensors.Tensor, bool) {
	t, ok := g.tensors[name]
	return safetensors.Tensor{Name: name, DType: t.dtype, Dims: t.dims}, ok
}

// tensor reads and, if need be, dequantises a tensor. It may be called from several goroutines.
func (g *File) Tensor(name string) (safetensors.Tensor, error) {
	t, ok := g.tensors[name]
	if !ok {
		return safetensors.Tensor{}, fmt.Errorf("%s: no tensor %s", g.path, name)
	}
	value, err := g.reader.ReadTensor(nil, t.source)
	if err != nil {
		return safetensors.Tensor{}, fmt.Errorf("%s: tensor %s (%s): %w", g.path, name, t.source, err)
	}
	out := safetensors.Tensor{Name: name, DType: t.dtype, Dims: t.dims}
	// Without a backend the tensor lies in memory of the Go heap, so the bytes outlive it.
	if err := value.ConstBytes(func(data []byte) { out.Bytes = data }); err != nil {
		return safetensors.Tensor{}, fmt.Errorf("%s: tensor %s: %w", g.path, name, err)
	}
	if t.heads > 0 {
		out.Bytes = unpermute(out.Bytes, t.dims[0], t.heads)
	}
	return out, nil
}

// unpermute undoes the reordering of query and key rows that GGUF files of the llama architecture have. There the two halves of a
// head, which rotary embedding turns against each other, are interleaved: row 2j+i of a head is row i*hd/2+j of Hugging Face's.
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

func (g *File) Close() error { return g.reader.Close() }
