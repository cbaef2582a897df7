package models

import (
	"io"
	"log/slog"

	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/graph/device"
)

// Runtime is what all stages of a run share: the device, the hub, the cache folder and where output goes.
type Runtime struct {
	Device  *device.Device
	Hub     *hub.Hub
	Cache   string    // cache folder for downloads; "" means the user's cache folder
	Out     io.Writer // banners and steps
	Results io.Writer // the comparison at the end of a pipeline, and the paths of what was written
	Version string    // the program's version
}

// Log returns the logger of notices, which prints them to Out, one line each.
func (rt Runtime) Log() *slog.Logger { return track.NewLogger(rt.Out) }
