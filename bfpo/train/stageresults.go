package train

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/track"
)

// writeResults leaves the files that say how the run went; train_results.json, by which a finished run is known, comes last.
func (t *training) writeResults() error {
	records, c := t.metrics.Records(), t.config
	state := track.TrainerState{
		Epoch: t.trainer.epochs(), EvalSteps: c.EvalSteps, GlobalStep: t.trainer.Step, LoggingSteps: c.LoggingSteps,
		MaxSteps: t.trainer.steps.Total, NumTrainEpochs: c.NumTrainEpochs, SaveSteps: c.SaveSteps, TrainBatchSize: c.PerDeviceTrainBatchSize,
		LogHistory: track.LogHistory(records, c.LoggingSteps, t.trainer.steps.Total),
	}
	if t.best != nil {
		path := filepath.Join(rundir.Checkpoints, fmt.Sprintf("%s%d", rundir.StepPrefix, t.best.Step))
		state.BestMetric, state.BestModelCheckpoint = &t.best.Value, &path
	}
	if err := state.Write(t.dir); err != nil {
		return err
	}
	if err := report.Write(filepath.Join(t.dir, rundir.Report), report.Report{
		Title: "bfpo: " + filepath.Base(t.dir), Subtitle: describeObjective(t.trainer.options.Objective), Created: time.Now(),
		Stages: []report.Stage{t.report()}, Environment: Environment(t.Runtime),
	}); err != nil {
		return err
	}
	if err := WriteCards(t.dir, t.card()); err != nil {
		return err
	}
	for i := len(records) - 1; i >= 0; i-- {
		if records[i].Evaluation() {
			if err := track.WriteEvalResults(t.dir, records[i]); err != nil {
				return err
			}
			break
		}
	}
	loss, _ := track.MeanLoss(records)
	rows := t.trainer.main.rows()
	return track.TrainResults{
		Epoch: t.trainer.epochs(), Loss: loss, Runtime: time.Since(t.started), Samples: rows,
		Seen: int(t.trainer.epochs() * float64(rows)), Steps: t.trainer.Step,
	}.Write(t.dir)
}

// card is the model card, without what a later evaluation finds.
func (t *training) card() report.Card {
	card := report.Card{
		Name: filepath.Base(filepath.Dir(t.dir)) + "-" + filepath.Base(t.dir), Base: t.config.Model, Objective: t.trainer.options.Objective,
		Settings: t.facts, Version: t.Version,
	}
	for _, mixer := range []recipe.Mixer{t.config.DatasetMixer, t.config.BufferDatasetMixer} {
		for _, share := range mixer {
			card.Datasets = append(card.Datasets, share.Name)
		}
	}
	for _, fact := range t.facts {
		if fact.Name == "trained" {
			card.Trained = fact.Value
		}
	}
	return card
}

// writeCards writes a model card into a run's folder and its model's.
func WriteCards(dir string, card report.Card) error {
	for _, folder := range []string{dir, filepath.Join(dir, rundir.Model)} {
		if err := report.WriteCard(filepath.Join(folder, rundir.Card), card); err != nil {
			return err
		}
	}
	return nil
}
