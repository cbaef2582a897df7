package device

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sync/errgroup"
)

// TensorSet holds named tensors in a fixed order, such as the weights of a model or one moment of an optimizer. A
// Program takes Values as one group of arguments, or Group on a mesh; results in the same order belong to the same
// names.
type TensorSet struct {
	Names  []string
	Values []*tensors.Tensor // of the first device

	// Planned replaces Values where tensors are only planned, for compiling programs and adding up sizes. It holds the
	// shapes on each device.
	Planned []shapes.Shape

	Mesh         *Mesh               // nil: one device
	Sharded      []bool              // on a mesh: which tensors are sharded along their rows
	OtherDevices [][]*tensors.Tensor // on a mesh: the tensors of the second device, of the third, ...
}

// Group returns the tensors of all devices.
func (ts *TensorSet) Group() Group { return append(Group{ts.Values}, ts.OtherDevices...) }

// Replace replaces the tensors of all devices by the results of a Program.
func (ts *TensorSet) Replace(g Group) { ts.Values, ts.OtherDevices = g[0], g[1:] }

// Shape returns the whole shape of tensor i, sharded or not.
func (ts *TensorSet) Shape(i int) shapes.Shape {
	shape := ts.localShape(i).Clone()
	if ts.IsSharded(i) {
		shape.Dimensions[0] *= ts.Mesh.Shards
	}
	return shape
}

// localShape returns the shape of tensor i on each device.
func (ts *TensorSet) localShape(i int) shapes.Shape {
	if ts.Planned != nil {
		return ts.Planned[i]
	}
	return ts.Values[i].Shape()
}

// IsSharded reports whether each device has only a shard of tensor i.
func (ts *TensorSet) IsSharded(i int) bool { return i < len(ts.Sharded) && ts.Sharded[i] }

// AddOnMesh appends a tensor, given its value on each device: a shard of the rows if sharded, else the whole tensor.
func (ts *TensorSet) AddOnMesh(name string, values []*tensors.Tensor, sharded bool) {
	ts.Add(name, values[0])
	if ts.Mesh == nil {
		return
	}
	ts.Sharded = append(ts.Sharded, sharded)
	if ts.OtherDevices == nil {
		ts.OtherDevices = make([][]*tensors.Tensor, len(values)-1)
	}
	for d, value := range values[1:] {
		ts.OtherDevices[d] = append(ts.OtherDevices[d], value)
	}
}

// AddPlanned appends a planned tensor, given its whole shape.
func (ts *TensorSet) AddPlanned(name string, whole shapes.Shape, sharded bool) {
	local := whole.Clone()
	if ts.Mesh != nil {
		ts.Sharded = append(ts.Sharded, sharded)
		if sharded {
			local.Dimensions[0] /= ts.Mesh.Shards
		}
	}
	ts.Names, ts.Planned = append(ts.Names, name), append(ts.Planned, local)
}

// Index returns the index of the tensor called name, or -1.
func (ts *TensorSet) Index(name string) int { return slices.Index(ts.Names, name) }

// Get returns the tensor called name on the first device; it is an error if there is none.
func (ts *TensorSet) Get(name string) (*tensors.Tensor, error) {
	if i := ts.Index(name); i >= 0 {
		return ts.Values[i], nil
	}
	return nil, fmt.Errorf("no tensor %s", name)
}

// Add appends a tensor of one device. The name must be new.
func (ts *TensorSet) Add(name string, value *tensors.Tensor) {
	ts.Names = append(ts.Names, name)
	ts.Values = append(ts.Values, value)
}

// Bytes returns the memory that the tensors take on each device.
func (ts *TensorSet) Bytes() int64 {
	var n int64
	for _, shape := range ts.Shapes() {
		n += shape.ByteSize()
	}
	return n
}

// Shapes returns the shapes on each device, in order, as Program.Compile takes them.
func (ts *TensorSet) Shapes() []shapes.Shape {
	all := make([]shapes.Shape, max(len(ts.Values), len(ts.Planned)))
	for i := range all {
		all[i] = ts.localShape(i)
	}
	return all
}

// Finalize frees the tensors and empties the set. It skips tensors that a Program consumed.
func (ts *TensorSet) Finalize() error {
	var errs []error
	for _, values := range ts.Group() {
		for i, t := range values {
			if err := t.FinalizeAll(); err != nil {
				errs = append(errs, fmt.Errorf("tensor %s: %w", ts.Names[i], err))
			}
		}
	}
	ts.Names, ts.Values, ts.Sharded, ts.OtherDevices = nil, nil, nil, nil
	return errors.Join(errs...)
}

