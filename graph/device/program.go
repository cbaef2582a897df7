package device

import (
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/exceptions"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph/pjrt/mlir"
)

// Program is a graph function that is compiled once for each combination of argument shapes.
//
// Its arguments and results are groups of tensors: the weights, the state of the optimizer, a batch. A call consumes
// the groups that are donated: their tensors are invalid afterwards, whether the call succeeds or not, and XLA writes
// results of the same shapes into their memory. To update a state in place, donate the old one and keep the result. A
// caller that must survive an error keeps a checkpoint.
//
// On a mesh (see OnMesh) each device runs the program on its own tensors, which have the same shapes on all devices;
// the devices meet only in the program's collective operations.
//
// Several goroutines may use a Program at once, except on a mesh, where one may use it at a time.
type Program struct {
	device *Device
	mesh   *Mesh
	name   string
	build  func(in [][]*Node) [][]*Node
	donate []int
	bf16x3 bool // see WithBF16x3

	mu       sync.Mutex
	variants []*variant // most recently used first
}

// variant is the program for one combination of shapes.
type variant struct {
	shapes [][]shapes.Shape
	once   sync.Once
	err    error

	graph   *Graph
	outputs []int             // number of tensors of each result group
	shards  []*tensors.Tensor // on a mesh with shards: each device's shard number, its last argument
	info    Compiled
}

// NewProgram returns the program that build describes. build receives one slice of nodes for each group of arguments
// and returns the groups of results; it may panic as graph functions do. donate lists the groups that a call
// consumes.
func NewProgram(d *Device, name string, build func(in [][]*Node) [][]*Node, donate ...int) *Program {
	return &Program{device: d, name: name, build: build, donate: donate}
}

// OnMesh makes the program run on the devices of a mesh; build then describes what each device computes. It must come
// before the program is compiled, and returns p.
func (p *Program) OnMesh(m *Mesh) *Program {
	p.mesh = m
	return p
}

// WithBF16x3 lets processors with AMX compute each product of float32 matrices as three products of bfloat16. That is
// faster, but rounds the operands from 24 to 16 significant bits, and results that depend on an infinity may become
// NaN. Batched products, as in attention, and programs on a mesh are not changed. It returns p.
func (p *Program) WithBF16x3() *Program {
	p.bf16x3 = true
	return p
}

// Compile compiles the program for these shapes, if that has not been done yet, and returns its record. Several
// goroutines may compile at once.
func (p *Program) Compile(groups ...[]shapes.Shape) (Compiled, error) {
	v := p.variant(len(groups), func(i int) int { return len(groups[i]) },
		func(i, j int) shapes.Shape { return groups[i][j] })
	if err := p.ensure(v); err != nil {
		return Compiled{}, err
	}
	return v.info, nil
}

// Call is Run for a program of one device.
func (p *Program) Call(groups ...[]*tensors.Tensor) ([][]*tensors.Tensor, error) {
	args := make([]Group, len(groups))
	for i, group := range groups {
		args[i] = Group{group}
	}
	out, err := p.Run(args...)
	if err != nil {
		return nil, err
	}
	results := make([][]*tensors.Tensor, len(out))
	for i, group := range out {
		results[i] = group[0]
	}
	return results, nil
}

// Run runs the program and returns the groups of results. It first compiles the program if these shapes are new. A
// tensor on the host is copied to the device that it is an argument for.
//
// The tensors of donated groups are consumed even if the call fails, unless the error came before execution: a wrong
// shape, a program that does not build, an argument that was consumed before.
func (p *Program) Run(groups ...Group) ([]Group, error) {
	if err := p.check(groups); err != nil {
		return nil, err
	}
	v := p.variant(len(groups), func(i int) int { return len(groups[i][0]) },
		func(i, j int) shapes.Shape { return groups[i][0][j].Shape() })
	if err := p.ensure(v); err != nil {
		return nil, err
	}
	args, err := newArguments(p.device, p.donate, groups, v.shards, p.mesh.Devices())
	if err != nil {
		return nil, fmt.Errorf("program %s: %w", p.name, err)
	}
	var flat []*tensors.Tensor
	err = exceptions.TryCatch[error](func() {
		flat = v.graph.RunWithBuffers(args.buffers, args.donated, p.device.deviceNum(0))
	})
	runtime.KeepAlive(groups) // otherwise a tensor without other references could lose its buffer during the run
	if err != nil {
		args.free()
		return nil, fmt.Errorf("program %s: %w", p.name, err)
	}
	results := make([]Group, len(v.outputs))
	for range p.mesh.Devices() {
		for i, n := range v.outputs {
			results[i] = append(results[i], flat[:n:n])
			flat = flat[n:]
		}
	}
	return results, nil
}

