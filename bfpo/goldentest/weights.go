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

// checkWeights compares the trained model with the recorded final weights. Of the two tensors over the vocabulary some rows are
// recorded, and how far the whole has moved. What is not trained has to be the start's, byte for byte.
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
				t.Errorf("%s is not trained, yet it differs from the start", name)
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
			ledger.Within("final weights, absolute", name, largest(w, want), 2.4e-7)
			continue
		}
		ledger.Within("final weights, of the way they moved", name, distance(w, want)/distance(want, w0), 1e-3)
		ledger.Close("way that a tensor moved", name, moved, r.Stats[name].DeltaL2, 1e-3)
	}
}

// model is an open checkpoint.
type model struct {
	*pretrained.Checkpoint
	t testing.TB
}

func open(t testing.TB, path string) model {
	t.Helper()
	c, err := pretrained.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return model{c, t}
}

func (m model) tensor(name string) safetensors.Tensor {
	m.t.Helper()
	data, err := m.Tensor(name)
	if err != nil {
		m.t.Fatal(err)
	}
	return data
}

func floats(data safetensors.Tensor) []float32 {
	values := make([]float32, len(data.Bytes)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data.Bytes[4*i:]))
	}
	return values
}

// rowsOf are some rows of a matrix.
func rowsOf(values []float32, rows safetensors.Tensor, width int) (some []float32) {
	for at := 0; at < len(rows.Bytes); at += 4 {
		row := int(binary.LittleEndian.Uint32(rows.Bytes[at:]))
		some = append(some, values[row*width:(row+1)*width]...)
	}
	return some
}

// distance is Euclidean.
func distance(a, b []float32) float64 {
	sum := 0.0
	for i := range b {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return math.Sqrt(sum)
}

func largest(a, b []float32) (most float64) {
	for i := range b {
		most = max(most, math.Abs(float64(a[i])-float64(b[i])))
	}
	return most
}