// UploadAll returns the set of the named tensors and uploads several of them at a time. upload returns the values of
// tensor i on each device, as UploadOnMesh does, and whether the tensor is sharded. After an error nothing stays on the
// devices.
func UploadAll(m *Mesh, names []string,
	upload func(i int) (values []*tensors.Tensor, sharded bool, err error)) (*TensorSet, error) {
	values, sharded := make([][]*tensors.Tensor, len(names)), make([]bool, len(names))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range names {
		group.Go(func() (err error) {
			values[i], sharded[i], err = upload(i)
			return err
		})
	}
	err := group.Wait()
	ts := &TensorSet{Mesh: m}
	for i, name := range names {
		if values[i] != nil {
			ts.AddOnMesh(name, values[i], sharded[i])
		}
	}
	if err != nil {
		ts.Finalize() // the upload's error matters, not one of this clean-up
		return nil, err
	}
	return ts, nil
}

// Upload returns a tensor on the device with the elements in data, in little-endian row-major order. It copies data
// once, directly into the device's memory; data may be a mapped file and need not be aligned.
func (d *Device) Upload(shape shapes.Shape, data []byte) (*tensors.Tensor, error) {
	return d.upload(d.number, shape, data)
}

// upload is Upload to a device that is counted from 0.
func (d *Device) upload(device int, shape shapes.Shape, data []byte) (*tensors.Tensor, error) {
	if want := shape.ByteSize(); want != int64(len(data)) {
		return nil, fmt.Errorf("upload of %s: %d bytes, want %d", shape, len(data), want)
	}
	t, err := tensors.FromRaw(d.Backend, compute.DeviceNum(device), shape, aligned(data, shape.DType))
	if err != nil {
		return nil, fmt.Errorf("upload of %s: %w", shape, err)
	}
	return t, nil
}

// UploadOnMesh uploads a tensor of the given whole shape to every device of a mesh, sharded along its rows or
// replicated, and returns its value on each device. read returns the elements of a range of rows; it is called once
// for each shard, or once for all rows of a replicated tensor. After an error nothing stays on a device.
func (d *Device) UploadOnMesh(m *Mesh, shape shapes.Shape, sharded bool,
	read func(fromRow, toRow int) ([]byte, error)) (values []*tensors.Tensor, err error) {
	values = make([]*tensors.Tensor, m.Devices())
	defer func() {
		if err != nil {
			for _, t := range values {
				if t != nil {
					t.MustFinalizeAll()
				}
			}
			values = nil
		}
	}()
	local, shards, rows := shape.Clone(), 1, 0
	if shape.Rank() > 0 {
		rows = shape.Dimensions[0]
	}
	if sharded {
		shards, rows = m.Shards, rows/m.Shards
		local.Dimensions[0] = rows
	}
	for shard := range shards {
		data, err := read(shard*rows, (shard+1)*rows)
		if err != nil {
			return values, err
		}
		for device := shard; device < len(values); device += shards {
			if values[device], err = d.upload(device, local, data); err != nil {
				return values, err
			}
		}
	}
	return values, nil
}

// aligned returns data, or a copy if its address is not aligned for elements of dtype: Go's typed slices need
// alignment, and safetensors files do not guarantee it.
func aligned(data []byte, dtype dtypes.DType) []byte {
	if len(data) == 0 || uintptr(unsafe.Pointer(unsafe.SliceData(data)))%uintptr(dtype.Size()) == 0 {
		return data
	}
	return slices.Clone(data)
}

// Download returns the elements of the whole tensor i, as Device.Download does; it joins the shards of a sharded
// tensor.
func (ts *TensorSet) Download(i int) ([]byte, error) {
	if !ts.IsSharded(i) {
		return download(ts.Values[i], nil)
	}
	data := make([]byte, ts.Shape(i).ByteSize())
	size := len(data) / ts.Mesh.Shards
	for shard, values := range ts.Group()[:ts.Mesh.Shards] {
		if _, err := download(values[i], data[shard*size:(shard+1)*size]); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// Download returns the elements of t in little-endian row-major order. It stores no host copy in t.
func (d *Device) Download(t *tensors.Tensor) ([]byte, error) { return download(t, nil) }

// download reads t's elements into data, or into new memory if data is nil.
func download(t *tensors.Tensor, data []byte) ([]byte, error) {
	if err := t.CheckValid(); err != nil { // a program may have consumed it
		return nil, fmt.Errorf("download: %w", err)
	}
	if data == nil {
		data = make([]byte, t.ByteSize())
	}
	if len(data) == 0 {
		return data, nil
	}
	if t.HasLocal() {
		err := t.ConstBytes(func(b []byte) { copy(data, b) })
		return data, err
	}
	backend, err := t.Backend()
	if err != nil {
		return nil, fmt.Errorf("download of %s: %w", t.Shape(), err)
	}
	device, err := t.Device()
	if err != nil {
		return nil, fmt.Errorf("download of %s: %w", t.Shape(), err)
	}
	buffer, err := t.Buffer(backend, device)
	if err != nil {
		return nil, fmt.Errorf("download of %s: %w", t.Shape(), err)
	}
	flat := dtypes.UnsafeAnySliceFromBytes(unsafe.Pointer(unsafe.SliceData(data)), t.DType(), t.Size())
	if err := buffer.ToFlatData(flat); err != nil {
		return nil, fmt.Errorf("download of %s: %w", t.Shape(), err)
	}
	return data, nil
}
