package hlo

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

// message builds a protocol buffer of fields: numbers, bytes, texts and messages.
func message(fields ...any) (out []byte) {
	for i := 0; i < len(fields); i += 2 {
		field := protowire.Number(fields[i].(int))
		switch value := fields[i+1].(type) {
		case int:
			out = protowire.AppendVarint(protowire.AppendTag(out, field, protowire.VarintType), uint64(value))
		case string:
			out = protowire.AppendString(protowire.AppendTag(out, field, protowire.BytesType), value)
		case []byte:
			out = protowire.AppendBytes(protowire.AppendTag(out, field, protowire.BytesType), value)
		}
	}
	return out
}

// shapeOf is a ShapeProto.
func shapeOf(element int, dims ...int) []byte {
	out := message(2, element)
	for _, d := range dims {
		out = append(out, message(3, d)...)
	}
	return out
}

// bf16Program is a module of two equal bfloat16 products [4,8] x [16,8]^T, an attention call and a gather.
func bf16Program() []byte {
	x, w := message(2, "parameter", 35, 1, 3, shapeOf(16, 4, 8)), message(2, "parameter", 35, 2, 3, shapeOf(16, 16, 8))
	dot := func(id int) []byte {
		return message(2, "dot", 35, id, 36, 1, 36, 2, 3, shapeOf(16, 4, 16), 30, message(1, 1, 2, 1))
	}
	mixed := message(4, shapeOf(16, 2, 4, 32, 8), 4, shapeOf(11, 2, 4, 32))
	attention := message(2, "custom-call", 28, "__cudnn$fmhaSoftmaxBackward", 35, 9, 36, []byte{1, 2}, 3, mixed,
		43, `{"cudnn_fmha_backend_config":{"mask_type":"CAUSAL"}}`)
	product := message(2, "custom-call", 28, "__cublas$gemm", 35, 10, 36, []byte{1, 2}, 3, message(4, shapeOf(11, 4,
		16), 4, shapeOf(6, 100)),
		43, `{"gemm_backend_config":{"dot_dimension_numbers":{"lhs_contracting_dimensions":["1"]}}}`)
	gather := message(2, "all-gather-start", 35, 11, 36, 1, 3, message(4, shapeOf(16, 4, 8), 4, shapeOf(16, 8, 8)))
	computation := message(1, "main", 2, x, 2, w, 2, dot(3), 2, dot(4), 2, attention, 2, product, 2, gather)
	return message(1, "module", 3, computation)
}

func TestOperations(t *testing.T) {
	want := []string{
		"1 x __cudnn$fmhaSoftmaxBackward(bf16[4,8], bf16[16,8]) -> bf16[2,4,32,8]",
		"2 x dot(bf16[4,8], bf16[16,8]) -> bf16[4,16]",
		"1 x __cublas$gemm(bf16[4,8], bf16[16,8]) -> f32[4,16]",
		"1 x all-gather-start(bf16[4,8]) -> bf16[4,8]",
	}
	flops := []float64{2 * 2.5 * (2 * 4 * 32 * 8) * 32, 2 * (2 * 4 * 16 * 8), 2 * 4 * 16 * 8, 0}
	for _, withConfig := range []bool{false, true} {
		program := bf16Program()
		if withConfig {
			program = message(1, program, 2, "configuration")
		}
		got, err := Operations(program, withConfig)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%v, %v", got, err)
		}
		for i, o := range got {
			if o.String() != want[i] || o.FLOPs != flops[i] {
				t.Errorf("got %v with %g FLOPs, want %s with %g", o, o.FLOPs, want[i], flops[i])
			}
		}
		if sum := (&Work{got}).FLOPs(); sum != flops[0]+flops[1]+flops[2] {
			t.Errorf("%g FLOPs in all", sum)
		}
	}
	if n := (*Work)(nil).FLOPs(); n != 0 {
		t.Errorf("%g FLOPs of an unknown program", n)
	}
}

func FuzzOperations(f *testing.F) {
	f.Add(bf16Program())
	f.Add([]byte{0x1a, 0xff})
	f.Fuzz(func(t *testing.T, program []byte) {
		fuzztest.Bounded(t, len(program), 10*time.Second, func() {
			operations, err := Operations(program, false)
			if err != nil && strings.Contains(err.Error(), "\n") || slices.ContainsFunc(operations,
				func(o Operation) bool { return o.Count < 1 }) {
				t.Errorf("%v, %v", operations, err)
			}
		})
	})
}
