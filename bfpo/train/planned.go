package train

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// remoteData are the data sets of a stage that are not here.
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

// unread says why the data is not read.
func unread(c recipe.Config, cache string) string {
	if missing := remoteData(c, cache); len(missing) > 0 {
		return strings.Join(slices.Compact(missing), ", ") + " not read"
	}
	return "no tokenizer here"
}

// fullShape is the largest micro-batch that a recipe can ask of one device: a pair whose answers share nothing but their first token, or a
// row of documents.
func fullShape(c recipe.Config, m config.Config) batch.Shape {
	if c.Objective == "sft" {
		length := data.TextFormat(c, models.Language{}, m.MaxPositionEmbeddings).MaxLength
		return batch.Shape{Rows: rowsOfCall, Length: length, Targets: length, Responses: 1}
	}
	length := 2 * c.MaxLength
	return batch.Shape{Rows: rowsOfCall, Length: (length + 15) / 16 * 16, Targets: (length + 31) / 32 * 32, Responses: 2}
}

// trainable are the names of the weights that a stage trains.
func (t *training) trainable(network config.Config) ([]string, error) {
	var patterns []string
	if t.config.UseSelective {
		patterns = t.config.SelectedLayers
	}
	names, err := mistral.Trainable(network, patterns)
	if err != nil {
		return nil, t.config.KeyErrorf("selected_layers", "%v", err)
	}
	return names, nil
}

// plan puts in the model's place what it will be on the device, and returns what a step will change: enough to compile programs for. It notes
// how much memory there is for them.
func (t *training) plan(network config.Config, names []string) Trained {
	var checkpoint *pretrained.Checkpoint
	if t.model != nil {
		checkpoint = t.model.Checkpoint
	}
	t.mesh = t.config.DeviceMesh()
	t.model = mistral.Planned(network, t.mesh, t.config.ComputeType())
	t.model.Checkpoint = checkpoint
	t.memory.Available = availableMemory(t.Device, t.mesh.Devices())
	state := func() *device.Tensors { return mistral.PlannedMasters(t.model, names) }
	return Trained{Masters: state(), M: state(), V: state()}
}

// fits tells whether the programs' memory is there.
func (t *training) fits() bool {
	return t.memory.Available == 0 || t.memory.Peak+Reserve <= t.memory.Available
}

// refusal is the error of a stage whose programs do not fit.
func (t *training) refusal() error {
	if t.fits() {
		return nil
	}
	advice := "no single setting makes it fit"
	if remedies := t.remedies(t.model.Config); len(remedies) > 0 {
		advice = "it would fit with " + strings.Join(remedies, ", or ")
	}
	return fmt.Errorf("a step takes more memory than there is: %s, and %s are to stay free; %s", strings.ReplaceAll(t.memory.String(), "\n", ": "),
		track.FormatBytes(Reserve), advice)
}

// remedies are changes of single settings after which the programs would fit, the smallest first. What lies on the devices is reckoned
// exactly; activations are taken as they are now, or in proportion to the length of rows.
func (t *training) remedies(network config.Config) (settings []string) {
	s := t.trainer.Stepper
	masters, base, temp := s.Masters.Bytes(), s.model.Base.Bytes(), t.memory.Peak
	resident := base + 4*masters
	temp -= resident
	shards := int64(1)
	if t.mesh != nil {
		shards = int64(t.mesh.Shards)
	}
	room := t.memory.Available - Reserve
	offer := func(resident, temp int64, format string, args ...any) {
		if resident+temp <= room {
			settings = append(settings, fmt.Sprintf(format, args...)+" ("+track.FormatBytes(resident+temp)+")")
		}
	}
	if length := t.config.MaxLength / 2; t.config.Objective != "sft" && length > 0 {
		offer(resident, temp/2, "-set=max_length=%d", length)
	}
	if base2 := base / 2; !t.config.BF16 && t.config.TorchDType != "bfloat16" {
		offer(base2+4*masters, temp, "-set=bf16=true")
	}
	if !t.config.UseSelective {
		if down := selectedBytes(network, "down_proj") / shards; down > 0 {
			offer(base+4*down, temp, "-set=use_selective=true -set=selected_layers=down_proj")
		}
	} else if n := network.NumHiddenLayers / 8; n > 0 {
		var last []string
		for i := network.NumHiddenLayers - n; i < network.NumHiddenLayers; i++ {
			last = append(last, fmt.Sprintf("layers.%d.mlp.down_proj", i))
		}
		offer(base+4*selectedBytes(network, "layers.0.mlp.down_proj")*int64(n)/shards, temp, "-set='selected_layers=[%s]'", strings.Join(last, ", "))
	}
	whole := wholeBytes(s.model.Base) + 4*wholeBytes(s.Masters)
	for _, n := range []int64{2, 4, 8} {
		if n > int64(t.memory.Devices) && len(settings) < 4 {
			offer(whole/n, temp, "-devices=%d -set=mesh=fsdp", n)
		}
	}
	if _, ahead := t.Device.Ahead(); ahead {
		for _, g := range device.GPUs() {
			if g.Usable() > t.memory.Available && g.Usable()-Reserve >= t.memory.Peak {
				settings = append(settings, fmt.Sprintf("-gpu=%s (%s)", g.Name, track.FormatBytes(g.Usable())))
			}
		}
	}
	return settings
}

// wholeBytes is the memory of tensors that lie on one device, whatever mesh they are on.
func wholeBytes(ts *device.Tensors) (n int64) {
	for i := range ts.Names {
		n += ts.Shape(i).ByteSize()
	}
	return n
}

// selectedBytes is the memory of the float32 copies of the weights that a pattern selects.
func selectedBytes(network config.Config, pattern string) (n int64) {
	for _, spec := range network.Tensors() {
		if strings.Contains(spec.Name, pattern) {
			n += 4 * spec.Elements()
		}
	}
	return n
}
