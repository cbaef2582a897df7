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

// File is an open GGUF file of the llama architecture, with the tensor names of a Hugging Face model.
// Quantised tensors are dequantised to float32 on every read; nothing is cached.
type File struct {
	path    string
	file    *gguf.File
	reader  *gguf.Reader
	tensors map[string]tensorInfo // by Hugging Face name
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
	if err := checkTensors(file, size); err != nil {
		return nil, err
	}
	g = &File{path: path, file: file}
	if err := g.nameTensors(); err != nil {
		return nil, err
	}
	g.reader, err = gguf.NewReader(file)
	return g, err
}

// checkTensors checks what the library does not: duplicate names, tensors outside the file, overlaps, and types
// that cannot be dequantised.
func checkTensors(file *gguf.File, size uint64) error {
	keys := map[string]bool{}
	for _, kv := range file.KeyValues {
		if keys[kv.Key] {
			return fmt.Errorf("metadata key %s appears twice", kv.Key)
		}
		keys[kv.Key] = true
	}
	start := uint64(file.DataOffset())
	if a := file.Alignment; a > 1<<20 || a&(a-1) != 0 || (start > size && len(file.TensorInfos) > 0) {
		return fmt.Errorf("alignment %d places the data at byte %d of %d", a, start, size)
	}
	names, end := map[string]bool{}, uint64(0)
	for _, t := range file.TensorInfos { // in the order of their offsets
		if names[t.Name] {
			return fmt.Errorf("tensor %s appears twice", t.Name)
		}
		names[t.Name] = true
		bytes, err := tensorBytes(t)
		if err != nil {
			return fmt.Errorf("tensor %s: %w", t.Name, err)
		}
		if t.Offset < end {
			return fmt.Errorf("tensor %s: overlaps the tensor before it", t.Name)
		}
		if t.Offset > size-start || bytes > size-start-t.Offset {
			return fmt.Errorf("tensor %s: its %d bytes at %d are beyond the end of the file: it is truncated or damaged",
				t.Name, bytes, t.Offset)
		}
		end = t.Offset + bytes
	}
	return restoreOrder(file)
}

// restoreOrder puts the tensor descriptions back into the order of the file. The library sorts them by offset after
// it has recorded the place of each name, so that in a file with any other order it would return one tensor's data
// under another's name.
func restoreOrder(file *gguf.File) error {
	place := map[string]int{}
	for i, t := range file.TensorInfos {
		place[t.Name] = i
	}
	original := make([]gguf.TensorInfo, len(file.TensorInfos))
	for _, t := range file.TensorInfos {
		found, ok := file.GetTensorInfo(t.Name)
		if !ok {
			return fmt.Errorf("tensor %s: missing from the library's index", t.Name)
		}
		original[place[found.Name]] = t
	}
	copy(file.TensorInfos, original)
	for _, t := range original {
		if found, _ := file.GetTensorInfo(t.Name); found.Name != t.Name {
			return fmt.Errorf("tensor %s: the library's index returns %s", t.Name, found.Name)
		}
	}
	return nil
}

// tensorBytes returns the number of bytes that a tensor takes up in the file.
func tensorBytes(t gguf.TensorInfo) (uint64, error) {
	switch t.Type {
	case gguf.TensorTypeF32, gguf.TensorTypeF16, gguf.TensorTypeBF16,
		gguf.TensorTypeQ4_0, gguf.TensorTypeQ4_1, gguf.TensorTypeQ5_0, gguf.TensorTypeQ5_1, gguf.TensorTypeQ8_0,
		gguf.TensorTypeQ2_K, gguf.TensorTypeQ3_K, gguf.TensorTypeQ4_K, gguf.TensorTypeQ5_K, gguf.TensorTypeQ6_K:
	default:
		return 0, fmt.Errorf("type %s is not supported", t.Type)
	}
	if len(t.Shape) == 0 {
		return 0, errors.New("it has no dimensions")
	}
	block := uint64(t.Type.BlockSize())
	if t.Shape[0]%block != 0 {
		return 0, fmt.Errorf("rows of %d values cannot be divided into blocks of %d", t.Shape[0], block)
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

// nameTensors gives the tensors their Hugging Face names. A tensor without one means that the file is of another
// kind of network.
func (g *File) nameTensors() error {
	m := &metadataReader{file: g.file}
	heads := m.integer("llama.attention.head_count", 0)
	kv := m.integer("llama.attention.head_count_kv", heads)
	if m.err != nil || heads < 1 || heads > 1<<20 || kv < 1 || kv > 1<<20 {
		return errors.Join(m.err, fmt.Errorf("llama.attention.head_count: %d heads and %d key/value heads are not supported",
			heads, kv))
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
				"(biases, experts and rope factors are not supported)", info.Name)
		}
		t.dtype, t.dims = info.GoMLXShape()
		if t.heads > 0 && (len(t.dims) != 2 || t.dims[0]%(2*t.heads) != 0) {
			return fmt.Errorf("tensor %s: shape %v cannot be divided among %d heads", info.Name, t.dims, t.heads)
		}
		g.tensors[name] = t
	}
	return nil
}

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
