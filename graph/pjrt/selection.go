package pjrt

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// EnvKernels is the environment variable that selects the kernels which compiled programs call on CPUs: off, or a comma-separated list of
// the names in kernelNames. Unset or empty, all are used. It exists for measurements and for narrowing down faults.
const EnvKernels = "BFPO_KERNELS"

// kernelNames are the groups of kernels that EnvKernels selects.
var kernelNames = []string{"products", "attention", "gradients", "decoder"}

// kernelTargets are the custom calls of each group.
var kernelTargets = map[string][]string{
	"products":  {productTarget, rowsTarget},
	"attention": {attentionTarget, attentionGradientTarget},
	"gradients": {weighedRowsTarget, gateGradientTarget},
	"decoder":   {decoderTarget},
}

// Kernels is the set of custom calls that programs may contain, by their names.
type Kernels map[string]bool

// KernelsFromEnvironment returns the kernels that EnvKernels selects.
func KernelsFromEnvironment() (Kernels, error) {
	names := kernelNames
	switch value := os.Getenv(EnvKernels); value {
	case "":
	case "off":
		names = nil
	default:
		names = strings.Split(value, ",")
	}
	selected := Kernels{}
	for _, name := range names {
		if !slices.Contains(kernelNames, name) {
			return nil, fmt.Errorf("%s names the kernels %q: want off, or some of %s separated by commas", EnvKernels, name,
				strings.Join(kernelNames, ","))
		}
		for _, target := range kernelTargets[name] {
			selected[target] = true
		}
	}
	return selected, nil
}
