package pretrained

import (
	"fmt"
	"strings"

	"github.com/bfpo-go/bfpo/mistral/config"
)

// unusedTensors lists the names of tensors that the network does not have. Buffers that it computes anew are left out.
func unusedTensors(c config.Config, names []string) []string {
	known := map[string]bool{config.LMHead: true} // a tied model may store a copy of the embedding
	for _, spec := range c.Tensors() {
		known[spec.Name] = true
	}
	var unused []string
	for _, name := range names {
		if !known[name] && !strings.HasSuffix(name, "rotary_emb.inv_freq") { // old models store it
			unused = append(unused, name)
		}
	}
	return unused
}

// refuseTensors refuses unused tensors that would change what the network computes.
func refuseTensors(c config.Config, unused []string) error {
	for _, name := range unused {
		switch {
		case strings.Contains(name, "lora_"):
			return fmt.Errorf("tensor %s is part of an adapter, and adapters are not supported: merge the adapter into "+
				"its model first (merge_and_unload of PEFT)", name)
		case strings.HasPrefix(name, "model."), strings.HasPrefix(name, "lm_head."):
			return fmt.Errorf("tensor %s is not part of a plain %s", name, c.Architecture)
		}
	}
	return nil
}

// describeUnused returns a notice about unused tensors, such as the head of a reward model, whose name does not begin
// with "model.". It is empty without any, and where refuseTensors refuses one.
func describeUnused(c config.Config, unused []string) string {
	const most = 5 // names
	if len(unused) == 0 || refuseTensors(c, unused) != nil {
		return ""
	}
	names := strings.Join(unused[:min(most, len(unused))], ", ")
	if more := len(unused) - most; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	if len(unused) == 1 {
		return fmt.Sprintf("1 tensor that a %s does not have is not used: %s", c.Architecture, names)
	}
	return fmt.Sprintf("%d tensors that a %s does not have are not used: %s", len(unused), c.Architecture, names)
}
