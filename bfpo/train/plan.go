package train

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// Plan is what a training stage would take on a device, as its compiled programs tell. Sizes are bytes on each device, while the program
// runs that takes most: with what the others leave resident.
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

	Stage     string   `json:"stage"`
	Model     string   `json:"model"`
	Device    string   `json:"device"`
	Mesh      string   `json:"mesh"`
	Rows      int      `json:"rows"`      // of the largest micro-batch, on each device
	Length    int      `json:"length"`    // of its rows, in tokens
	Attention string   `json:"attention"` // which way it is computed
	Available int64    `json:"available,omitempty"`
	Fits      bool     `json:"fits"`                    // in what is available, with Reserve to spare
	Float32   float64  `json:"float32_share,omitempty"` // of the arithmetic of matrix products, what both operands in float32 take
	Remedies  []string `json:"remedies,omitempty"`      // settings that would make it fit
	Notes     []string `json:"notes,omitempty"`

	Memory   report.Memory     `json:"-"`
	Programs []device.Compiled `json:"-"` // grads, apply
}

// Reserve is what a plan leaves free on a GPU: for its driver and libraries, and for the workspace of cuDNN, which is not counted where the
// device is not there.
const Reserve = 1 << 30

// NewPlan compiles the programs of a training stage for rt's device without weights. Where the model and the data lie on this machine, the
// plan is for their batches; else for batches of full length, of a model that is known here.
func NewPlan(ctx context.Context, rt models.Runtime, c recipe.Config) (p Plan, err error) {
	t := &training{Runtime: rt, config: c, name: c.Objective}
	defer func() { err = errors.Join(err, t.close()) }()
	network, err := t.outline(ctx, &p)
	if err != nil {
		return p, err
	}
	names, err := t.trainable(network)
	if err != nil {
		return p, err
	}
	started := time.Now()
	state := t.plan(network, names)
	t.shapes, t.held = t.shapes[len(t.shapes)-1:], nil // the largest batches; evaluation takes less than training
	if err := t.compile(state); err != nil {
		return p, err
	}
	p.Compile = rounded(time.Since(started).Seconds())
	p.Parameters = network.Parameters()
	for i := range names {
		p.Trainable += int64(t.trainer.Masters.Shape(i).Size())
	}
	p.Stage, p.Device = c.Objective, rt.Device.Describe()
	p.Devices, p.Mesh = t.mesh.Devices(), t.mesh.String()
	p.measure(t)
	p.Fits = t.fits()
	if !p.Fits {
		p.Remedies = t.remedies(network)
	}
	return p, nil
}

// outline reads model and data where they are here, and else takes the known model and batches of full length.
func (t *training) outline(ctx context.Context, p *Plan) (config.Config, error) {
	p.Model = t.config.Model
	if p.Model == "" {
		p.Model = t.config.Architecture
	}
	if models.IsLocal(t.config.Model, t.Cache) {
		if missing := remoteData(t.config, t.Cache); len(missing) == 0 {
			if err := t.open(ctx); err != nil {
				return config.Config{}, err
			}
			p.Steps = t.trainer.steps.Total
			return t.model.Config, nil
		}
	}
	network, known, err := knownArchitecture(p.Model)
	switch {
	case err != nil:
		return network, err
	case !known && models.IsLocal(p.Model, t.Cache):
		checkpoint, err := models.Open(ctx, p.Model, t.Hub, t.Cache, t.Notice)
		if err != nil {
			return network, err
		}
		network = checkpoint.Config
		if err := checkpoint.Close(); err != nil {
			return network, err
		}
	case !known:
		return network, t.config.KeyErrorf("architecture", "the sizes of model %q are not known here: name a folder or file on this machine with -model, "+
			"or with -set=architecture=NAME one of %s", p.Model, strings.Join(slices.Sorted(maps.Keys(knownModels)), ", "))
	}
	p.Notes = append(p.Notes, fmt.Sprintf("%s: batches of full length; the number of steps is not known", unread(t.config, t.Cache)))
	t.trainer = &Trainer{}
	t.shapes = []batch.Shape{fullShape(t.config, network)}
	return network, data.FitsModel(t.config, network)
}

// measure fills in what the compiled programs say.
func (p *Plan) measure(t *training) {
	grads, apply := t.programs[0], t.programs[1]
	s := t.trainer.Stepper
	worst, resident := grads, s.M.Bytes()+s.V.Bytes()
	if base := s.model.Base.Bytes(); peak(apply)+base > peak(worst)+resident {
		worst, resident = apply, base
	}
	p.Inputs, p.Temp, p.Outputs, p.Aliases = worst.Inputs+resident, worst.Temp, worst.Outputs, worst.Aliases
	p.Peak = p.Inputs + p.Temp + p.Outputs - p.Aliases
	p.Memory, p.Programs, p.Available = t.memory, t.programs, t.memory.Available
	largest := t.shapes[len(t.shapes)-1]
	p.Rows, p.Length = largest.Rows, largest.Length
	calls := t.config.PerDeviceTrainBatchSize * t.config.GradientAccumulationSteps
	if t.config.UseBuffer && t.config.Objective != "sft" {
		calls *= 2
	}
	p.FLOPs = float64(p.Devices) * (float64(calls)*grads.Work.FLOPs() + apply.Work.FLOPs())
	p.Attention, p.Float32 = attentionOf(grads.Work), float32Share(grads.Work)
}

// attentionOf says which way a program computes attention.
func attentionOf(w *device.Work) string {
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

// float32Share is the part of the arithmetic of matrix products that multiplies float32 by float32.
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
