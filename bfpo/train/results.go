package train

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// writeResults goes back to the best step where the recipe says so, and writes the model and the files that tell how
// the run went. train_results.json, by which a finished run is known, comes last.
func (t *Training) writeResults() (part report.Stage, card report.Card, err error) {
	if err = t.saver.saving.wait(); err != nil {
		return part, card, err
	}
	if err = t.saver.restoreBest(); err != nil {
		return part, card, err
	}
	s := t.stage
	model := filepath.Join(t.dir, rundir.Model)
	dtype := s.Config.ExportDType(s.Inputs.Checkpoint.Config.DType)
	if err = pretrained.Export(model, s.Inputs.Checkpoint, s.Trainer.Masters, dtype); err != nil {
		return part, card, err
	}
	s.Log().Info(fmt.Sprintf("model written to %s (%s)", model, track.FormatDuration(time.Since(t.started))))
	part, card = t.reportPart(), t.modelCard()
	if err = t.trainerState().Write(t.dir); err != nil {
		return part, card, err
	}
	if err = report.Write(filepath.Join(t.dir, rundir.Report), report.Report{
		Title: "bfpo: " + filepath.Base(t.dir), Subtitle: s.Config.TrainingObjective().String(),
		Created: time.Now(),
		Stages:  []report.Stage{part}, Environment: Environment(s.Runtime),
	}); err != nil {
		return part, card, err
	}
	if err = WriteCards(t.dir, card); err != nil {
		return part, card, err
	}
	if err = t.writeProvenance(); err != nil {
		return part, card, err
	}
	if err = rundir.Record(t.dir); err != nil {
		return part, card, err
	}
	return part, card, t.writeMetrics()
}

// trainerState returns the run's history as transformers writes it.
func (t *Training) trainerState() track.TrainerState {
	s, c := t.stage, t.stage.Config
	state := track.TrainerState{
		Epoch: s.Trainer.Epochs(), EvalSteps: c.EvalSteps, GlobalStep: s.Trainer.Step, LoggingSteps: c.LoggingSteps,
		MaxSteps: t.Total(), NumTrainEpochs: c.NumTrainEpochs, SaveSteps: c.SaveSteps,
		TrainBatchSize: c.PerDeviceTrainBatchSize,
		LogHistory:     track.LogHistory(t.metrics.Records(), c.LoggingSteps, t.Total()),
	}
	if best := t.saver.best; best != nil {
		path := filepath.Join(rundir.Checkpoints, fmt.Sprintf("%s%d", rundir.StepPrefix, best.Step))
		state.BestMetric, state.BestModelCheckpoint = &best.Value, &path
	}
	return state
}

// writeMetrics writes eval_results.json, if there was an evaluation, all_results.json and train_results.json.
func (t *Training) writeMetrics() error {
	records := t.metrics.Records()
	for i := len(records) - 1; i >= 0; i-- {
		if records[i].IsEvaluation() {
			if err := track.WriteEvalResults(t.dir, records[i]); err != nil {
				return err
			}
			break
		}
	}
	loss, _ := track.MeanLoss(records)
	trainer := t.stage.Trainer
	return track.TrainResults{
		Epoch: trainer.Epochs(), Loss: loss, Runtime: time.Since(t.started), Samples: trainer.Rows(),
		Seen: int(trainer.Epochs() * float64(trainer.Rows())), Steps: trainer.Step,
	}.Write(t.dir)
}

// reportPart returns the stage's part of report.html.
func (t *Training) reportPart() report.Stage {
	s := t.stage
	text, _ := s.Config.YAML() // written to config.yaml before
	part := report.Stage{
		Title: strings.ToUpper(t.name), Objective: s.Config.TrainingObjective(), TotalSteps: t.Total(),
		Facts: t.facts, Records: t.metrics.Records(), Memory: s.Plan.Memory, Config: string(text),
	}
	for _, set := range s.Inputs.Sets.NonEmpty() {
		part.Data = append(part.Data, set.SetSummary)
	}
	if t.loop != nil {
		part.Answers = report.GroupByPrompt(t.loop.answers)
	}
	return part
}

// modelCard returns the model card, without what a later evaluation finds.
func (t *Training) modelCard() report.Card {
	c := t.stage.Config
	card := report.Card{
		Name: report.RunName(t.dir), Base: c.Model,
		Objective: c.TrainingObjective(), Settings: t.facts, Version: t.stage.Version,
	}
	card.Datasets = append(c.DatasetMixer.Names(), c.BufferDatasetMixer.Names()...)
	for _, fact := range t.facts {
		if fact.Name == "trained" {
			card.Trained = fact.Value
		}
	}
	return card
}

// WriteCards writes a model card into a run's folder and into its model's.
func WriteCards(dir string, card report.Card) error {
	for _, folder := range []string{dir, filepath.Join(dir, rundir.Model)} {
		if err := report.WriteCard(filepath.Join(folder, rundir.Card), card); err != nil {
			return err
		}
	}
	return nil
}

// Finish writes the model and the results into the run's folder, and returns the stage's part of a report and its model
// card. It refuses a run with steps left: that one can be resumed.
func (t *Training) Finish() (report.Stage, report.Card, error) {
	if done := t.stage.Trainer.Step; done < t.Total() {
		return report.Stage{}, report.Card{}, fmt.Errorf("%s: %d of %d steps are done: range over Steps "+
			"again, or set max_steps=%d", t.dir, done, t.Total(), done)
	}
	part, card, err := t.writeResults()
	if err != nil {
		err = t.saver.explain(err)
	}
	return part, card, err
}
