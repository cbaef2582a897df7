// Package step runs optimizer steps of BFPO and of its sibling objectives on one model.
//
// A Stepper holds four programs, compiled by Compile or for the first batch of a shape: grads (one batch's losses, and
// their gradient added to the accumulator), apply (AdamW), measure (losses alone) and reference (the reference model's
// log-probabilities). The policy and the reference model share one copy of the weights: the reference model is the
// frozen base, and the policy is the same base with float32 masters in place of the weights that are trained.
//
// A unit is what has one loss: a pair, or a supervised row. Examples reach the programs as MicroBatches. A micro-batch
// is one draw of examples from one set, for all devices together, laid out in batches of a few static shapes, one batch
// per device and program call. An optimizer step accumulates the gradients of several micro-batches.
//
// The package knows no recipe: hyperparameters come in Options.
package step
