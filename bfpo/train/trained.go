package train

import (
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sync/errgroup"

	"github.com/bfpo-go/bfpo/bfpo/checkpoint"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// mastersName is the file of the trained weights in a checkpoint.
const MastersName = "masters.safetensors"

// newTrained starts from the model's weights: masters as they are, moments zero.
func newTrained(d *device.Device, model *mistral.Model, names []string) (Trained, error) {
	masters, err := mistral.Masters(d, model, names)
	if err != nil {
		return Trained{}, err
	}
	t := Trained{Masters: masters}
	if t.M, err = zerosLike(d, masters); err == nil {
		t.V, err = zerosLike(d, masters)
	}
	return t, err
}

// free frees the tensors that there are.
func (t *Trained) free() error {
	var errs []error
	for _, set := range t.sets() {
		if *set.at != nil {
			errs = append(errs, (*set.at).Finalize())
		}
	}
	return errors.Join(errs...)
}

// zerosLike makes f32 zeros of the shapes of ts, cut as ts is; of planned tensors, others that are planned.
func zerosLike(d *device.Device, ts *device.Tensors) (*device.Tensors, error) {
	if ts.Planned != nil {
		zeros := *ts
		return &zeros, nil
	}
	zeros := &device.Tensors{Mesh: ts.Mesh}
	var elements []byte // of the largest
	for i, name := range ts.Names {
		shape, cut := shapes.Make(dtypes.Float32, ts.Shape(i).Dimensions...), ts.IsCut(i)
		row := int(shape.ByteSize()) / shape.Dimensions[0]
		parts, err := d.UploadParts(ts.Mesh, shape, cut, func(first, end int) ([]byte, error) {
			n := (end - first) * row
			if n > len(elements) {
				elements = make([]byte, n)
			}
			return elements[:n], nil
		})
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", name, err)
		}
		zeros.AddParts(name, parts, cut)
	}
	return zeros, nil
}

// sets are the three sets of tensors by the name of their file in a checkpoint.
func (t *Trained) sets() []struct {
	file string
	at   **device.Tensors
} {
	return []struct {
		file string
		at   **device.Tensors
	}{{MastersName, &t.Masters}, {"moment1.safetensors", &t.M}, {"moment2.safetensors", &t.V}}
}

// files are the tensors as files of a checkpoint, whole whatever devices they lie on. Their elements are copied to the host now, several
// tensors at a time, so that they can be written while the next step changes the tensors; each copy can be written once.
func (t *Trained) files() ([]checkpoint.File, error) {
	var files []checkpoint.File
	var copies errgroup.Group
	copies.SetLimit(runtime.GOMAXPROCS(0))
	for _, set := range t.sets() {
		ts := *set.at
		sources := make([]safetensors.Source, len(ts.Names))
		for i, name := range ts.Names {
			copies.Go(func() (err error) {
				if sources[i], err = copied(ts, i); err != nil {
					return fmt.Errorf("%s: tensor %s: %w", set.file, name, err)
				}
				return nil
			})
		}
		files = append(files, checkpoint.File{Name: set.file, Write: func(w io.Writer) error { return safetensors.Encode(w, nil, sources) }})
	}
	if err := copies.Wait(); err != nil {
		return nil, err
	}
	return files, nil
}

// copied is a copy of tensor i, which is given up when it is written.
func copied(ts *device.Tensors, i int) (safetensors.Source, error) {
	shape := ts.Shape(i)
	data, err := ts.Whole(i)
	return safetensors.Source{
		Name: ts.Names[i], DType: shape.DType, Dims: shape.Dimensions,
		Data: func() (taken []byte, err error) {
			taken, data = data, nil
			return taken, nil
		},
	}, err
}

// restore replaces the tensors by those of a checkpoint, which must have the same names and shapes.
func (t *Trained) restore(d *device.Device, c *checkpoint.Checkpoint) error {
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
func readTensors(d *device.Device, path string, like *device.Tensors) (*device.Tensors, error) {
	file, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for i, name := range like.Names {
		data, err := file.Tensor(name)
		if err != nil {
			return nil, err
		}
		if shape, want := shapes.Make(data.DType, data.Dims...), like.Shape(i); !shape.Equal(want) {
			return nil, fmt.Errorf("%s: tensor %s is %s, the model wants %s", path, name, shape, want)
		}
	}
	read, err := UploadTensors(d, like.Mesh, file, like.Names)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return read, nil
}

// uploadTensors puts the named tensors of a file, of which steps change all, on the devices of a mesh.
func UploadTensors(d *device.Device, mesh *device.Mesh, file *safetensors.File, names []string) (*device.Tensors, error) {
	return device.UploadAll(mesh, names, func(i int) ([]*tensors.Tensor, bool, error) {
		data, err := file.Tensor(names[i])
		if err != nil {
			return nil, false, err
		}
		cut, row := mesh.Cuts(data.Name, data.Dims), len(data.Bytes)/data.Dims[0]
		parts, err := d.UploadParts(mesh, shapes.Make(data.DType, data.Dims...), cut, func(first, end int) ([]byte, error) {
			return data.Bytes[first*row : end*row], nil
		})
		if err != nil {
			return nil, false, fmt.Errorf("tensor %s: %w", data.Name, err)
		}
		return parts, cut, nil
	})
}
