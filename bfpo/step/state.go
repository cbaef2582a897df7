package step

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
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// MastersFile is the file of the master weights in a checkpoint.
const MastersFile = "masters.safetensors"

// State is everything that an optimizer step changes.
type State struct {
	Masters *device.TensorSet // float32 values of the trained weights, the policy's part of the weights
	M, V    *device.TensorSet // AdamW's first and second moments, float32
	Step    int               // optimizer steps done
}

// NewState starts from the weights of a model's checkpoint: masters as they are, moments zero.
func NewState(d *device.Device, model *mistral.Model, names []string) (State, error) {
	masters, err := mistral.LoadMasters(d, model, names)
	if err != nil {
		return State{}, err
	}
	s := State{Masters: masters}
	if s.M, err = zerosLike(d, masters); err == nil {
		s.V, err = zerosLike(d, masters)
	}
	return s, err
}

// PlannedState is the state that NewState would make, as shapes without values: enough to compile programs for.
func PlannedState(model *mistral.Model, names []string) State {
	planned := func() *device.TensorSet { return mistral.PlanMasters(model, names) }
	return State{Masters: planned(), M: planned(), V: planned()}
}

// Free frees the tensors of a state, also of one that is not complete.
func (s *State) Free() error {
	var errs []error
	for _, set := range s.sets() {
		if *set.at != nil {
			errs = append(errs, (*set.at).Finalize())
		}
	}
	return errors.Join(errs...)
}

// zerosLike makes float32 zeros in the shapes and the placement of ts; of planned tensors it returns a planned copy.
func zerosLike(d *device.Device, ts *device.TensorSet) (*device.TensorSet, error) {
	if ts.Planned != nil {
		zeros := *ts
		return &zeros, nil
	}
	zeros := &device.TensorSet{Mesh: ts.Mesh}
	var elements []byte // of the largest
	for i, name := range ts.Names {
		shape, cut := shapes.Make(dtypes.Float32, ts.Shape(i).Dimensions...), ts.IsSharded(i)
		row := int(shape.ByteSize()) / shape.Dimensions[0]
		parts, err := d.UploadOnMesh(ts.Mesh, shape, cut, func(first, end int) ([]byte, error) {
			n := (end - first) * row
			if n > len(elements) {
				elements = make([]byte, n)
			}
			return elements[:n], nil
		})
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", name, err)
		}
		zeros.AddOnMesh(name, parts, cut)
	}
	return zeros, nil
}

// sets lists the three sets of tensors with the names of their files in a checkpoint.
func (s *State) sets() []struct {
	file string
	at   **device.TensorSet
} {
	return []struct {
		file string
		at   **device.TensorSet
	}{{MastersFile, &s.Masters}, {"moment1.safetensors", &s.M}, {"moment2.safetensors", &s.V}}
}

// Files returns the tensors as files of a checkpoint, whole whatever devices they lie on. Their elements are copied to
// the host before it returns, several tensors at a time, so that the files can be written while the next step changes
// the tensors. Each file can be written once.
func (s *State) Files() ([]checkpoint.File, error) {
	var files []checkpoint.File
	var copies errgroup.Group
	copies.SetLimit(runtime.GOMAXPROCS(0))
	for _, set := range s.sets() {
		ts := *set.at
		sources := make([]safetensors.Source, len(ts.Names))
		for i, name := range ts.Names {
			copies.Go(func() (err error) {
				if sources[i], err = copyToHost(ts, i, set.file); err != nil {
					return fmt.Errorf("%s: tensor %s: %w", set.file, name, err)
				}
				return nil
			})
		}
		files = append(files,
			checkpoint.File{Name: set.file, Write: func(w io.Writer) error { return safetensors.Encode(w, nil, sources) }})
	}
	if err := copies.Wait(); err != nil {
		return nil, err
	}
	return files, nil
}

// copyToHost copies tensor i to the host; the copy is checked and released when it is written to the named file. A
// value that is not finite fails the checkpoint: training cannot continue from there.
func copyToHost(ts *device.TensorSet, i int, file string) (safetensors.Source, error) {
	shape := ts.Shape(i)
	data, err := ts.Download(i)
	return safetensors.Source{
		Name: ts.Names[i], DType: shape.DType, Dims: shape.Dimensions,
		Data: func() (taken []byte, err error) {
			taken, data = data, nil
			return taken, checkFinite(file, ts.Names[i], taken)
		},
	}, err
}

// Restore replaces the tensors by a checkpoint's, which must have the same names and shapes.
func (s *State) Restore(d *device.Device, c *checkpoint.Checkpoint) error {
	for _, set := range s.sets() {
		path, err := c.FilePath(set.file)
		if err != nil {
			return err
		}
		restored, err := readTensors(d, path, *set.at)
		if err != nil {
			return fmt.Errorf("checkpoint %s: %w", c.Path, err)
		}
		if err := (*set.at).Finalize(); err != nil {
			return err
		}
		*set.at = restored
	}
	s.Step = c.Step
	return nil
}

// readTensors uploads the tensors of a file in the order of like, after CheckTensors.
func readTensors(d *device.Device, path string, like *device.TensorSet) (*device.TensorSet, error) {
	file, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	specs := make([]config.TensorSpec, len(like.Names))
	for i, name := range like.Names {
		specs[i] = config.TensorSpec{Name: name, Dims: like.Shape(i).Dimensions}
	}
	if err := CheckTensors(file, specs); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	read, err := UploadTensors(d, like.Mesh, file, like.Names)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return read, nil
}

// UploadTensors puts the named tensors of a file on the devices of a mesh, sharded as what a step changes.
func UploadTensors(
	d *device.Device,
	mesh *device.Mesh,
	file *safetensors.File,
	names []string,
) (*device.TensorSet, error) {
	return device.UploadAll(mesh, names, func(i int) ([]*tensors.Tensor, bool, error) {
		data, err := file.Tensor(names[i])
		if err != nil {
			return nil, false, err
		}
		if len(data.Bytes) == 0 || len(data.Dims) == 0 {
			return nil, false, fmt.Errorf("tensor %s: %v is not the shape of a weight", data.Name, data.Dims)
		}
		cut, row := mesh.IsSharded(data.Name, data.Dims), len(data.Bytes)/data.Dims[0]
		parts, err := d.UploadOnMesh(mesh, shapes.Make(data.DType, data.Dims...), cut, func(first, end int) ([]byte, error) {
			return data.Bytes[first*row : end*row], nil
		})
		if err != nil {
			return nil, false, fmt.Errorf("tensor %s: %w", data.Name, err)
		}
		return parts, cut, nil
	})
}
