package goldentest

import (
	"bytes"
	"encoding/binary"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// checkWeights compares the trained model with the recorded final weights. For the two tensors over the vocabulary,
// the recording has only some rows and the distance that the whole tensor moved. Tensors that are not trained must
// equal the initial ones, byte for byte.
func (r *Run) checkWeights(ledger *Ledger, t testing.TB, dir string) {
	t.Helper()
	start, end := open(t, fixture.Mistral(t)), open(t, filepath.Join(dir, "model"))
	final, err := safetensors.Open(fixture.Path(t, "train", r.Name+".final.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer final.Close()
	for _, spec := range start.Config.Tensors() {
		name := spec.Name
		before, after := start.tensor(name), end.tensor(name)
		if !slices.Contains(r.Trainable, name) {
			if !bytes.Equal(before.Bytes, after.Bytes) {
				t.Errorf("%s is not trained, but it changed", name)
			}
			continue
		}
		w0, w, want := floats(before), floats(after), []float32(nil)
		moved := distance(w, w0)
		if data, err := final.Tensor(name); err == nil {
			want = floats(data)
		} else {
			rows, err := final.Tensor(name + ".rows")
			if err != nil {
				t.Fatal(err)
			}
			values, err := final.Tensor(name + ".values")
			if err != nil {
				t.Fatal(err)
			}
			want = floats(values)
			w0, w = rowsOf(w0, rows, spec.Dims[1]), rowsOf(w, rows, spec.Dims[1])
		}
		if r.Config["learning_rate"].(float64) < 1e-6 { // an update is about one unit in the last place
			ledger.CheckDeviation("final weights, absolute", name, maxDifference(w, want), 2.4e-7)
			continue
		}
		ledger.CheckDeviation("final weights, relative to their movement", name, distance(w, want)/distance(want, w0), 1e-3)
		ledger.CheckRelative("movement of a tensor", name, moved, r.Stats[name].DeltaL2, 1e-3)
	}
}

// model is a pretrained model with open files.
type model struct {
	*pretrained.Model
	t testing.TB
}

// open opens a model's files for the time of the test.
func open(t testing.TB, path string) model {
	t.Helper()
	c, err := pretrained.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return model{c, t}
}

// tensor reads a tensor.
func (m model) tensor(name string) safetensors.Tensor {
	m.t.Helper()
	data, err := m.Tensor(name)
	if err != nil {
		m.t.Fatal(err)
	}
	return data
}

// floats decodes a float32 tensor.
func floats(data safetensors.Tensor) []float32 {
	values := make([]float32, len(data.Bytes)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data.Bytes[4*i:]))
	}
	return values
}

// rowsOf returns some rows of a matrix, one after the other.
func rowsOf(values []float32, rows safetensors.Tensor, width int) (selected []float32) {
	for at := 0; at < len(rows.Bytes); at += 4 {
		row := int(binary.LittleEndian.Uint32(rows.Bytes[at:]))
		selected = append(selected, values[row*width:(row+1)*width]...)
	}
	return selected
}

// distance returns the Euclidean distance.
func distance(a, b []float32) float64 {
	sum := 0.0
	for i := range b {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return math.Sqrt(sum)
}

// maxDifference returns the largest absolute difference.
func maxDifference(a, b []float32) (largest float64) {
	for i := range b {
		largest = max(largest, math.Abs(float64(a[i])-float64(b[i])))
	}
	return largest
}
