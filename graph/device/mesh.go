package device

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Mesh is how a program runs on several devices. Each device runs the whole network on its own rows of a batch. What a step changes (masters,
// moments, gradients), and the frozen weights too where CutFrozen is set, may be cut: device d = replica*Shards + shard holds part shard
// of it. A nil Mesh is one device.
//
//	data     {N, 1}         everything on every device; gradients are summed once in a step
//	zero1    {1, N}         what a step changes is cut, the frozen weights are on every device
//	fsdp     {1, N}, frozen frozen weights are cut too, and put together layer by layer when they are used
//	data=R,fsdp=S           {R, S}, frozen: R replicas of a model that S devices share
type Mesh struct {
	Replicas, Shards int
	CutFrozen        bool
	Rules            Rules
}

// Rules list, by the ends of their names, the tensors that a Mesh cuts: by their first axis, so that each part is one stretch of the bytes of
// a checkpoint. All others are on every device.
type Rules []string

// ParseMesh reads data, zero1, fsdp or sizes such as data=2,fsdp=4 for a number of devices; 0 devices are as many as the sizes say, or one.
// One device is no mesh: nil.
func ParseMesh(text string, devices int, rules Rules) (*Mesh, error) {
	m := &Mesh{Replicas: 1, Shards: 1, Rules: rules}
	n := max(devices, 1)
	switch text {
	case "data":
		m.Replicas = n
	case "zero1":
		m.Shards = n
	case "fsdp":
		m.Shards, m.CutFrozen = n, true
	default:
		if err := m.sizes(text); err != nil {
			return nil, err
		}
		if devices != 0 && m.Devices() != devices {
			return nil, fmt.Errorf("%s is a mesh of %d devices, but there are to be %d: change one of the two", text, m.Devices(), devices)
		}
	}
	if m.Devices() == 1 {
		return nil, nil
	}
	return m, nil
}

// sizes reads data=2,fsdp=4.
func (m *Mesh) sizes(text string) error {
	sizes := map[string]*int{"data": &m.Replicas, "fsdp": &m.Shards}
	for part := range strings.SplitSeq(text, ",") {
		axis, size, _ := strings.Cut(part, "=")
		n, err := strconv.ParseUint(size, 10, 16)
		if err != nil || n == 0 || sizes[axis] == nil {
			return fmt.Errorf("%q: want data, zero1, fsdp or sizes such as data=2,fsdp=4", text)
		}
		*sizes[axis] = int(n)
		delete(sizes, axis)
	}
	m.CutFrozen = m.Shards > 1
	return nil
}

// Devices is the number of devices; that of a nil Mesh is 1.
func (m *Mesh) Devices() int {
	if m == nil {
		return 1
	}
	return m.Replicas * m.Shards
}

// String is the mesh as ParseMesh reads it, with sizes where the devices have two roles.
func (m *Mesh) String() string {
	switch {
	case m == nil:
		return "one device"
	case m.Shards == 1:
		return "data"
	case !m.CutFrozen:
		return "zero1"
	case m.Replicas == 1:
		return "fsdp"
	}
	return fmt.Sprintf("data=%d,fsdp=%d", m.Replicas, m.Shards)
}

// Cuts tells whether a tensor that steps change is cut: whether the rules name it and its first axis divides by Shards.
func (m *Mesh) Cuts(name string, dims []int) bool {
	return m.wants(name) && len(dims) > 1 && dims[0]%m.Shards == 0
}

// CutsFrozen tells the same of a frozen weight.
func (m *Mesh) CutsFrozen(name string, dims []int) bool {
	return m != nil && m.CutFrozen && m.Cuts(name, dims)
}

// wants tells whether the rules name a tensor and there is more than one part to cut it into.
func (m *Mesh) wants(name string) bool {
	return m != nil && m.Shards > 1 && slices.ContainsFunc(m.Rules, func(end string) bool { return strings.HasSuffix(name, end) })
}

// Indivisible tells whether a tensor stays whole on every device although the rules would have it cut.
func (m *Mesh) Indivisible(name string, dims []int) bool { return m.wants(name) && !m.Cuts(name, dims) }

// shard is the part that a device holds of what is cut.
func (m *Mesh) shard(device int) int {
	if m == nil {
		return 0
	}
	return device % m.Shards
}

// shards is the number of parts of what is cut; that of a nil Mesh is 1.
func (m *Mesh) shards() int {
	if m == nil {
		return 1
	}
	return m.Shards
}
