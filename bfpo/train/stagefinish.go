package train

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/checkpoint"
	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// announce prints what is about to happen, the memory included, before the first step.
func (t *training) announce(context.Context) error {
	c, m := t.config, t.model.Config
	var trained int64
	for i := range t.trainer.Masters.Names {
		trained += int64(t.trainer.Masters.Shape(i).Size())
	}
	share := 100 * float64(trained) / float64(m.Parameters())
	which := "all"
	if c.UseSelective {
		which = strings.Join(c.SelectedLayers, ", ")
	}
	t.facts = []report.Fact{
		{Name: "model", Value: fmt.Sprintf("%s, %s parameters", c.Model, track.FormatCount(m.Parameters()))},
		{Name: "trained", Value: fmt.Sprintf("%s parameters (%.1f %%): %s", track.FormatCount(trained), share, which)},
		{Name: "objective", Value: describeObjective(t.trainer.options.Objective)},
		{Name: "data", Value: t.describeData()},
		{Name: "steps", Value: fmt.Sprintf("%d of %s, learning rate %.1e, %s", t.trainer.steps.Total, t.describeStep(), c.LearningRate, c.LRSchedulerType)},
		{Name: "device", Value: t.describeDevices()},
		{Name: "memory", Value: t.memory.String()},
		{Name: "ready", Value: t.describePrograms()},
	}
	if len(c.Ignored) > 0 {
		t.facts = append(t.facts, report.Fact{Name: "ignored keys", Value: strings.Join(c.Ignored, ", ")})
	}
	for _, notice := range c.Notices {
		t.Notice("%s", notice)
	}
	return report.WriteBanner(t.Out, t.name, t.facts)
}

// describeDevices says what runs the programs, how they share the model, and which tensors they would share if their rows could be divided.
func (t *training) describeDevices() string {
	if t.mesh == nil {
		return t.Device.Platform()
	}
	text := fmt.Sprintf("%d %s devices, %s", t.mesh.Devices(), t.Device.Platform(), t.mesh)
	var whole []string
	for _, spec := range t.model.Config.Tensors() {
		if t.mesh.Indivisible(spec.Name, spec.Dims) {
			whole = append(whole, spec.Name)
		}
	}
	if len(whole) > 0 {
		text += fmt.Sprintf("\n%d tensors are whole on each, as %d does not divide their rows: %s", len(whole), t.mesh.Shards, whole[0])
	}
	if len(whole) > 1 {
		text += ", …"
	}
	return text
}

// describePrograms says how long it took to get ready, and how much of the state a step updates in place.
func (t *training) describePrograms() string {
	text := "after " + track.FormatDuration(time.Since(t.started))
	inPlace, cached := int64(0), 0
	for _, p := range t.programs {
		inPlace += p.Aliases
		if p.Cached {
			cached++
		}
	}
	if t.Device.Platform() == device.PlatformGo {
		return text
	}
	return fmt.Sprintf("%s, %d of %d programs from the cache; %s updated in place", text, cached, len(t.programs), track.FormatBytes(inPlace))
}

func describeObjective(o bfpo.Objective) string {
	switch o.Name {
	case "bfpo":
		return fmt.Sprintf("bfpo, beta %g, b1 %g, alpha %g", o.Beta, o.B1, o.Alpha)
	case "sft":
		return "sft, mean over tokens"
	}
	return fmt.Sprintf("%s, beta %g", o.Name, o.Beta)
}

// describeStep says what one optimizer step takes in.
func (t *training) describeStep() string {
	unit := "pairs"
	if t.config.Objective == "sft" {
		unit = "rows"
	}
	n := t.config.PerDeviceTrainBatchSize * t.config.Devices * t.config.GradientAccumulationSteps
	text := fmt.Sprintf("%d %s", n, unit)
	if t.trainer.buffer != nil {
		text += fmt.Sprintf(" + %d from the buffer", n)
	}
	return text
}

func (t *training) describeData() string {
	var lines []string
	for _, set := range t.data {
		line := fmt.Sprintf("%s: %d rows", set.Name, set.Rows)
		if set.Cases != (data.Cases{}) {
			line += fmt.Sprintf(" (safe/safe %d, safe/unsafe %d, unsafe/safe %d, unsafe/unsafe %d)",
				set.Cases.SafeSafe, set.Cases.SafeUnsafe, set.Cases.UnsafeSafe, set.Cases.UnsafeUnsafe)
		}
		for _, drop := range set.Drops {
			line += fmt.Sprintf("; %d %s", drop.Rows, drop.Reason)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// finish goes back to the best step where the recipe says so, and writes the model and what is said of it.
func (t *training) finish(context.Context) error {
	if err := t.saving.wait(); err != nil {
		return err
	}
	if t.config.LoadBestModelAtEnd && t.best != nil && t.best.Step != t.trainer.Step {
		path := filepath.Join(t.dir, rundir.Checkpoints, fmt.Sprintf("%s%d", rundir.StepPrefix, t.best.Step))
		best, err := checkpoint.Open(path)
		if err != nil {
			return fmt.Errorf("load_best_model_at_end: %w", err)
		}
		steps := t.trainer.Step
		if err := t.trainer.restore(t.Device, best); err != nil {
			return err
		}
		t.trainer.Step = steps
		t.Notice("the model is that of step %d, with the lowest eval_loss, %.4g", t.best.Step, t.best.Value)
	}
	source := t.model.Checkpoint
	model := filepath.Join(t.dir, rundir.Model)
	if err := pretrained.Export(model, source, t.trainer.Masters, t.config.ExportType(source)); err != nil {
		return err
	}
	t.Notice("model written to %s (%s)", model, track.FormatDuration(time.Since(t.started)))
	return t.writeResults()
}

// report is the stage's part of report.html.
func (t *training) report() report.Stage {
	text, _ := t.config.YAML() // written to config.yaml before
	var answers []report.PromptAnswers
	if t.loop != nil {
		answers = report.ByPrompt(t.loop.answers)
	}
	return report.Stage{
		Title: strings.ToUpper(t.name), Objective: t.trainer.options.Objective,
		TotalSteps: t.trainer.steps.Total, Facts: t.facts, Records: t.metrics.Records(), Data: t.data, Answers: answers, Memory: t.memory, Config: string(text),
	}
}
