// Package pipeline runs the stages of a recipe one after the other and reports on all of them together.
//
// Run trains each stage on the model of the stage before, then evaluates the first and the last model on the same
// held-out rows and tasks, and writes one report. A Pipeline holds what the stages pass on: the models, the comparison
// and the parts of the report. Package redteam drives a Pipeline itself, since it prepares its data first. Export
// writes a model, a run or a checkpoint as a Hugging Face folder.
//
// The package is a client of bfpo/train, which trains one stage, and of bfpo/measure, which evaluates tasks. It
// refuses an output folder that holds a finished run. It skips the stages that an earlier run finished if the recipe
// resumes it.
//
// Files, from top to bottom: run.go runs a recipe, evaluate.go and tasks.go are the evaluation stage, and pipeline.go
// has the training stages and the report. export.go stands alone.
package pipeline
