package device

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Mesh arranges the devices that a program runs on. Each device runs the whole network on its own rows of a batch.
// Masters, moments and gradients are sharded over Shards devices, and so are the frozen weights if ShardFrozen is set:
// device r*Shards + s holds shard s in replica r. Everything else is replicated. A nil Mesh is one device.
//
//	text            Replicas  Shards  ShardFrozen
//	data            N         1       no           everything is replicated, gradients are summed once per step
//	zero1           1         N       no           the frozen weights are replicated
//	fsdp            1         N       yes          a layer's weights are gathered where they are used
//	data=R,fsdp=S   R         S       yes          R replicas of a model that is sharded over S devices
type Mesh struct {
	Replicas, Shards int
	ShardFrozen      bool
	Rules            ShardRules
}

// ShardRules lists the tensors that a Mesh shards, by the ends of their names. They are sharded along their first
// axis, so that each shard is one contiguous range of a tensor's bytes on disk. All other tensors are replicated.
type ShardRules []string

// ParseMesh parses data, zero1, fsdp, or sizes such as data=2,fsdp=4, for a number of devices. If devices is 0, the
// sizes give the number, and without sizes it is one. For one device the mesh is nil.
func ParseMesh(text string, devices int, rules ShardRules) (*Mesh, error) {
	m := &Mesh{Replicas: 1, Shards: 1, Rules: rules}
	n := max(devices, 1)
	switch text {
	case "data":
		m.Replicas = n
	case "zero1":
		m.Shards = n
	case "fsdp":
		m.Shards, m.ShardFrozen = n, true
	default:
		if err := m.parseSizes(text); err != nil {
			return nil, err
		}
		if devices != 0 && m.Devices() != devices {
			return nil, fmt.Errorf("%s is a mesh of %d devices, but there are to be %d: change one of the two",
				text, m.Devices(), devices)
		}
	}
	if m.Devices() == 1 {
		return nil, nil
	}
	return m, nil
}

// parseSizes parses sizes such as data=2,fsdp=4; an axis that is missing keeps its size.
func (m *Mesh) parseSizes(text string) error {
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
	m.ShardFrozen = m.Shards > 1
	return nil
}

// Devices returns the number of devices, which is 1 for a nil Mesh.
func (m *Mesh) Devices() int {
	if m == nil {
		return 1
	}
	return m.Replicas * m.Shards
}

// String returns the mesh in the notation of ParseMesh, with sizes if it has both replicas and shards.
func (m *Mesh) String() string {
	switch {
	case m == nil:
		return "one device"
	case m.Shards == 1:
		return "data"
	case !m.ShardFrozen:
		return "zero1"
	case m.Replicas == 1:
		return "fsdp"
	}
	return fmt.Sprintf("data=%d,fsdp=%d", m.Replicas, m.Shards)
}

// IsSharded reports whether the masters, moments and gradients of a weight are sharded: a rule matches its name, and
// its first dimension is a multiple of Shards.
func (m *Mesh) IsSharded(name string, dims []int) bool {
	return m.matches(name) && len(dims) > 1 && dims[0]%m.Shards == 0
}

// IsFrozenSharded reports whether a frozen weight is sharded.
func (m *Mesh) IsFrozenSharded(name string, dims []int) bool {
	return m != nil && m.ShardFrozen && m.IsSharded(name, dims)
}

// matches reports whether the mesh has several shards and a rule matches the name of a tensor.
func (m *Mesh) matches(name string) bool {
	if m == nil || m.Shards <= 1 {
		return false
	}
	return slices.ContainsFunc(m.Rules, func(suffix string) bool { return strings.HasSuffix(name, suffix) })
}

// IsIndivisible reports whether a tensor is replicated although a rule matches it, because its first dimension is not a
// multiple of Shards.
func (m *Mesh) IsIndivisible(name string, dims []int) bool {
	return m.matches(name) && !m.IsSharded(name, dims)
}

// shard returns the number of the shard that a device holds.
func (m *Mesh) shard(device int) int {
	if m == nil {
		return 0
	}
	return device % m.Shards
}

// shards returns the number of shards, which is 1 for a nil Mesh.
func (m *Mesh) shards() int {
	if m == nil {
		return 1
	}
	return m.Shards
}
