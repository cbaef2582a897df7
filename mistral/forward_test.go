package mistral_test

import (
	"math"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// logits returns a program that computes all logits [B, S, V] of a batch.
func logits(c config.Config, names []string) func(in [][]*Node) [][]*Node {
	return func(in [][]*Node) [][]*Node {
		w := graph.NewWeights(names, in[0])
		h := mistral.Hidden(c, w, asInput(in[1]), false)
		return [][]*Node{{Einsum("bsd,vd->bsv", h, mistral.Head(c, w))}}
	}
}

// The logits of eight small networks equal the float32 logits of transformers, which are within 1.6e-5 of float64.
func TestForwardSmall(t *testing.T) {
	const tolerance = 5e-5
	g := openGolden(t, "forward_small.safetensors")
	for variant, c := range goldenConfigs(t, "forward_small.json") {
		t.Run(variant, func(t *testing.T) {
			weights := g.weights(variant + "/weights/")
			check := func(d *device.Device, cases ...string) {
				p := device.NewProgram(d, variant, logits(c, weights.Names))
				defer p.Close()
				for _, name := range cases {
					prefix := variant + "/" + name + "/"
					got, err := p.Call(localCopies(weights.Values), g.rows(prefix).input())
					if err != nil {
						t.Fatalf("%+v", err)
					}
					diff := worstDifference(floats(t, got[0][0]), g.floats(prefix+"logits"), g.ints(prefix+"valid"))
					if !(diff <= tolerance) {
						t.Errorf("%s on %s: logits off by %.2g, tolerance %g", name, d.Platform(), diff, tolerance)
					}
				}
			}
			cases := []string{"plain", "one_token", "pad_right", "pad_left_default_pos", "pad_left_shifted_pos", "pos_reset"}
			check(graphtest.GoDevice(t), cases...)
			if _, err := g.Tensor(variant + "/long/logits"); err == nil {
				cases = append(cases, "long", "long_pad_right", "long_pad_left_default_pos")
			}
			check(graphtest.Device(t), cases...)
		})
	}
}

// The logits under YaRN and dynamic scaling, from configs in the layouts of transformers 4 and 5, equal those of
// transformers. Dynamic scaling is recorded within the original length, where it changes nothing.
func TestForwardRopeScaling(t *testing.T) {
	const tolerance = 5e-5
	g, d := openGolden(t, "forward_rope.safetensors"), graphtest.GoDevice(t)
	configs := goldenConfigs(t, "forward_rope.json")
	for variant, cases := range map[string][]string{
		"llama_yarn": {"rows", "packed"}, "llama_dynamic": {"short", "packed"},
	} {
		weights := g.weights(variant + "/weights/")
		for _, layout := range []string{"", "_v4"} {
			p := device.NewProgram(d, variant, logits(configs[variant+layout], weights.Names))
			defer p.Close()
			for _, name := range cases {
				prefix := variant + "/" + name + "/"
				r := g.rows(prefix)
				in := r.input()
				in[2] = tensors.FromFlatDataAndDimensions(r.documents(), len(r.tokens)/r.length, r.length)
				got, err := p.Call(localCopies(weights.Values), in)
				if err != nil {
					t.Fatalf("%+v", err)
				}
				diff := worstDifference(floats(t, got[0][0]), g.floats(prefix+"logits"), g.ints(prefix+"valid"))
				if !(diff <= tolerance) {
					t.Errorf("%s%s, %s: logits off by %.2g, tolerance %g", variant, layout, name, diff, tolerance)
				}
			}
		}
	}
}

// documents returns the segments of rows in which a new document begins at each position 0.
func (r rows) documents() []int32 {
	segments, number := make([]int32, len(r.positions)), int32(0)
	for i, position := range r.positions {
		if position == 0 {
			number = number%100 + 1
		}
		segments[i] = r.attention[i] * number << graph.BranchBits
	}
	return segments
}

// localCopies returns copies of tensors on the host. A tensor belongs to the first device that used it, a copy can
// go to any.
func localCopies(values []*tensors.Tensor) []*tensors.Tensor {
	copies := make([]*tensors.Tensor, len(values))
	for i, v := range values {
		copies[i], _ = v.LocalClone()
	}
	return copies
}

// worstDifference returns the largest absolute difference between the rows of got and want for which valid is not
// 0, or NaN if got has one there.
func worstDifference(got, want []float32, valid []int32) float64 {
	width, diff := len(want)/len(valid), 0.0
	for i, v := range valid {
		for j := i * width; v != 0 && j < (i+1)*width; j++ {
			diff = max(diff, math.Abs(float64(got[j])-float64(want[j])))
			if math.IsNaN(float64(got[j])) {
				return math.NaN()
			}
		}
	}
	return diff
}

// A small model on real text: its logits, log-sum-exp, log-probabilities and greedy tokens equal the recorded
// ones, with padding on either side, and with a window that is wider than the text and a window of 16.
func TestForwardTiny(t *testing.T) {
	const tolerance = 5e-5
	g := openGolden(t, "forward_tiny.safetensors")
	weights := &device.TensorSet{}
	for _, shard := range []string{"model/model-00001-of-00002.safetensors", "model/model-00002-of-00002.safetensors"} {
		file := openGolden(t, shard)
		for _, name := range file.Names() {
			weights.Add(name, file.tensor(name))
		}
	}
	c := config.Config{VocabSize: 32000, HiddenSize: 32, IntermediateSize: 80, NumHiddenLayers: 3, NumAttentionHeads: 4,
		NumKeyValueHeads: 2, HeadDim: 8, RMSNormEps: 1e-5, RopeTheta: 1e4}
	recordedRows, columns := g.ints("position_rows"), g.ints("vocab_columns")
	d := graphtest.Device(t)
	for name, window := range map[string]int{"w4096_right": 4096, "w4096_left": 4096, "w16_right": 16, "w16_left": 16} {
		c.SlidingWindow = window
		r := g.rows(name + "/")
		index, labels := r.targets(r.tokens)
		result := run(t, d, func(in [][]*Node) [][]*Node {
			w := graph.NewWeights(weights.Names, in[0])
			h, head := mistral.Hidden(c, w, asInput(in[1]), false), mistral.Head(c, w)
			logp, _ := graph.GreedyLogProbs(graph.GatherRows(h, in[2][0]), in[2][1], head)
			all := Einsum("bsd,vd->bsv", h, head)
			byRow, byColumn := Const(all.Graph(), recordedRows), Const(all.Graph(), columns)
			subset := Gather(TransposeAllAxes(all, 1, 2, 0), InsertAxes(byRow, -1))      // [rows, V, B]
			subset = Gather(TransposeAllAxes(subset, 1, 0, 2), InsertAxes(byColumn, -1)) // [columns, rows, B]
			return [][]*Node{{TransposeAllAxes(subset, 2, 1, 0), Log(ReduceSum(Exp(all), -1)), logp}, {ArgMax(all, -1)}}
		}, weights.Values, r.input(), []*tensors.Tensor{tensors.FromValue(index), tensors.FromValue(labels)})

		diff := worstDifference(floats(t, result[0][0]), g.floats(name+"/logits_sub"), r.attentionAt(recordedRows))
		if !(diff <= tolerance) {
			t.Errorf("%s: logits off by %.2g", name, diff)
		}
		diff = worstDifference(floats(t, result[0][1]), g.floats(name+"/logsumexp"), r.attention)
		if !(diff <= tolerance) {
			t.Errorf("%s: log-sum-exp off by %.2g", name, diff)
		}
		want := g.floats(name + "/next_token_logprob")
		for n, logp := range floats(t, result[0][2]) {
			if diff := math.Abs(float64(logp - want[index[n]])); !(diff <= tolerance) {
				t.Errorf("%s: log-probability of target %d off by %.2g", name, n, diff)
			}
		}
		greedy, err := tensors.CopyFlatData[int32](result[1][0])
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range g.ints(name + "/argmax") {
			if r.attention[i] != 0 && greedy[i] != id {
				t.Errorf("%s: greedy token %d is %d, want %d", name, i, greedy[i], id)
			}
		}
	}
}

// targets lists the tokens to score: all labels but -100 that are, like the tokens before them, visible in the
// attention mask. index is where each target's predictor is.
func (r rows) targets(labels []int32) (index, targets []int32) {
	for i := range labels {
		if i%r.length > 0 && labels[i] != -100 && r.attention[i]*r.attention[i-1] != 0 {
			index, targets = append(index, int32(i-1)), append(targets, labels[i])
		}
	}
	return index, targets
}

// attentionAt returns the attention mask at some columns of every row.
func (r rows) attentionAt(columns []int32) []int32 {
	var mask []int32
	for row := range slices.Chunk(r.attention, r.length) {
		for _, c := range columns {
			mask = append(mask, row[c])
		}
	}
	return mask
}
