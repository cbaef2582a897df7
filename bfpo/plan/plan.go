// Package plan compiles the training step of a recipe without weights and tells what it takes.
//
// Both users of the compiler go through Compile: a training stage compiles its step and then loads the weights, and
// `bfpo plan` prints what New reads from the compiled programs. A known model needs neither weights nor the hub.
package plan

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/step"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// Plan is what a training stage would take on a device, read from its compiled programs. Sizes are bytes on each device
// while the program runs that takes most, with what the other programs keep resident.
type Plan struct {
	Parameters int64   `json:"parameters"`
	Trainable  int64   `json:"trainable_parameters"`
	Devices    int     `json:"devices"`
	Peak       int64   `json:"bytes_per_device"` // inputs + temp + outputs - aliases
	Inputs     int64   `json:"inputs"`           // weights, state of the optimizer and gradients, and the batch
	Temp       int64   `json:"temp"`
	Outputs    int64   `json:"outputs"`
	Aliases    int64   `json:"aliases"` // of the outputs, what lies in place of inputs
	FLOPs      float64 `json:"flops_per_step"`
	Compile    float64 `json:"compile_seconds"`
	Steps      int     `json:"steps,omitempty"` // when the data can be read
	PerEpoch   int     `json:"steps_per_epoch,omitempty"`
	// Hours is an estimate for one epoch from FLOPs, which count every row as full: at most about so long.
	Hours float64 `json:"hours_per_epoch,omitempty"`
	// StepSeconds is the same estimate for one step.
	StepSeconds float64 `json:"seconds_per_step,omitempty"`

	Stage     string `json:"stage"`
	Model     string `json:"model"`
	Device    string `json:"device"`
	Mesh      string `json:"mesh"`
	Rows      int    `json:"rows"`      // of the largest batch, on each device
	Length    int    `json:"length"`    // of its rows, in tokens
	Attention string `json:"attention"` // how it is computed
	Available int64  `json:"available,omitempty"`
	Fits      bool   `json:"fits"` // in what is available, with Reserve to spare
	// Float32 is the share of the matrix products' arithmetic with both operands in float32.
	Float32  float64  `json:"float32_share,omitempty"`
	Remedies []string `json:"remedies,omitempty"` // settings that would make it fit
	Notes    []string `json:"notes,omitempty"`

	Speed *Speed `json:"speed,omitempty"` // what the estimates assume

	Memory   report.Memory     `json:"-"`
	Programs []device.Compiled `json:"-"` // grads, apply
}

// New compiles the programs of a training stage for rt's device without weights. Where the model and the data lie on
// this machine, the plan is for their batches; else it is for batches of full length, of a model that is known here.
func New(ctx context.Context, rt models.Runtime, c recipe.Config) (p Plan, err error) {
	network, shape, err := p.outline(ctx, rt, c)
	if err != nil {
		return p, err
	}
	started := time.Now()
	s, err := Compile(rt.Device, c, network, []batch.Shape{shape}, nil, rt.Log()) // evaluation takes less than training
	if err != nil {
		return p, err
	}
	defer s.Stepper.Close()
	p.Compile = math.Round(1e4*time.Since(started).Seconds()) / 1e4
	p.Parameters = network.Parameters()
	for i := range s.Names {
		p.Trainable += int64(s.Stepper.Masters.Shape(i).Size())
	}
	p.Stage, p.Device = c.Objective, rt.Device.Describe()
	p.Devices, p.Mesh = s.Stepper.Mesh().Devices(), s.Stepper.Mesh().String()
	p.Rows, p.Length = shape.Rows, shape.Length
	p.readPrograms(s, c)
	if err := ctx.Err(); err != nil { // a signal during the compilation
		return p, err
	}
	if p.FLOPs > 0 { // the Go backend does not count them
		speed, err := measureSpeed(rt.Device, c.ComputeDType(rt.Device.FastBF16()))
		if err != nil {
			return p, err
		}
		p.estimateTime(speed)
	}
	p.Fits = s.Fits()
	if !p.Fits {
		p.Remedies = s.Remedies()
	}
	return p, nil
}

// outline returns the network and the largest batch of a stage: from model and data where they are on this machine,
// else the known model and a batch of full length.
func (p *Plan) outline(
	ctx context.Context,
	rt models.Runtime,
	c recipe.Config,
) (network config.Config, shape batch.Shape, err error) {
	p.Model = c.Model
	if p.Model == "" {
		p.Model = c.Architecture
	}
	missing := remoteData(c, rt.Cache)
	if models.IsLocal(c.Model, rt.Cache) && len(missing) == 0 {
		in, err := data.Open(ctx, rt, c)
		if err != nil {
			return network, shape, err
		}
		p.Steps, p.PerEpoch = in.Count.Total, in.Count.PerEpoch
		return in.Checkpoint.Config, in.Shapes[len(in.Shapes)-1], in.Close()
	}
	if network, err = p.network(ctx, rt, c); err != nil {
		return network, shape, err
	}
	reason := "no tokenizer here"
	if len(missing) > 0 {
		reason = strings.Join(slices.Compact(missing), ", ") + " not read"
	}
	p.Notes = append(p.Notes, reason+": batches of full length; the number of steps is not known")
	return network, fullShape(c, network), data.CheckMaxLength(c, network)
}

