package models

import (
	"fmt"
	"io"

	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/graph/device"
)

// Runtime is what all stages of a run share: the device, the hub and where output goes.
type Runtime struct {
	Device  *device.Device
	Hub     *hub.Hub
	Cache   string    // folder of what is fetched; "" is the user's
	Out     io.Writer // banners, steps, notices
	Results io.Writer // the comparison at the end of a pipeline, and where things lie
	Version string    // of the program
}

// Notice prints one line.
func (rt Runtime) Notice(format string, args ...any) { fmt.Fprintf(rt.Out, format+"\n", args...) }
