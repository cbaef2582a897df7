package bfpo

import (
	"fmt"
	"io"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/mistral"
)

// mastersName is the file of the trained weights in a checkpoint.
const mastersName = "masters.safetensors"

// newTrained starts from the model's weights: masters as they are, moments zero.
func newTrained(d *graph.Device, model *mistral.Model, names []string) (Trained, error) {
	masters, err := mistral.Masters(d, model, names)
	if err != nil {
		return Trained{}, err
	}
	m, err := zerosLike(d, masters)
	if err != nil {
		return Trained{}, err
	}
	v, err := zerosLike(d, masters)
	return Trained{Masters: masters, M: m, V: v}, err
}

// zerosLike makes f32 zeros of the shapes of ts.
func zerosLike(d *graph.Device, ts *graph.Tensors) (*graph.Tensors, error) {
	zeros := &graph.Tensors{}
	if ts.Planned != nil {
		return ts, nil
	}
	for i, t := range ts.Values {
		shape := shapes.Make(dtypes.Float32, t.Shape().Dimensions...)
		value, err := d.Upload(shape, make([]byte, shape.ByteSize()))
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", ts.Names[i], err)
		}
		zeros.Add(ts.Names[i], value)
	}
	return zeros, nil
}

// sets are the three sets of tensors by the name of their file in a checkpoint.
func (t *Trained) sets() []struct {
	file string
	at   **graph.Tensors
} {
	return []struct {
		file string
		at   **graph.Tensors
	}{{mastersName, &t.Masters}, {"moment1.safetensors", &t.M}, {"moment2.safetensors", &t.V}}
}

// files are the tensors as files of a checkpoint. Each is read from the device when it is written.
func (t *Trained) files(d *graph.Device) []CheckpointFile {
	var files []CheckpointFile
	for _, set := range t.sets() {
		tensors := *set.at
		files = append(files, CheckpointFile{set.file, func(w io.Writer) error {
			return mistral.EncodeSafetensors(w, nil, tensorSources(d, tensors))
		}})
	}
	return files
}

func tensorSources(d *graph.Device, ts *graph.Tensors) []mistral.TensorSource {
	var sources []mistral.TensorSource
	for i, t := range ts.Values {
		sources = append(sources, mistral.TensorSource{
			Name: ts.Names[i], DType: t.DType(), Dims: t.Shape().Dimensions,
			Data: func() ([]byte, error) { return d.Download(t) },
		})
	}
	return sources
}

// restore replaces the tensors by those of a checkpoint, which must have the same names and shapes.
func (t *Trained) restore(d *graph.Device, c *Checkpoint) error {
	for _, set := range t.sets() {
		restored, err := readTensors(d, c.File(set.file), *set.at)
		if err != nil {
			return fmt.Errorf("checkpoint %s: %w", c.Path, err)
		}
		if err := (*set.at).Finalize(); err != nil {
			return err
		}
		*set.at = restored
	}
	t.Step = c.Step
	return nil
}

// readTensors uploads the tensors of a file in the order, and after checking the shapes, of like.
func readTensors(d *graph.Device, path string, like *graph.Tensors) (*graph.Tensors, error) {
	file, err := mistral.OpenSafetensors(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for i, name := range like.Names {
		data, err := file.Tensor(name)
		if err != nil {
			return nil, err
		}
		if shape, want := shapes.Make(data.DType, data.Dims...), like.Values[i].Shape(); !shape.Equal(want) {
			return nil, fmt.Errorf("%s: tensor %s is %s, the model wants %s", path, name, shape, want)
		}
	}
	return uploadTensors(d, file, like.Names)
}

// uploadTensors puts the named tensors of a file on a device.
func uploadTensors(d *graph.Device, file *mistral.Safetensors, names []string) (*graph.Tensors, error) {
	read := &graph.Tensors{}
	for _, name := range names {
		data, err := file.Tensor(name)
		if err != nil {
			return nil, err
		}
		value, err := d.Upload(shapes.Make(data.DType, data.Dims...), data.Bytes)
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", name, err)
		}
		read.Add(name, value)
	}
	return read, nil
}
