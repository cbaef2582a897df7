package plan

import (
	"fmt"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// Reserve is what a plan leaves free on a GPU: for its driver and libraries, and for the workspace of cuDNN, which is
// not counted where the device is not there.
const Reserve = 1 << 30

// Fits reports whether the memory that a step takes is there, with Reserve to spare.
func (s Step) Fits() bool {
	return s.Memory.Available == 0 || s.Memory.Peak+Reserve <= s.Memory.Available
}

// Refusal returns the error of a step that does not fit, with the settings that would make it fit; nil where it fits.
func (s Step) Refusal() error {
	if s.Fits() {
		return nil
	}
	advice := "no single setting makes it fit"
	if remedies := s.Remedies(); len(remedies) > 0 {
		advice = "it would fit with " + strings.Join(remedies, ", or ")
	}
	return fmt.Errorf("a step takes more memory than there is: %s, and %s are to stay free; %s",
		strings.ReplaceAll(s.Memory.String(), "\n", ": "), track.FormatBytes(Reserve), advice)
}

// Remedies lists changes of single settings after which the step would fit, the smallest first. What stays resident is
// computed exactly; activations are taken as they are now, or in proportion to the length of rows.
func (s Step) Remedies() []string {
	resident := s.Stepper.Resident()
	base, masters := resident.Base, resident.Masters
	o := offers{room: s.Memory.Available - Reserve}
	activations := s.Memory.Peak - base - 4*masters
	if length := s.recipe.MaxLength / 2; s.recipe.Objective != "sft" && length > 0 {
		o.add(base+4*masters+activations/2, "-set=max_length=%d", length)
	}
	if !s.recipe.BF16 && s.recipe.TorchDType != "bfloat16" {
		o.add(base/2+4*masters+activations, "-set=bf16=true")
	}
	if bytes, setting := s.fewerLayers(); bytes > 0 {
		o.add(base+4*bytes+activations, "%s", setting)
	}
	whole := wholeBytes(s.Stepper.Base()) + 4*wholeBytes(s.Stepper.Masters)
	for _, n := range []int64{2, 4, 8} {
		if n > int64(s.Memory.Devices) && len(o.settings) < 4 {
			o.add(whole/n+activations, "-devices=%d -set=mesh=fsdp", n)
		}
	}
	if _, ahead := s.device.TargetGPU(); ahead {
		for _, g := range device.GPUs() {
			if g.UsableMemory() > s.Memory.Available && g.UsableMemory()-Reserve >= s.Memory.Peak {
				o.settings = append(o.settings, fmt.Sprintf("-gpu=%s (%s)", g.Name, track.FormatBytes(g.UsableMemory())))
			}
		}
	}
	return o.settings
}

// offers gathers the settings that fit in a room.
type offers struct {
	room     int64
	settings []string
}

// add takes a setting under which a step takes bytes, if that fits.
func (o *offers) add(bytes int64, format string, args ...any) {
	if bytes <= o.room {
		o.settings = append(o.settings, fmt.Sprintf(format, args...)+" ("+track.FormatBytes(bytes)+")")
	}
}

// fewerLayers returns a setting that trains fewer weights, and the bytes of its masters on each device, or 0 if there
// is none.
func (s Step) fewerLayers() (bytes int64, setting string) {
	shards := int64(1)
	if mesh := s.Stepper.Mesh(); mesh != nil {
		shards = int64(mesh.Shards)
	}
	if !s.recipe.UseSelective {
		return selectedBytes(s.network, "down_proj") / shards, "-set=use_selective=true -set=selected_layers=down_proj"
	}
	n := s.network.NumHiddenLayers / 8
	var last []string
	for i := s.network.NumHiddenLayers - n; i < s.network.NumHiddenLayers; i++ {
		last = append(last, fmt.Sprintf("layers.%d.mlp.down_proj", i))
	}
	bytes = selectedBytes(s.network, "layers.0.mlp.down_proj") * int64(n) / shards
	return bytes, fmt.Sprintf("-set='selected_layers=[%s]'", strings.Join(last, ", "))
}

// wholeBytes returns the memory of tensors that lie on one device, whatever mesh they are on.
func wholeBytes(ts *device.TensorSet) (n int64) {
	for i := range ts.Names {
		n += ts.Shape(i).ByteSize()
	}
	return n
}

// selectedBytes returns the memory of float32 copies of the weights that a pattern selects.
func selectedBytes(network config.Config, pattern string) (n int64) {
	for _, spec := range network.Tensors() {
		if strings.Contains(spec.Name, pattern) {
			n += 4 * spec.Elements()
		}
	}
	return n
}
