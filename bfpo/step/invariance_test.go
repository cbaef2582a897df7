package step

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/runtest"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// onModels runs a test on the built-in model and on the recorded Mistral model.
func onModels(t *testing.T, dtype dtypes.DType, test func(t *testing.T, model *mistral.Model)) {
	for _, name := range []string{"tiny", "mistral"} {
		t.Run(name, func(t *testing.T) {
			path := name
			if name == "mistral" {
				path = fixture.Mistral(t)
			}
			checkpoint, err := pretrained.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer checkpoint.Close()
			model, err := mistral.Load(graphtest.Device(t), checkpoint, dtype)
			if err != nil {
				t.Fatal(err)
			}
			defer model.Close()
			test(t, model)
		})
	}
}

// testOptions returns options of a step in which nothing hides differences of the gradient: no clipping, no weight
// decay.
func testOptions(objective string) Options {
	return Options{
		Objective: bfpo.Objective{Name: objective, Beta: 0.1, B1: 3, Alpha: 0.5},
		Optimizer: graph.AdamW{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}, DType: dtypes.Float32,
	}
}

// tokenProgram returns a function that computes the policy's log-probability of each target of a batch.
func tokenProgram(t *testing.T, s *Stepper) func(batch.Batch) []float32 {
	p := device.NewProgram(graphtest.Device(t), "tokens", func(in [][]*Node) [][]*Node {
		weights, b := s.graphs.policy(in[0], in[1]), newBatchNodes(in[2], s.graphs.responsesPerUnit())
		logProb, _ := s.graphs.logProbs(weights, b, graph.HeadGradients{}, false)
		return [][]*Node{{logProb}}
	})
	t.Cleanup(p.Close)
	return func(b batch.Batch) []float32 {
		out, err := p.Call(s.model.Base.Values, s.Masters.Values, tensorsOf(weightedBatch{Batch: b}))
		if err != nil {
			t.Fatalf("%+v", err)
		}
		reports, err := Pending{device.Group{out[0]}}.Read()
		if err != nil {
			t.Fatal(err)
		}
		return reports[0].Loss
	}
}

// unitLogProbs selects the log-probabilities of one unit's targets. A unit is a pair (with perUnit 2, chosen before
// rejected) or a row.
func unitLogProbs(b batch.Batch, logProb []float32, perUnit, unit int) (x []float32) {
	for response := perUnit * unit; response < perUnit*(unit+1); response++ {
		for n, owner := range b.Owner {
			if int(owner) == response {
				x = append(x, logProb[n])
			}
		}
	}
	return x
}

