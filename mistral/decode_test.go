package mistral

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/graph/pjrt/kernels"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// wideConfig is a network of sizes that the decoder kernel supports.
func wideConfig() config.Config {
	return config.Config{VocabSize: 61, HiddenSize: 64, IntermediateSize: 96, NumHiddenLayers: 2, NumAttentionHeads: 4,
		NumKeyValueHeads: 2, HeadDim: 32, RMSNormEps: 1e-5, RopeTheta: 1e4, MaxPositionEmbeddings: 1024}
}

// unwritten is the value of a cache where nothing has been written yet. No query attends to it.
const unwritten = 1000

// cachedDecoder runs decode on rows of text, a few tokens at a time, and keeps the cache.
type cachedDecoder struct {
	t       *testing.T
	c       config.Config
	decode  *device.Program
	weights []*tensors.Tensor
	cache   []*tensors.Tensor
}

func newCachedDecoder(t *testing.T, d *device.Device, c config.Config, dtype dtypes.DType, norms []dtypes.DType,
	weights *device.TensorSet, rows, columns int) *cachedDecoder {
	t.Helper()
	p := device.NewProgram(d, "decode", func(in [][]*Node) [][]*Node {
		logits, cache := decode(c, weightsView(weights.Names, in[0], dtype, norms), in[1][0], in[1][1], in[2])
		return [][]*Node{{logits}, cache}
	}, 2)
	t.Cleanup(p.Close)
	n := &cachedDecoder{t: t, c: c, decode: p, weights: weights.Values}
	n.cache = constants(t, d, func(g *Graph) (cache []*Node) {
		for _, s := range cacheShapes(c, dtype, rows, columns) {
			cache = append(cache, AddScalar(Zeros(g, s), unwritten))
		}
		return cache
	})
	return n
}

// weightsView returns weights with matrices of dtype and norms of the types in norms, in turn.
func weightsView(names []string, nodes []*Node, dtype dtypes.DType, norms []dtypes.DType) graph.Weights {
	cast := slices.Clone(nodes)
	vectors := 0
	for i, x := range cast {
		if x.Rank() == 1 {
			cast[i] = ConvertDType(x, norms[vectors%len(norms)])
			vectors++
		}
	}
	return graph.NewWeights(names, cast).WithDType(dtype).ForInference()
}

// constants returns the values that build computes without inputs.
func constants(t *testing.T, d *device.Device, build func(g *Graph) []*Node) []*tensors.Tensor {
	t.Helper()
	p := device.NewProgram(d, "constants", func(in [][]*Node) [][]*Node { return [][]*Node{build(in[0][0].Graph())} })
	defer p.Close()
	out, err := p.Call([]*tensors.Tensor{tensors.FromScalar(int32(0))})
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

// step decodes the next length tokens of each text from its position on, and returns the logits after each token,
// [B*length][V].
func (n *cachedDecoder) step(texts [][]int32, positions []int32, length int) [][]float32 {
	n.t.Helper()
	var tokens []int32
	for row, text := range texts {
		tokens = append(tokens, text[positions[row]:][:length]...)
	}
	in := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(tokens, len(texts), length), tensors.FromValue(positions)}
	out, err := n.decode.Call(n.weights, in, n.cache)
	if err != nil {
		n.t.Fatalf("%+v", err)
	}
	n.cache = out[1]
	return slices.Collect(slices.Chunk(float32s(n.t, out[0][0]), n.c.VocabSize))
}

