package train

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/graph/device"
)

// Environment lists what the numbers of a run were made with: version, device and machine.
func Environment(rt models.Runtime) []report.Fact {
	return []report.Fact{
		{Name: "bfpo", Value: rt.Version},
		{Name: "device", Value: rt.Device.Describe()},
		{
			Name:  "machine",
			Value: fmt.Sprintf("%s/%s, %d cores, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version()),
		},
	}
}

// facts lists what a stage is about to do, for its banner, its report and its model card. started is when the stage
// began to load.
func facts(s *Stage, started time.Time) []report.Fact {
	c, network := s.Config, s.Model.Config
	var trained int64
	for i := range s.Trainer.Masters.Names {
		trained += int64(s.Trainer.Masters.Shape(i).Size())
	}
	share := 100 * float64(trained) / float64(network.Parameters())
	which := "all"
	if c.UseSelective {
		which = strings.Join(c.SelectedLayers, ", ")
	}
	parameters := track.FormatCount(network.Parameters())
	list := []report.Fact{
		{Name: "model", Value: fmt.Sprintf("%s, %s parameters", report.ModelName(c.Model), parameters)},
		{Name: "trained", Value: fmt.Sprintf("%s parameters (%.1f %%): %s", track.FormatCount(trained), share, which)},
		{Name: "objective", Value: c.TrainingObjective().String()},
		{Name: "data", Value: describeData(s.Inputs.Sets)},
		{
			Name: "steps",
			Value: fmt.Sprintf("%d, each of %s, learning rate %.1e, %s", s.Trainer.Count.Total, describeStep(s), c.LearningRate,
				c.LRSchedulerType),
		},
		{Name: "device", Value: describeDevices(s)},
		{Name: "memory", Value: s.Plan.Memory.String()},
		{Name: "ready", Value: describePrograms(s, time.Since(started))},
	}
	if len(c.Ignored) > 0 {
		list = append(list, report.Fact{Name: "ignored keys", Value: strings.Join(c.Ignored, ", ")})
	}
	return list
}

// describeDevices names what runs the programs, how the devices share the model, and which tensors they would shard if
// the rows of those could be divided.
func describeDevices(s *Stage) string {
	mesh := s.Trainer.Mesh()
	if mesh == nil {
		return s.Device.Platform()
	}
	text := fmt.Sprintf("%d %s devices, %s", mesh.Devices(), s.Device.Platform(), mesh)
	var replicated []string
	for _, spec := range s.Model.Config.Tensors() {
		if mesh.IsIndivisible(spec.Name, spec.Dims) {
			replicated = append(replicated, spec.Name)
		}
	}
	if len(replicated) > 0 {
		text += fmt.Sprintf("\n%d tensors are whole on each, as %d does not divide their rows: %s", len(replicated),
			mesh.Shards, replicated[0])
	}
	if len(replicated) > 1 {
		text += ", …"
	}
	return text
}

// describePrograms tells how long it took to get ready, and how much of the state a step updates in place.
func describePrograms(s *Stage, ready time.Duration) string {
	text := "after " + track.FormatDuration(ready)
	if s.Device.Platform() == device.PlatformGo {
		return text
	}
	programs := []device.Compiled{s.Plan.Programs.Grads, s.Plan.Programs.Apply}
	inPlace, cached := int64(0), 0
	for _, p := range programs {
		inPlace += p.Aliases
		if p.Cached {
			cached++
		}
	}
	return fmt.Sprintf("%s, %d of %d programs from the cache; %s updated in place", text, cached, len(programs),
		track.FormatBytes(inPlace))
}

// describeStep tells what one optimizer step takes in.
func describeStep(s *Stage) string {
	unit := "pairs"
	if s.Config.Objective == "sft" {
		unit = "rows"
	}
	n := s.Config.PerDeviceTrainBatchSize * s.Config.Devices * s.Config.GradientAccumulationSteps
	text := fmt.Sprintf("%d %s", n, unit)
	if s.Inputs.Buffer != nil {
		text += fmt.Sprintf(" + %d from the buffer", n)
	}
	return text
}

// describeData describes the sets of a stage, one a line.
func describeData(sets data.Sets) string {
	var lines []string
	for _, set := range sets.NonEmpty() {
		lines = append(lines, set.String())
	}
	return strings.Join(lines, "\n")
}
