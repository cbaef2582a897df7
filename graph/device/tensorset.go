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

// Tensors are named tensors in a fixed order: the weights of a model, or one moment of an optimizer. Values is what a Program of one device
// takes as a group; a result in the same order keeps the names. On a mesh, Group is what a Program takes, and Values lie on the first
// device.
type Tensors struct {
	Names  []string
	Values []*tensors.Tensor

	// Planned are the shapes on each device of tensors that are not there: instead of Values, for compiling programs and adding up sizes.
	Planned []shapes.Shape

	Mesh   *Mesh               // nil: one device
	Cut    []bool              // on a mesh: of which tensors each device has a part of the rows
	Others [][]*tensors.Tensor // on a mesh: what the second device has, the third, ...
}

// Group returns the tensors of all devices.
func (ts *Tensors) Group() Group { return append(Group{ts.Values}, ts.Others...) }

// Replace puts the results of a Program in place of the tensors.
func (ts *Tensors) Replace(g Group) { ts.Values, ts.Others = g[0], g[1:] }

// Shape returns the shape of tensor i as a whole.
func (ts *Tensors) Shape(i int) shapes.Shape {
	shape := ts.local(i).Clone()
	if ts.IsCut(i) {
		shape.Dimensions[0] *= ts.Mesh.Shards
	}
	return shape
}

// local is the shape of tensor i on each device.
func (ts *Tensors) local(i int) shapes.Shape {
	if ts.Planned != nil {
		return ts.Planned[i]
	}
	return ts.Values[i].Shape()
}

// IsCut tells whether each device has a part of tensor i only.
func (ts *Tensors) IsCut(i int) bool { return i < len(ts.Cut) && ts.Cut[i] }

// AddParts appends a tensor of which device d has parts[d]: a part of the rows if cut, else the whole.
func (ts *Tensors) AddParts(name string, parts []*tensors.Tensor, cut bool) {
	ts.Add(name, parts[0])
	if ts.Mesh == nil {
		return
	}
	ts.Cut = append(ts.Cut, cut)
	if ts.Others == nil {
		ts.Others = make([][]*tensors.Tensor, len(parts)-1)
	}
	for d, part := range parts[1:] {
		ts.Others[d] = append(ts.Others[d], part)
	}
}

// Plan appends a tensor that is not there, of a whole shape: a part of its rows on each device if cut.
func (ts *Tensors) Plan(name string, whole shapes.Shape, cut bool) {
	local := whole.Clone()
	if ts.Mesh != nil {
		ts.Cut = append(ts.Cut, cut)
		if cut {
			local.Dimensions[0] /= ts.Mesh.Shards
		}
	}
	ts.Names, ts.Planned = append(ts.Names, name), append(ts.Planned, local)
}

// Index returns the place of the tensor called name, or -1.
func (ts *Tensors) Index(name string) int { return slices.Index(ts.Names, name) }

// Get returns the tensor called name.
func (ts *Tensors) Get(name string) (*tensors.Tensor, error) {
	if i := ts.Index(name); i >= 0 {
		return ts.Values[i], nil
	}
	return nil, fmt.Errorf("no tensor %s", name)
}

// Add appends a tensor. The name must be new.
func (ts *Tensors) Add(name string, value *tensors.Tensor) {
	ts.Names = append(ts.Names, name)
	ts.Values = append(ts.Values, value)
}

// Bytes returns the memory that the tensors take on each device.
func (ts *Tensors) Bytes() int64 {
	var n int64
	for _, shape := range ts.Shapes() {
		n += shape.ByteSize()
	}
	return n
}

// Shapes returns the shapes on each device in order, as Program.Compile takes them.
func (ts *Tensors) Shapes() []shapes.Shape {
	all := make([]shapes.Shape, max(len(ts.Values), len(ts.Planned)))
	for i := range all {
		all[i] = ts.local(i)
	}
	return all
}

