package plan

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/step"
	"github.com/bfpo-go/bfpo/graph/device"
)

// stepMemory is what the programs of a step take on each device. The Go backend plans no memory: there the peak is what
// stays resident, without activations.
func stepMemory(d *device.Device, s *step.Stepper, programs step.Programs, available int64) report.Memory {
	resident := s.Resident()
	m := report.Memory{
		Parts: []report.MemoryPart{
			{Name: "frozen base", Bytes: resident.Base}, {Name: "f32 masters", Bytes: resident.Masters},
			{Name: "moments", Bytes: resident.Moments}, {Name: "gradients", Bytes: resident.Gradients},
		},
		Peak:      resident.Total(),
		Available: available,
		Devices:   s.Mesh().Devices(),
	}
	if d.Platform() != device.PlatformGo {
		m.Parts = append(m.Parts, report.MemoryPart{Name: "activations", Bytes: programs.Grads.Temp})
		m.Peak = programs.Peak(resident)
	}
	return m
}

// availableMemory returns what the fullest of n devices has free, in bytes, or 0 where that is not known. CPU devices
// share the machine's memory.
func availableMemory(d *device.Device, n int) int64 {
	if m, ok := d.Memory(0); ok && m.Limit > 0 {
		free := m.Limit - m.Used
		for i := 1; i < n; i++ {
			if m, ok := d.Memory(i); ok {
				free = min(free, m.Limit-m.Used)
			}
		}
		return free
	}
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "MemAvailable:"); ok {
			var kilobytes int64
			if _, err := fmt.Sscan(rest, &kilobytes); err == nil {
				return kilobytes << 10 / int64(n)
			}
		}
	}
	return 0
}
