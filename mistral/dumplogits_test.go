package mistral_test

import (
	"encoding/binary"
	"os"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// Writes the file that testdata/check_export.py --logits compares: the float32 logits of the model
// BFPO_LOGITS_MODEL for the tokens that check_export.py --write-ids wrote to BFPO_LOGITS_IDS. The file is
// BFPO_LOGITS_OUT.
func TestDumpLogits(t *testing.T) {
	path, ids, out := os.Getenv("BFPO_LOGITS_MODEL"), os.Getenv("BFPO_LOGITS_IDS"), os.Getenv("BFPO_LOGITS_OUT")
	if path == "" || ids == "" || out == "" {
		t.Skip("BFPO_LOGITS_MODEL, BFPO_LOGITS_IDS and BFPO_LOGITS_OUT are not set")
	}
	data, err := os.ReadFile(ids)
	if err != nil {
		t.Fatal(err)
	}
	const rows = 4
	tokens := make([]int32, len(data)/4)
	_, err = binary.Decode(data, binary.LittleEndian, tokens)
	if err != nil || len(tokens) == 0 || len(tokens)%rows != 0 {
		t.Fatalf("%s: %d bytes are not %d rows of int32: %v", ids, len(data), rows, err)
	}
	checkpoint, err := pretrained.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer checkpoint.Close()
	d := graphtest.Device(t)
	m, err := mistral.Load(d, checkpoint, dtypes.Float32)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	length := len(tokens) / rows
	logits := textLogits(t, d, m, tokens, length)
	ids64 := make([]int64, len(tokens))
	for i, id := range tokens {
		ids64[i] = int64(id)
	}
	idBytes, err := binary.Append(nil, binary.LittleEndian, ids64)
	if err != nil {
		t.Fatal(err)
	}
	err = safetensors.Write(out, nil, []safetensors.Source{
		{Name: "input_ids", DType: dtypes.Int64, Dims: []int{rows, length},
			Data: func() ([]byte, error) { return idBytes, nil }},
		{Name: "logits", DType: dtypes.Float32, Dims: []int{rows, length, m.Config.VocabSize},
			Data: func() ([]byte, error) { return logits, nil }},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// textLogits returns the logits of rows of one text each, as float32 bytes.
func textLogits(t *testing.T, d *device.Device, m *mistral.Model, tokens []int32, length int) []byte {
	t.Helper()
	positions, segments := make([]int32, len(tokens)), make([]int32, len(tokens))
	for i := range tokens {
		positions[i], segments[i] = int32(i%length), 1<<graph.BranchBits
	}
	p := device.NewProgram(d, "logits", func(in [][]*Node) [][]*Node {
		w := graph.NewWeights(m.Base.Names, in[0]).WithDType(dtypes.Float32).ForInference()
		h := mistral.Hidden(m.Config, w, asInput(in[1]), false)
		return [][]*Node{{graph.Logits(Reshape(h, -1, h.Shape().Dim(-1)), mistral.Head(m.Config, w))}}
	})
	defer p.Close()
	var in []*tensors.Tensor
	for _, values := range [][]int32{tokens, positions, segments} {
		in = append(in, tensors.FromFlatDataAndDimensions(values, len(tokens)/length, length))
	}
	out, err := p.Call(m.Base.Values, in)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	logits, err := d.Download(out[0][0])
	if err != nil {
		t.Fatal(err)
	}
	return logits
}