// Finalize frees the tensors now and leaves the set empty. Tensors that a Program consumed are skipped.
func (ts *Tensors) Finalize() error {
	var errs []error
	for _, part := range ts.Group() {
		for i, t := range part {
			if err := t.FinalizeAll(); err != nil {
				errs = append(errs, fmt.Errorf("tensor %s: %w", ts.Names[i], err))
			}
		}
	}
	ts.Names, ts.Values, ts.Cut, ts.Others = nil, nil, nil, nil
	return errors.Join(errs...)
}

// UploadAll makes a set of the named tensors, several at a time: upload returns the parts of tensor i, as UploadParts does, and whether they
// are cut. After an error nothing stays on the devices.
func UploadAll(m *Mesh, names []string, upload func(i int) (parts []*tensors.Tensor, cut bool, err error)) (*Tensors, error) {
	parts, cut := make([][]*tensors.Tensor, len(names)), make([]bool, len(names))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range names {
		group.Go(func() (err error) {
			parts[i], cut[i], err = upload(i)
			return err
		})
	}
	err := group.Wait()
	ts := &Tensors{Mesh: m}
	for i, name := range names {
		if parts[i] != nil {
			ts.AddParts(name, parts[i], cut[i])
		}
	}
	if err != nil {
		ts.Finalize() // the error that is reported is the one that came first
		return nil, err
	}
	return ts, nil
}

// Upload makes a tensor on the device from its elements in little-endian row-major order. data is read once, directly into the
// device's memory, and may lie in a mapped file; it need not be aligned.
func (d *Device) Upload(shape shapes.Shape, data []byte) (*tensors.Tensor, error) {
	return d.upload(d.number, shape, data)
}

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

// UploadParts makes a tensor of a whole shape on every device of a mesh: if cut, a part of its rows each. part returns the elements of a
// stretch of rows, or of all, and is called once for each distinct part. After an error nothing stays on a device.
func (d *Device) UploadParts(m *Mesh, shape shapes.Shape, cut bool, part func(fromRow, toRow int) ([]byte, error)) (parts []*tensors.Tensor, err error) {
	parts = make([]*tensors.Tensor, m.Devices())
	defer func() {
		if err != nil {
			for _, t := range parts {
				if t != nil {
					t.MustFinalizeAll()
				}
			}
			parts = nil
		}
	}()
	local, shards, rows := shape.Clone(), 1, 0
	if shape.Rank() > 0 {
		rows = shape.Dimensions[0]
	}
	if cut {
		shards, rows = m.Shards, rows/m.Shards
		local.Dimensions[0] = rows
	}
	for shard := range shards {
		data, err := part(shard*rows, (shard+1)*rows)
		if err != nil {
			return parts, err
		}
		for device := shard; device < len(parts); device += shards {
			if parts[device], err = d.upload(device, local, data); err != nil {
				return parts, err
			}
		}
	}
	return parts, nil
}

// aligned returns data, or a copy of it when its address does not suit elements of dtype: safetensors promises no alignment, and
// Go's typed slices need it.
func aligned(data []byte, dtype dtypes.DType) []byte {
	if len(data) == 0 || uintptr(unsafe.Pointer(unsafe.SliceData(data)))%uintptr(dtype.Size()) == 0 {
		return data
	}
	return slices.Clone(data)
}

// Whole returns the elements of tensor i, put together from its parts, as Device.Download does.
func (ts *Tensors) Whole(i int) ([]byte, error) {
	if !ts.IsCut(i) {
		return download(ts.Values[i], nil)
	}
	data := make([]byte, ts.Shape(i).ByteSize())
	part := len(data) / ts.Mesh.Shards
	for shard, values := range ts.Group()[:ts.Mesh.Shards] {
		if _, err := download(values[i], data[shard*part:(shard+1)*part]); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// Download returns the elements of t in little-endian row-major order. It leaves no copy on the host behind in t.
func (d *Device) Download(t *tensors.Tensor) ([]byte, error) { return download(t, nil) }

// download reads t's elements into data, or into new memory where that is nil.
func download(t *tensors.Tensor, data []byte) ([]byte, error) {
	if err := t.CheckValid(); err != nil { // as where a program consumed it
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
