// Package bfpo is the method: the losses of Bi-Factorial Preference Optimization (arXiv 2408.15313) and of the
// objectives that it is compared with, as pure functions of log-probabilities in GoMLX graphs.
//
// The packages below it train with them. In the order of a run:
//
//	recipe      a YAML recipe becomes a typed configuration
//	models      finds models and their tokenizers
//	data        reads and tokenises the sets of a stage
//	step        micro-batches, the four compiled programs of an optimizer step, the learning rate
//	plan        compiles a step and tells what memory it takes
//	train       one training stage, from the recipe to the folder that it leaves
//	measure     evaluates a model (package evaluate: tasks, metrics, judges)
//	study       one model trained in several ways on the same rows, and how the results compare
//	pipeline    the stages of a recipe, one after the other, and the comparison before and after
//	redteam     makes a preference set from a model's own judged answers and trains on it
//	bench       times the step on a file of pairs
//
// The leaves are usage (errors of the user), rundir (names of files), track (metrics and their files), report (pages,
// cards, tables), chart, checkpoint and compare.
package bfpo
