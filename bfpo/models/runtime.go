package models

import (
	"fmt"
	"io"

	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/graph/device"
)

// Runtime is what all stages of a run share: the device, the hub, the cache folder and where output goes.
type Runtime struct {
	Device  *device.Device
	Hub     *hub.Hub
	Cache   string    // cache folder for downloads; "" means the user's cache folder
	Out     io.Writer // banners, steps and notices
	Results io.Writer // the comparison at the end of a pipeline, and the paths of what was written
	Version string    // the program's version
}

// Notice prints one line to Out.
func (rt Runtime) Notice(format string, args ...any) { fmt.Fprintf(rt.Out, format+"\n", args...) }