// float32s returns the values of a float32 or bfloat16 tensor.
func float32s(t *testing.T, x *tensors.Tensor) (values []float32) {
	t.Helper()
	var err error
	if x.DType() == dtypes.Float32 {
		values, err = tensors.CopyFlatData[float32](x)
	} else {
		d := graphtest.Device(t)
		p := device.NewProgram(d, "convert", func(in [][]*Node) [][]*Node {
			return [][]*Node{{ConvertDType(in[0][0], dtypes.Float32)}}
		})
		defer p.Close()
		var out [][]*tensors.Tensor
		if out, err = p.Call([]*tensors.Tensor{x}); err == nil {
			values, err = tensors.CopyFlatData[float32](out[0][0])
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// uncachedLogits returns the logits [B][S][V] of texts of equal length, computed without a cache.
func uncachedLogits(t *testing.T, d *device.Device, c config.Config, dtype dtypes.DType, norms []dtypes.DType,
	weights *device.TensorSet, texts [][]int32) [][][]float32 {
	t.Helper()
	p := device.NewProgram(d, "uncached", func(in [][]*Node) [][]*Node {
		w, tokens := weightsView(weights.Names, in[0], dtype, norms), in[1][0]
		segments := AddScalar(ZerosLike(tokens), 1<<graph.BranchBits)
		positions := Iota(tokens.Graph(), tokens.Shape(), 1)
		x := Hidden(c, w, Input{Tokens: tokens, Positions: positions, Segments: segments}, false)
		return [][]*Node{{graph.Logits(Reshape(x, -1, c.HiddenSize), Head(c, w))}}
	})
	defer p.Close()
	out, err := p.Call(weights.Values, []*tensors.Tensor{tensors.FromValue(texts)})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	rows := slices.Collect(slices.Chunk(float32s(t, out[0][0]), c.VocabSize))
	return slices.Collect(slices.Chunk(rows, len(texts[0])))
}

// worstDistance returns the largest distance between a vector of a and the same vector of b, relative to the length
// of the latter. It is NaN if one of them is.
func worstDistance(a, b [][]float32) (most float64) {
	for i := range a {
		distance, length := 0.0, 0.0
		for k, x := range a[i] {
			distance += math.Pow(float64(x)-float64(b[i][k]), 2)
			length += math.Pow(float64(b[i][k]), 2)
		}
		most = max(most, math.Sqrt(distance/length))
	}
	return most
}

// Steps of one or several tokens, some of them rejected drafts, give the logits of the whole text without a cache,
// and they write nothing to the cache after their tokens.
func TestDecodeSteps(t *testing.T) {
	plain, oneKV, tied, windowed, equal := wideConfig(), wideConfig(), wideConfig(), wideConfig(), wideConfig()
	oneKV.NumKeyValueHeads, oneKV.HeadDim = 1, 64
	tied.TieWordEmbeddings = true
	windowed.SlidingWindow = 5
	equal.NumKeyValueHeads, equal.IntermediateSize = 4, 160
	for i, c := range []config.Config{plain, oneKV, tied, windowed, equal, narrowConfig()} {
		name := []string{"plain", "one key/value head", "tied", "windowed", "equal heads", "narrow"}[i]
		for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.BFloat16} {
			for _, norms := range [][]dtypes.DType{
				{dtypes.Float32}, {dtypes.BFloat16}, {dtypes.Float32, dtypes.BFloat16}, {dtypes.Float16},
			} {
				if len(norms) > 1 && i > 0 || norms[0] == dtypes.Float16 && i > 1 {
					continue // the kernel supports neither, whatever the sizes
				}
				t.Run(fmt.Sprintf("%s, %s with norms of %s", name, dtype, norms), func(t *testing.T) {
					checkDecode(t, c, 1+i%3, dtype, norms)
				})
			}
		}
	}
}

// narrowConfig is a network with heads of a width that the decoder kernel does not support.
func narrowConfig() config.Config {
	c := wideConfig()
	c.HeadDim = 16
	return c
}

// checkDecode checks decode in one config against the network without a cache.
func checkDecode(t *testing.T, c config.Config, rows int, dtype dtypes.DType, norms []dtypes.DType) {
	const length, columns = 40, 64
	d, weights := graphtest.Device(t), randomWeights(c)
	random := rand.New(rand.NewPCG(3, 4))
	texts, wrong := make([][]int32, rows), make([][]int32, rows)
	for row := range texts {
		for range length {
			texts[row] = append(texts[row], random.Int32N(int32(c.VocabSize)))
			wrong[row] = append(wrong[row], random.Int32N(int32(c.VocabSize)))
		}
	}
	exact := uncachedLogits(t, d, c, dtypes.Float32, norms, weights, texts)
	bound := 2e-5
	if dtype != dtypes.Float32 {
		rounded := uncachedLogits(t, d, c, dtype, norms, weights, texts)
		bound = 1.5 * worstDistance(slices.Concat(rounded...), slices.Concat(exact...))
	}
	n := newCachedDecoder(t, d, c, dtype, norms, weights, rows, columns)
	positions := make([]int32, rows)
	for i, tokens := range []int{1, 4, 16 / rows, 1, 4, 1} {
		n.step(wrong, positions, tokens) // a rejected draft
		got := n.step(texts, positions, tokens)
		for row := range positions {
			want := exact[row][positions[row]:][:tokens]
			if r := worstDistance(got[row*tokens:][:tokens], want); !(r <= bound) {
				t.Fatalf("step %d of %d tokens, row %d: relative difference %g, want at most %g", i, tokens, row, r, bound)
			}
			if row != i%3 { // which computes the same tokens again
				positions[row] += int32(tokens)
			}
		}
	}
	for i, x := range n.cache {
		values, shape := float32s(t, x), x.Shape()
		for k, v := range values {
			column, row := k/c.HeadDim%columns, k/(len(values)/rows)
			if columnAxis(i) == 3 {
				column = k % columns
			}
			if written := int32(column) < positions[row]+4; !written && v != unwritten {
				t.Fatalf("%s of the cache has %g in column %d of row %d, after all tokens", shape, v, column, row)
			}
		}
	}
}

// If there are kernels, all layers of a step are one call, which works on the cache in place, also in the loop of a
// greedy run. With more rows or other widths there is no such call.
func TestDecodeUsesKernel(t *testing.T) {
	d := graphtest.CPUDevices(t, 1)
	if !kernels.Available() {
		t.Skip("no kernels for this processor")
	}
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.BFloat16} {
		for _, x := range []struct {
			name  string
			c     config.Config
			rows  int
			calls int
		}{
			{"one row", wideConfig(), 1, 1}, {"two rows", wideConfig(), 2, 1}, {"16 rows", wideConfig(), 16, 1},
			{"17 rows", wideConfig(), 17, 0}, {"narrow heads", narrowConfig(), 1, 0},
		} {
			weights := randomWeights(x.c)
			g := NewGenerator(d, x.c, weights, nil, dtype)
			defer g.Close()
			const columns = 2048
			row, cache := shapes.Make(dtypes.Int32, x.rows), cacheShapes(x.c, dtype, x.rows, columns)
			tokens, text := shapes.Make(dtypes.Int32, x.rows, 1), shapes.Make(dtypes.Int32, x.rows, columns)
			check := func(kind string, p *device.Program, in ...shapes.Shape) {
				name := fmt.Sprintf("%s, %s, %s", x.name, dtype, kind)
				checkKernelCalls(t, name, x.calls, cache, p, shapesOf(weights.Values), nil, in, cache)
			}
			check("step", g.devices[0].decode, tokens, row)
			check("greedy run", g.devices[0].greedy, text, row, row, shapes.Make(dtypes.Int32))
		}
	}
}

// checkKernelCalls checks how often a program calls the decoder kernel, that it also calls a kernel for the head,
// and that it updates the cache in place.
func checkKernelCalls(t *testing.T, name string, want int, cache []shapes.Shape, p *device.Program,
	in ...[]shapes.Shape) {
	t.Helper()
	compiled, err := p.Compile(in...)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	calls, others, size := 0, 0, int64(0)
	for _, o := range compiled.Work.Operations {
		if o.Name == "bfpo_decoder" {
			calls += o.Count
		} else {
			others += o.Count
		}
	}
	for _, s := range cache {
		size += int64(s.ByteSize())
	}
	if calls != want || others == 0 || calls > 0 && others > 1 {
		t.Errorf("%s: %d calls of the decoder kernel and %d of others, want %d: %v",
			name, calls, others, want, compiled.Work.Operations)
	}
	if compiled.Aliases < size || calls > 0 && compiled.Temp > size/3 {
		t.Errorf("%s: %d bytes of scratch memory and %d bytes in place for a cache of %d bytes",
			name, compiled.Temp, compiled.Aliases, size)
	}
}

// Compiled for a GPU, a greedy run calls no CPU kernel and updates the cache in place.
func TestGreedyRunOnGPU(t *testing.T) {
	d, c := graphtest.CompileOnlyGPUs(t, "h100", 1), wideConfig()
	weights := randomWeights(c)
	g := NewGenerator(d, c, weights, nil, dtypes.BFloat16)
	defer g.Close()
	const columns = 2048
	row, cache := shapes.Make(dtypes.Int32, 1), cacheShapes(c, dtypes.BFloat16, 1, columns)
	checkKernelCalls(t, "greedy run", 0, cache, g.devices[0].greedy, shapesOf(weights.Values), nil,
		[]shapes.Shape{shapes.Make(dtypes.Int32, 1, columns), row, row, shapes.Make(dtypes.Int32)}, cache)
}