// fill lays examples out in one batch of a shape.
func fill[T batch.Example](t *testing.T, shape batch.Shape, examples ...T) batch.Batch {
	t.Helper()
	b, err := batch.Fill(examples, batch.Shared, []batch.Shape{shape})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// difference returns the relative difference of two sums over tokens, and the number of tokens that differ at all.
func difference(got, want []float32) (relative float64, tokens int) {
	var diff, sum float64
	for i := range want {
		diff += float64(got[i]) - float64(want[i])
		sum += float64(want[i])
		if got[i] != want[i] {
			tokens++
		}
	}
	return math.Abs(diff / sum), tokens
}

// The log-probabilities of a pair do not depend on its position in the batch or on its neighbors. They are identical in
// the same program if the pair is in the same columns. Otherwise they differ by the rounding of attention's sums over
// keys, which are added column by column.
func TestPairIsIndependentOfItsBatch(t *testing.T) {
	onModels(t, dtypes.Float32, func(t *testing.T, model *mistral.Model) {
		stepper := newTestStepper(t, model, []string{"down_proj"}, testOptions("bfpo"))
		tokens := tokenProgram(t, stepper)
		pairs := runtest.RandomPairs(model.Config.VocabSize, 4)
		longest, p, q, r := pairs[3], pairs[2], pairs[1], pairs[0] // of 124, 109, 94 and 79 tokens
		wide := batch.Shape{Rows: 2, Length: 288, Targets: 384, Responses: 6}
		alone := fill(t, wide, p)
		want := unitLogProbs(alone, tokens(alone), 2, 0)
		tight := batch.Shape{Rows: 1, Length: size(p), Targets: len(want), Responses: 2}
		long := batch.Shape{Rows: 1, Length: 640, Targets: 544, Responses: 8}
		dirty := fill(t, wide, p) // with random tokens in the padding
		rng := rand.New(rand.NewPCG(3, 4))
		for i, segment := range dirty.Segments {
			if segment == 0 {
				dirty.Tokens[i], dirty.Positions[i] = int32(rng.IntN(model.Config.VocabSize)), int32(rng.IntN(wide.Length))
			}
		}
		for _, c := range []struct {
			name        string
			batch       batch.Batch
			unit        int
			row, column int // of the prompt's end
			exact       bool
		}{
			{"again", fill(t, wide, p), 0, 0, 30, true},
			{"other padding", dirty, 0, 0, 30, true},
			{"before a neighbor", fill(t, wide, p, q), 0, 0, 30, true},
			{"before another neighbor", fill(t, wide, p, r), 0, 0, 30, true},
			{"before two neighbors", fill(t, wide, p, q, r), 0, 0, 30, true},
			{"in the second row", swapRows(alone), 0, 1, 30, true},
			{"after a neighbor", fill(t, wide, q, p), 1, 0, 94 + 30, false},
			{"after two neighbors", fill(t, wide, r, q, p), 2, 0, 79 + 94 + 30, false},
			{"without padding", fill(t, tight, p), 0, 0, 30, false},
			{"in a long row", fill(t, long, longest, q, p), 2, 0, 124 + 94 + 30, false},
		} {
			first := int(c.batch.Index[slices.Index(c.batch.Owner, int32(2*c.unit))])
			if row, column := first/c.batch.Length, first%c.batch.Length; row != c.row || column != c.column {
				t.Errorf("%s: the pair is in row %d, column %d, want %d, %d", c.name, row, column, c.row, c.column)
			}
			relative, differ := difference(unitLogProbs(c.batch, tokens(c.batch), 2, c.unit), want)
			t.Logf("%-24s relative difference %.2g, %d of %d tokens", c.name, relative, differ, len(want))
			if c.exact && differ != 0 || relative > 1e-6 {
				t.Errorf("%s: the log-probability differs by %.2g, and %d of %d tokens differ",
					c.name, relative, differ, len(want))
			}
		}
		// The step's report does not depend on the neighbors either.
		single, beside := measureOne(t, stepper, alone), measureOne(t, stepper, fill(t, wide, p, q, r))
		if single.Loss[0] != beside.Loss[0] || !slices.Equal(single.Policy[:2], beside.Policy[:2]) ||
			!slices.Equal(single.Logits[:2], beside.Logits[:2]) {
			t.Errorf("alone: loss %v, log-probabilities %v; beside others: %v, %v",
				single.Loss[0], single.Policy[:2], beside.Loss[0], beside.Policy[:2])
		}
	})
}

// size returns the number of tokens of a pair with a shared prompt.
func size(p batch.Pair) int { return len(p.Chosen.IDs) + len(p.Rejected.IDs) - p.Chosen.PromptLength }

// swapRows exchanges the two rows of a batch.
func swapRows(b batch.Batch) batch.Batch {
	for _, x := range []*[]int32{&b.Tokens, &b.Positions, &b.Segments} {
		*x = slices.Concat((*x)[b.Length:], (*x)[:b.Length])
	}
	b.Index = slices.Clone(b.Index)
	for n, owner := range b.Owner {
		if owner >= 0 {
			b.Index[n] = (b.Index[n] + int32(b.Length)) % int32(2*b.Length)
		}
	}
	return b
}