// check returns an error for arguments that cannot be used, before any is consumed.
func (p *Program) check(groups []Group) error {
	donated := map[*tensors.Tensor]bool{}
	for _, i := range p.donate {
		if i >= len(groups) {
			return fmt.Errorf("program %s: donates group %d, but is called with %d groups", p.name, i, len(groups))
		}
		for _, local := range groups[i] {
			for j, t := range local {
				if donated[t] {
					return fmt.Errorf("program %s: argument group %d, tensor %d is donated twice", p.name, i, j)
				}
				donated[t] = true
			}
		}
	}
	for i, group := range groups {
		if len(group) != p.mesh.Devices() {
			return fmt.Errorf("program %s: argument group %d is on %d devices, want %d",
				p.name, i, len(group), p.mesh.Devices())
		}
		for _, local := range group {
			if err := p.checkLocal(i, local, group[0], donated); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkLocal checks the tensors of group i on one device, given its tensors on the first device.
func (p *Program) checkLocal(i int, local, first []*tensors.Tensor, donated map[*tensors.Tensor]bool) error {
	if len(local) != len(first) {
		return fmt.Errorf("program %s: argument group %d has %d tensors on one device and %d on another",
			p.name, i, len(first), len(local))
	}
	for j, t := range local {
		if err := t.CheckValid(); err != nil {
			return fmt.Errorf("program %s: argument group %d, tensor %d: %w", p.name, i, j, err)
		}
		if donated[t] && !slices.Contains(p.donate, i) {
			return fmt.Errorf("program %s: argument group %d, tensor %d is also donated", p.name, i, j)
		}
		if !t.Shape().Equal(first[j].Shape()) {
			return fmt.Errorf("program %s: argument group %d, tensor %d is %s on one device and %s on another",
				p.name, i, j, first[j].Shape(), t.Shape())
		}
	}
	return nil
}

// Close frees the compiled variants. A program that is used again compiles again.
func (p *Program) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range p.variants {
		v.graph.Finalize()
		for _, t := range v.shards {
			t.MustFinalizeAll()
		}
	}
	p.variants = nil
}

// variant returns the variant for n groups of shapes, and adds it if it is new. It compares shapes one by one, since
// that is cheaper than building a map key from several hundred of them.
func (p *Program) variant(n int, length func(i int) int, shape func(i, j int) shapes.Shape) *variant {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, v := range p.variants {
		if v.matches(n, length, shape) {
			if k > 0 {
				copy(p.variants[1:k+1], p.variants[:k])
				p.variants[0] = v
			}
			return v
		}
	}
	v := &variant{shapes: make([][]shapes.Shape, n)}
	for i := range n {
		for j := range length(i) {
			v.shapes[i] = append(v.shapes[i], shape(i, j).Clone())
		}
	}
	p.variants = slices.Insert(p.variants, 0, v)
	return v
}

// matches reports whether v is the variant for n groups of shapes.
func (v *variant) matches(n int, length func(i int) int, shape func(i, j int) shapes.Shape) bool {
	if n != len(v.shapes) {
		return false
	}
	for i, group := range v.shapes {
		if len(group) != length(i) {
			return false
		}
		for j, want := range group {
			if got := shape(i, j); got.DType != want.DType || !slices.Equal(got.Dimensions, want.Dimensions) {
				return false
			}
		}
	}
	return true
}

// ensure compiles v unless that has been done; later calls return the same error.
func (p *Program) ensure(v *variant) error {
	v.once.Do(func() {
		err := exceptions.TryCatch[error](func() { p.compile(v) })
		if err != nil {
			v.err = fmt.Errorf("program %s: %w", p.name, err)
		}
	})
	return v.err
}

// compile builds and compiles v's graph. It panics as graph functions do.
func (p *Program) compile(v *variant) {
	name := p.device.tag(p.name, p.bf16x3)
	g := NewGraph(p.device.Backend, name)
	if err := p.mesh.setSPMD(g); err != nil {
		panic(err)
	}
	in := make([][]*Node, len(v.shapes))
	for i, group := range v.shapes {
		in[i] = make([]*Node, len(group))
		for j, shape := range group {
			in[i][j] = Parameter(g, p.parameterName(i, j), shape)
		}
	}
	if p.mesh.shards() > 1 {
		p.mesh.addShardNumber(g)
		for device := range p.mesh.Devices() {
			v.shards = append(v.shards, tensors.FromScalar(int32(p.mesh.shard(device))))
		}
	}
	var flat []*Node
	for _, group := range p.build(in) {
		v.outputs = append(v.outputs, len(group))
		flat = append(flat, group...)
	}
	if err := g.Compile(flat...); err != nil {
		panic(err)
	}
	v.graph = g
	v.info = p.device.compiled(name)
	if v.info.Failed != nil {
		g.Finalize()
		panic(v.info.Failed)
	}
	v.info.Name = p.name
}

// parameterName names a parameter. Package pjrt recognises by the prefix what XLA may update in place.
func (p *Program) parameterName(group, index int) string {
	name := fmt.Sprintf("in%d_%d", group, index)
	if slices.Contains(p.donate, group) {
		return mlir.DonatedPrefix + name
	}
	return name
}
