// Package mlir rewrites the StableHLO text of a program before a PJRT plugin compiles it. It works on text alone
// and needs no plugin.
//
// Each rewrite looks for lines in the form in which go-xla writes them. Text in any other form stays as it is, so a
// rewrite that finds nothing costs speed or memory but never changes a result.
package mlir

import "strings"

// Options say what a program is compiled for.
type Options struct {
	CPU     bool    // the plugin compiles for the host's processor
	Kernels Kernels // custom calls that the plugin knows; used on CPUs only
	BF16x3  bool    // float32 products may be computed as three products of bfloat16, see BF16x3
}

// Rewrite returns the text that the plugin compiles instead of text.
func Rewrite(text string, o Options) string {
	text = fuseCollectives(aliasDonors(text))
	if !o.CPU {
		return text
	}
	text = simplifyDots(text)
	kernels := o.Kernels
	if strings.Contains(text, "sdy.mesh") { // XLA cannot partition a custom call
		kernels = nil
	}
	return callProducts(callMarked(text, kernels), kernels, o.BF16x3)
}
