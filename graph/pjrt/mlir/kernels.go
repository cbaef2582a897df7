package mlir

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// EnvKernels is the environment variable that selects the kernels that programs call on CPUs: "off", or a
// comma-separated list of names of kernelGroups. If it is unset or empty, programs call all of them. It exists for
// measurements and to narrow down faults.
const EnvKernels = "BFPO_KERNELS"

// Kernels is a set of custom calls, by target name.
type Kernels map[string]bool

// Names of the custom calls.
const (
	ProductTarget           = "bfpo_product"
	RowsTarget              = "bfpo_rows"
	AttentionTarget         = "bfpo_attention"
	AttentionGradientTarget = "bfpo_attention_gradient"
	DecoderTarget           = "bfpo_decoder"
)

// kernelGroup is a group of custom calls that EnvKernels selects together.
type kernelGroup struct {
	name    string
	targets []string
}

// kernelGroups returns all groups.
func kernelGroups() []kernelGroup {
	return []kernelGroup{
		{"products", []string{ProductTarget, RowsTarget}},
		{"attention", []string{AttentionTarget, AttentionGradientTarget}},
		{"decoder", []string{DecoderTarget}},
	}
}

// KernelsFromEnvironment returns the kernels that EnvKernels selects, and an error if it has an unknown name.
func KernelsFromEnvironment() (Kernels, error) { return parseKernels(os.Getenv(EnvKernels)) }

func parseKernels(text string) (Kernels, error) {
	var names, known []string
	groups, selected := kernelGroups(), Kernels{}
	for _, group := range groups {
		known = append(known, group.name)
	}
	switch text {
	case "":
		names = known
	case "off":
	default:
		names = strings.Split(text, ",")
	}
	for _, name := range names {
		i := slices.Index(known, name)
		if i < 0 {
			return nil, fmt.Errorf("%s=%s: there are no kernels %q: want off, or some of %s separated by commas",
				EnvKernels, text, name, strings.Join(known, ","))
		}
		for _, target := range groups[i].targets {
			selected[target] = true
		}
	}
	return selected, nil
}
