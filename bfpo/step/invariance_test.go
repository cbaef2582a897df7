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
	return Options{Objective: bfpo.Objective{Name: objective, Beta: 0.1, B1: 3, Alpha: 0.5}, Optimizer: graph.AdamW{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}, DType: dtypes.Float32}
}

// tokenProgram gives the policy's log-probability of each target of a batch.
func tokenProgram(t *testing.T, s *Stepper) func(batch.Batch) []float32 {
	p := device.NewProgram(graphtest.Device(t), "tokens", func(in [][]*Node) [][]*Node {
		logProb, _ := s.graphs.logProbs(s.graphs.policy(in[0], in[1]), newBatchNodes(in[2], s.graphs.responsesPerUnit()), graph.HeadGradient{}, false)
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

// ofUnit returns the log-probabilities of the targets of one unit: a pair, chosen before rejected, or a row.
func ofUnit(b batch.Batch, logProb []float32, perUnit, unit int) (x []float32) {
	for response := perUnit * unit; response < perUnit*(unit+1); response++ {
		for n, owner := range b.Owner {
			if int(owner) == response {
				x = append(x, logProb[n])
			}
		}
	}
	return x
}

func fill[T batch.Example](t *testing.T, shape batch.Shape, examples ...T) batch.Batch {
	t.Helper()
	b, err := batch.Fill(examples, batch.Shared, []batch.Shape{shape})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// difference is the relative difference of two sums over tokens, and how many tokens differ at all.
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

// The log-probabilities of a pair do not depend on its place in the batch or on its neighbours: they are equal to
// the last bit where the same program has the pair in the same columns, and otherwise up to the rounding of the
// sums over keys, which are added column by column.
func TestPairIsIndependentOfItsBatch(t *testing.T) {
	onModels(t, dtypes.Float32, func(t *testing.T, model *mistral.Model) {
		stepper := newTestStepper(t, model, []string{"down_proj"}, testOptions("bfpo"))
		tokens := tokenProgram(t, stepper)
		pairs := runtest.RandomPairs(model.Config.VocabSize, 4)
		longest, p, q, r := pairs[3], pairs[2], pairs[1], pairs[0] // of 124, 109, 94 and 79 tokens
		wide := batch.Shape{Rows: 2, Length: 288, Targets: 384, Responses: 6}
		alone := fill(t, wide, p)
		want := ofUnit(alone, tokens(alone), 2, 0)
		dirty := fill(t, wide, p)
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
			row, column int // where the prompt's end is to be
			exact       bool
		}{
			{"again", fill(t, wide, p), 0, 0, 30, true},
			{"other padding", dirty, 0, 0, 30, true},
			{"before a neighbour", fill(t, wide, p, q), 0, 0, 30, true},
			{"before another neighbour", fill(t, wide, p, r), 0, 0, 30, true},
			{"before two neighbours", fill(t, wide, p, q, r), 0, 0, 30, true},
			{"in the second row", inSecondRow(alone), 0, 1, 30, true},
			{"behind a neighbour", fill(t, wide, q, p), 1, 0, 94 + 30, false},
			{"behind two neighbours", fill(t, wide, r, q, p), 2, 0, 79 + 94 + 30, false},
			{"without padding", fill(t, batch.Shape{Rows: 1, Length: size(p), Targets: len(want), Responses: 2}, p), 0, 0, 30, false},
			{"in a long row", fill(t, batch.Shape{Rows: 1, Length: 640, Targets: 544, Responses: 8}, longest, q, p), 2, 0, 124 + 94 + 30, false},
		} {
			first := int(c.batch.Index[slices.Index(c.batch.Owner, int32(2*c.unit))])
			if row, column := first/c.batch.Length, first%c.batch.Length; row != c.row || column != c.column {
				t.Errorf("%s: the pair lies at row %d, column %d, not %d, %d", c.name, row, column, c.row, c.column)
			}
			relative, differ := difference(ofUnit(c.batch, tokens(c.batch), 2, c.unit), want)
			t.Logf("%-24s relative difference %.2g, %d of %d tokens", c.name, relative, differ, len(want))
			if c.exact && differ != 0 || relative > 1e-6 {
				t.Errorf("%s: the log-probability differs by %.2g, that of %d tokens of %d", c.name, relative, differ, len(want))
			}
		}
		// So is what a step reports of it.
		measured, beside := measureOne(t, stepper, alone), measureOne(t, stepper, fill(t, wide, p, q, r))
		if measured.Loss[0] != beside.Loss[0] || !slices.Equal(measured.Policy[:2], beside.Policy[:2]) || !slices.Equal(measured.Logits[:2], beside.Logits[:2]) {
			t.Errorf("alone: loss %v, log-probabilities %v, beside others %v, %v", measured.Loss[0], measured.Policy[:2], beside.Loss[0], beside.Policy[:2])
		}
	})
}

func size(p batch.Pair) int { return len(p.Chosen.IDs) + len(p.Rejected.IDs) - p.Chosen.Prompt }

// inSecondRow exchanges the two rows of a batch.
func inSecondRow(b batch.Batch) batch.Batch {
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
