package plan

import (
	"fmt"
	"slices"
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
	if length := s.longestLength(o.room-base-4*masters, activations); length > 0 {
		share := float64(length) / float64(s.recipe.MaxLength)
		o.add(base+4*masters+int64(share*float64(activations)), "-set=max_length=%d", length)
	}
	half := s.recipe.BF16 || s.recipe.TorchDType == "bfloat16" // the base is in bfloat16 already
	if !half {
		o.add(base/2+4*masters+activations, "-set=bf16=true")
	}
	if bytes, setting := s.mostLayers(o.room - base - activations); bytes > 0 {
		o.add(base+4*bytes+activations, "%s", setting)
	} else if bytes, setting := s.mostLayers(o.room - base/2 - activations); bytes > 0 && !half {
		o.add(base/2+4*bytes+activations, "-set=bf16=true %s", setting)
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

// longestLength returns the largest max_length, a multiple of 32, whose activations fit in a room, or 0 if there is
// none below the present one. Activations are taken in proportion to the length.
func (s Step) longestLength(room, activations int64) int {
	if s.recipe.Objective == "sft" || room <= 0 || activations <= 0 {
		return 0
	}
	length := int(float64(s.recipe.MaxLength)*float64(room)/float64(activations)) / 32 * 32
	if length >= s.recipe.MaxLength {
		return 0
	}
	return length
}

// mostLayers returns the setting that trains the most of the last layers whose masters, moments and gradients fit in a
// room, and the bytes of the masters on each device, or 0 if not even one layer fits. If the recipe trains all weights,
// the setting trains down_proj.
func (s Step) mostLayers(room int64) (bytes int64, setting string) {
	shards := int64(1)
	if mesh := s.Stepper.Mesh(); mesh != nil {
		shards = int64(mesh.Shards)
	}
	first, trained := "", func(name string) bool { return slices.Contains(s.Names, name) }
	if !s.recipe.UseSelective {
		first, trained = "-set=use_selective=true ", func(name string) bool { return strings.Contains(name, "down_proj") }
		if bytes := selectedBytes(s.network, "down_proj") / shards; 4*bytes <= room {
			return bytes, first + "-set=selected_layers=down_proj"
		}
	}
	layers, all := s.network.NumHiddenLayers, true
	var names []string
	count := 0
	for i := layers - 1; i >= 0; i-- {
		var layer []string
		more := int64(0)
		for _, spec := range s.network.Tensors() {
			if strings.Contains(spec.Name, fmt.Sprintf("layers.%d.", i)) && trained(spec.Name) {
				name := strings.TrimSuffix(strings.TrimPrefix(spec.Name, "model."), ".weight")
				layer, more = append(layer, name), more+4*spec.Elements()/shards
			}
		}
		if 4*(bytes+more) > room {
			all = false
			break
		}
		if len(layer) > 0 {
			names, count = append(layer, names...), count+1
		}
		bytes += more
	}
	if count == 0 || all { // none fits, or nothing has to go
		return 0, ""
	}
	return bytes, fmt.Sprintf("%s-set='selected_layers=[%s]', the last %d of %d layers, the most that fit", first,
		strings.Join(names, ", "), count, layers)
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
