package device

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
)

// arguments are the buffers of one call: those of the first device, then those of the second, and so on.
type arguments struct {
	buffers []compute.Buffer
	donated []bool
}

// arguments takes the buffers of groups: first of those that stay the caller's, so that an error there consumes nothing.
func (p *Program) arguments(v *variant, groups []Group) (arguments, error) {
	n := 0
	for _, group := range groups {
		n += len(group[0])
	}
	own := n
	if v.shards != nil {
		n++
	}
	devices := p.mesh.Devices()
	args := arguments{make([]compute.Buffer, n*devices), make([]bool, n*devices)}
	for device, t := range v.shards {
		var err error
		if args.buffers[device*n+own], err = t.Buffer(p.device.Backend, p.on(device)); err != nil {
			return arguments{}, fmt.Errorf("program %s: number of device %d's part: %w", p.name, device, err)
		}
	}
	for _, donating := range []bool{false, true} {
		for device := range devices {
			k := device * n
			for i, group := range groups {
				if slices.Contains(p.donate, i) != donating {
					k += len(group[device])
					continue
				}
				for j, t := range group[device] {
					var err error
					if args.buffers[k], err = p.buffer(t, device, donating); err != nil {
						args.free()
						return arguments{}, fmt.Errorf("program %s: argument group %d, tensor %d: %w", p.name, i, j, err)
					}
					args.donated[k] = donating
					k++
				}
			}
		}
	}
	return args, nil
}

// on is the backend's number of a device of the program.
func (p *Program) on(device int) compute.DeviceNum {
	return compute.DeviceNum(p.device.number + device)
}

// buffer returns t's buffer on a device, which it is copied to if need be. Of a donated tensor the caller becomes the owner and t is left
// invalid, with no copy on the host.
func (p *Program) buffer(t *tensors.Tensor, device int, donated bool) (compute.Buffer, error) {
	if !donated {
		return t.Buffer(p.device.Backend, p.on(device))
	}
	buffer, err := t.DonateBuffer(p.device.Backend, p.on(device))
	if err != nil {
		return nil, err
	}
	return buffer, t.FinalizeAll()
}

// free releases the donated buffers of a call that failed; the run may have released some of them already, which is no error here.
func (a arguments) free() {
	for k, buffer := range a.buffers {
		if buffer != nil && a.donated[k] {
			_ = buffer.Finalize()
		}
	}
}
