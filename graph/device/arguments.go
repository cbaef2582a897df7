package device

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
)

// Group is a group of arguments or results: the tensors of each device, [device][tensor].
type Group [][]*tensors.Tensor

// arguments holds the buffers of one call: first all buffers of the first device, then all of the second, and so on.
type arguments struct {
	buffers []compute.Buffer
	donated []bool
}

// newArguments takes the buffers of groups, of which donate lists the donated ones. shards is nil, or holds each
// device's shard number, which becomes its last argument. Buffers that stay with the caller are taken first, so an
// error among them consumes nothing.
func newArguments(d *Device, donate []int, groups []Group, shards []*tensors.Tensor, devices int) (arguments, error) {
	n := 0
	for _, group := range groups {
		n += len(group[0])
	}
	shardNumber := n
	if shards != nil {
		n++
	}
	args := arguments{make([]compute.Buffer, n*devices), make([]bool, n*devices)}
	for device, t := range shards {
		var err error
		if args.buffers[device*n+shardNumber], err = t.Buffer(d.Backend, d.deviceNum(device)); err != nil {
			return arguments{}, fmt.Errorf("shard number of device %d: %w", device, err)
		}
	}
	for _, donating := range []bool{false, true} {
		for device := range devices {
			k := device * n
			for i, group := range groups {
				if slices.Contains(donate, i) != donating {
					k += len(group[device])
					continue
				}
				for j, t := range group[device] {
					var err error
					if args.buffers[k], err = d.buffer(t, device, donating); err != nil {
						args.free()
						return arguments{}, fmt.Errorf("argument group %d, tensor %d: %w", i, j, err)
					}
					args.donated[k] = donating
					k++
				}
			}
		}
	}
	return args, nil
}

// deviceNum returns the backend's number of a device of a program, which a program counts from 0.
func (d *Device) deviceNum(device int) compute.DeviceNum {
	return compute.DeviceNum(d.number + device)
}

// buffer returns t's buffer on a device, and copies t there if needed. A donated buffer belongs to the caller: t
// becomes invalid and leaves no copy on the host.
func (d *Device) buffer(t *tensors.Tensor, device int, donated bool) (compute.Buffer, error) {
	if !donated {
		return t.Buffer(d.Backend, d.deviceNum(device))
	}
	buffer, err := t.DonateBuffer(d.Backend, d.deviceNum(device))
	if err != nil {
		return nil, err
	}
	return buffer, t.FinalizeAll()
}

// free releases the donated buffers of a call that failed. The call may have released some of them already, which is no
// error here.
func (a arguments) free() {
	for k, buffer := range a.buffers {
		if buffer != nil && a.donated[k] {
			_ = buffer.Finalize()
		}
	}
}