// network returns the configuration of a model whose weights or data are not read.
func (p *Plan) network(ctx context.Context, rt models.Runtime, c recipe.Config) (config.Config, error) {
	network, known, err := knownArchitecture(p.Model)
	if err != nil || known {
		return network, err
	}
	if !models.IsLocal(p.Model, rt.Cache) {
		return network, c.UsageErrorf(
			"architecture",
			"the sizes of model %q are not known here: name a folder or file on this machine with "+
				"-model, or with -set=architecture=NAME one of %s",
			p.Model,
			strings.Join(slices.Sorted(maps.Keys(knownModels())), ", "),
		)
	}
	checkpoint, err := models.Open(ctx, p.Model, rt.Hub, rt.Cache, rt.Log())
	if err != nil {
		return network, err
	}
	return checkpoint.Config, checkpoint.Close()
}

// remoteData lists the data sets of a stage that are not on this machine.
func remoteData(c recipe.Config, cache string) (names []string) {
	mixers := []recipe.Mixer{c.DatasetMixer, c.EvalDatasetMixer}
	if c.UseBuffer {
		mixers = append(mixers, c.BufferDatasetMixer)
	}
	for _, m := range mixers {
		for _, share := range m {
			if !models.IsLocal(share.Name, cache) {
				names = append(names, share.Name)
			}
		}
	}
	return names
}

// fullShape is the largest batch that a recipe can ask of one device: a pair whose answers share nothing but their
// first token, or a row of documents.
func fullShape(c recipe.Config, m config.Config) batch.Shape {
	if c.Objective == "sft" {
		length := data.NewTextFormat(c, models.ChatTokenizer{}, m.MaxPositionEmbeddings).MaxLength
		return batch.Shape{Rows: step.RowsPerCall, Length: length, Targets: length, Responses: 1}
	}
	length := 2 * c.MaxLength
	return batch.Shape{
		Rows:      step.RowsPerCall,
		Length:    (length + 15) / 16 * 16,
		Targets:   (length + 31) / 32 * 32,
		Responses: 2,
	}
}

// readPrograms fills in what the compiled programs tell.
func (p *Plan) readPrograms(s Step, c recipe.Config) {
	grads, apply := s.Programs.Grads, s.Programs.Apply
	r := s.Stepper.Resident()
	worst, resident := grads, r.Moments
	if step.Peak(apply)+r.Base > step.Peak(worst)+resident {
		worst, resident = apply, r.Base
	}
	p.Inputs, p.Temp, p.Outputs, p.Aliases = worst.Inputs+resident, worst.Temp, worst.Outputs, worst.Aliases
	p.Peak = p.Inputs + p.Temp + p.Outputs - p.Aliases
	p.Memory, p.Programs, p.Available = s.Memory, []device.Compiled{grads, apply}, s.Memory.Available
	calls := c.PerDeviceTrainBatchSize * c.GradientAccumulationSteps
	if c.UseBuffer && c.Objective != "sft" {
		calls *= 2
	}
	p.FLOPs = float64(p.Devices) * (float64(calls)*grads.Work.FLOPs() + apply.Work.FLOPs())
	p.Attention, p.Float32 = attentionKind(grads.Work), float32Share(grads.Work)
}

// estimateTime estimates how long a step and an epoch take on devices of this speed.
func (p *Plan) estimateTime(s Speed) {
	p.Speed = &s
	if s.FLOPS > 0 {
		p.StepSeconds = p.FLOPs / float64(p.Devices) / s.FLOPS
		p.Hours = p.StepSeconds * float64(p.PerEpoch) / 3600
	}
}

// attentionKind describes how a program computes attention.
func attentionKind(w *device.Work) string {
	forward, backward := 0, 0
	if w != nil {
		for _, o := range w.Operations {
			switch fused := strings.HasPrefix(o.Name, "__cudnn$fmha"); {
			case fused && strings.HasSuffix(o.Name, "Backward"):
				backward += o.Count
			case fused:
				forward += o.Count
			}
		}
	}
	if forward == 0 {
		return "products and a softmax under a mask"
	}
	return fmt.Sprintf("cuDNN, the mask as a bias: %d calls forward, %d backward", forward, backward)
}

// float32Share returns the share of the arithmetic of matrix products that multiplies float32 by float32.
func float32Share(w *device.Work) float64 {
	var single float64
	if w == nil || w.FLOPs() == 0 {
		return 0
	}
	for _, o := range w.Operations {
		if len(o.Operands) == 2 && strings.HasPrefix(o.Operands[0], "f32[") && strings.HasPrefix(o.Operands[1], "f32[") {
			single += o.FLOPs
		}
	}
	return single / w.FLOPs()
}
