// Package train runs one training stage from its recipe to the folder that it leaves.
//
//	data.Open ──▶ Load: plan.Compile, and the weights on the device ──▶ Stage
//	Stage ──▶ PrecomputeReference, if the recipe asks for it ──▶ Training.Steps ──▶ Finish
//
// Train does all of this. A program that wants the loop for itself begins a Training and ranges over its Steps; a
// program that wants single optimizer steps, such as package bench, loads a Stage and calls its Trainer.
package train

import (
	"context"
	"errors"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/report"
)

// Train runs one training stage and leaves its model, metrics, checkpoints and report in dir. It returns what a report
// shows of the stage, and its model card. An interrupted run returns an error that wraps usage.ErrInterrupted after it
// has saved a checkpoint.
func Train(
	ctx context.Context,
	rt models.Runtime,
	c recipe.Config,
	dir string,
) (part report.Stage, card report.Card, err error) {
	t, err := Begin(ctx, rt, c, dir)
	if err != nil {
		return report.Stage{}, report.Card{}, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	for _, err := range t.Steps(ctx) {
		if err != nil {
			return report.Stage{}, report.Card{}, err
		}
	}
	return t.Finish()
}
