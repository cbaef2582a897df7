package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/plan"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/graph/device"
)

// runPlan compiles the training programs of a recipe without running them, and prints what they need.
func runPlan(ctx context.Context, o *options, args []string) error {
	var names []string
	for _, g := range device.GPUs() {
		names = append(names, g.Name)
	}
	gpu := o.set.String("gpu", "", "`kind` of GPU to compile for without having one: "+strings.Join(names, ", "))
	asJSON := o.set.Bool("json", false, "print one JSON object for each stage instead of text")
	if err := o.parse(args); err != nil {
		return err
	}
	c, err := o.recipe()
	if err != nil {
		return err
	}
	rt, done, err := o.planner(c, *gpu)
	if err != nil {
		return err
	}
	defer done()
	stages, err := planStages(c)
	if err != nil {
		return err
	}
	var tooLarge []string
	for _, stage := range stages {
		p, err := plan.New(ctx, rt, stage)
		if err != nil {
			return err
		}
		if *asJSON {
			err = writeLine(o.std.out, p)
		} else {
			printPlan(o.std.out, p, o.verbose)
		}
		if err != nil {
			return err
		}
		if !p.Fits {
			tooLarge = append(tooLarge, p.Stage)
		}
	}
	if len(tooLarge) > 0 {
		return fmt.Errorf("stage %s does not fit into the memory of the device", strings.Join(tooLarge, ", "))
	}
	return nil
}

// planner opens the device to compile on, or a compiler for GPUs that the machine does not have.
func (o *options) planner(c recipe.Config, gpu string) (models.Runtime, func(), error) {
	if gpu == "" {
		return o.runtimeWith(c, device.Options{Inspect: true})
	}
	if c.Platform != device.PlatformCUDA && c.Platform != "auto" {
		return models.Runtime{}, nil, usage.Errorf("-gpu=%s: needs -platform=cuda, not %s", gpu, c.Platform)
	}
	kind, err := device.FindGPU(gpu)
	if err != nil {
		return models.Runtime{}, nil, usage.Errorf("-gpu: %w", err)
	}
	d, err := device.OpenCompileOnly(kind, device.Options{
		Devices: c.Devices, TF32: c.TF32, AllowInstaller: o.installer, Log: o.log(),
	})
	if err != nil {
		return models.Runtime{}, nil, err
	}
	rt := models.Runtime{Device: d, Hub: o.hub(), Out: o.std.err, Results: o.std.out, Version: version()}
	return rt, d.Close, nil
}

// planStages returns the training stages of a recipe, each with the model that it starts from.
func planStages(c recipe.Config) (stages []recipe.Config, err error) {
	if len(c.Stages) == 0 {
		kind := "train"
		if c.Objective == "sft" {
			kind = "sft"
		}
		c, err = c.ForStage(kind)
		return []recipe.Config{c}, err
	}
	model := c.Model
	for _, s := range c.Stages {
		if s.Kind == "eval" {
			continue
		}
		if s.Config.Model == "" {
			s.Config.Model = model // the models of all stages have the same sizes
		}
		model = s.Config.Model
		stages = append(stages, s.Config)
	}
	return stages, nil
}

// printPlan prints a plan as text, with details also the costly operations of each program.
func printPlan(w io.Writer, p plan.Plan, details bool) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(w, "plan of stage %s\n", p.Stage)
	row("device", "%s", p.Device)
	row("model", "%s: %s parameters, %s trained (%.1f %%)", p.Model, track.FormatCount(p.Parameters),
		track.FormatCount(p.Trainable), 100*float64(p.Trainable)/float64(p.Parameters))
	row("batch", "%d row(s) of %d tokens at a time on each of %d device(s), mesh %s", p.Rows, p.Length, p.Devices, p.Mesh)
	for _, line := range strings.Split(strings.TrimSpace(p.Memory.String()), "\n") {
		row("memory", "%s", strings.TrimSpace(line))
	}
	for _, c := range p.Programs {
		row("program", "%-6s %s inputs, %s outputs, %s of these in place, %s temporary; compiled in %.1f s",
			c.Name, track.FormatBytes(c.Inputs), track.FormatBytes(c.Outputs), track.FormatBytes(c.Aliases),
			track.FormatBytes(c.Temp), c.Seconds)
	}
	row("arithmetic", "%.3g FLOPs a step in matrix products of full rows, %.3g %% of them with float32 operands",
		p.FLOPs, 100*p.Float32)
	row("attention", "%s", p.Attention)
	if p.Steps > 0 {
		row("steps", "%d, of them %d in an epoch", p.Steps, p.PerEpoch)
	}
	printTime(row, p)
	for _, note := range p.Notes {
		row("note", "%s", note)
	}
	printFit(row, p)
	if details {
		for _, c := range p.Programs {
			printWork(w, c)
		}
	}
}

// printTime prints the estimates of time, and what they assume.
func printTime(row func(name, format string, args ...any), p plan.Plan) {
	duration := func(seconds float64) string {
		return track.FormatDuration(time.Duration(seconds * float64(time.Second)))
	}
	switch {
	case p.StepSeconds == 0:
		return
	case p.PerEpoch > 0:
		row("time", "about %s an epoch, %s a step", duration(3600*p.Hours), duration(p.StepSeconds))
	default:
		row("time", "about %s for 1000 steps", duration(1000*p.StepSeconds))
	}
	row("", "if every row were full, at %s", p.Speed.Assumption)
}

// printFit prints whether the plan fits into the memory of the device, if that is known, and else what would make it
// fit.
func printFit(row func(name, format string, args ...any), p plan.Plan) {
	switch {
	case p.Available == 0:
		return
	case p.Fits:
		row("fits", "with %s to spare", track.FormatBytes(p.Available-p.Peak))
		return
	}
	outcome := "no single setting makes it fit"
	if len(p.Remedies) > 0 {
		outcome = "each of these settings makes it fit:"
	}
	row("WARNING", "does not fit: the device has %s, of which %s are kept free; %s",
		track.FormatBytes(p.Available), track.FormatBytes(plan.Reserve), outcome)
	for _, remedy := range p.Remedies {
		row("", "%s", remedy)
	}
}

// printWork prints the costly operations of a program.
func printWork(w io.Writer, c device.Compiled) {
	if c.Work == nil {
		return
	}
	fmt.Fprintf(w, "\n  %s: matrix products, library calls and exchanges after optimisation\n", c.Name)
	for _, o := range c.Work.Operations {
		fmt.Fprintf(w, "  %9.3g FLOPs  %v\n", o.FLOPs, o)
	}
}
