package study

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/bfpo-go/bfpo/bfpo/measure"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/train"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// Folders in the output folder.
const (
	runsDir     = "runs"
	measuredDir = "measured"
)

// Run trains and measures all runs of a study and writes its results into dir. c has the settings that they share. The
// error of an interrupted study wraps usage.ErrInterrupted; the same call continues it.
func Run(ctx context.Context, rt models.Runtime, c recipe.Config, s recipe.Study, dir string) (Result, error) {
	for _, name := range []string{runsDir, measuredDir} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return Result{}, fmt.Errorf("output folder: %w", err)
		}
	}
	p := program{Runtime: rt, config: c, study: s, dir: dir}
	rt.Log().Info(fmt.Sprintf("%d runs, one for each setting and seed; measuring %s", len(s.Settings)*len(s.Seeds),
		c.Model))
	before, err := p.measure(ctx, c.Model, beforeName, rt.Log())
	if err != nil {
		return Result{}, p.interrupted(err)
	}
	all := []measured{}
	for i, setting := range s.Settings {
		for j, seed := range s.Seeds {
			name := fmt.Sprintf("%s-seed-%d", setting.Name, seed)
			rt.Log().Info(fmt.Sprintf("run %d of %d: %s", i*len(s.Seeds)+j+1, len(s.Settings)*len(s.Seeds), name))
			m, err := p.run(ctx, setting, seed, name)
			if err == nil && !m.SamePairs(before) {
				err = errors.New("its held-out pairs are not those of the model before training: a setting must not change " +
					"how rows become tokens")
			}
			if err != nil {
				return Result{}, p.interrupted(fmt.Errorf("%s: %w", name, err))
			}
			all = append(all, m)
		}
	}
	r := newResult(s, before, all)
	return r, write(dir, rt.Version, r, before, all)
}

// program is a study under way.
type program struct {
	models.Runtime
	config recipe.Config
	study  recipe.Study
	dir    string
}

// run trains one setting with one seed, unless that is done, and measures the model.
func (p program) run(ctx context.Context, setting recipe.StudySetting, seed int64, name string) (measured, error) {
	dir := filepath.Join(p.dir, runsDir, name)
	c := setting.ForSeed(seed)
	c.Model, c.PrecomputeRefLogProbs, c.ResumeFromCheckpoint = p.config.Model, true, recipe.Off
	if recipe.PathExists(filepath.Join(dir, rundir.Checkpoints)) && !c.OverwriteOutputDir {
		c.ResumeFromCheckpoint = recipe.On
	}
	m := measured{setting: setting, seed: seed, model: filepath.Join(runsDir, name)}
	if rundir.Finished(dir) && !c.OverwriteOutputDir {
		if err := train.CheckFinished(ctx, p.Runtime, c, dir); err != nil {
			return m, err
		}
	} else if _, _, err := train.Train(ctx, p.Runtime, c, dir); err != nil {
		return m, err
	}
	var err error
	m.HeldOut, err = p.measure(ctx, filepath.Join(dir, rundir.Model), name, slog.New(slog.DiscardHandler))
	return m, err
}

// measure measures one model, or reads what was measured before. log gets what there is to know about the rows.
func (p program) measure(ctx context.Context, model, name string, log *slog.Logger) (measure.HeldOut, error) {
	c := p.config
	c.Model = model
	path := filepath.Join(p.dir, measuredDir, name+".json")
	return measure.StoredHeldOut(ctx, p.Runtime, c, p.study.Eval, p.study.MaxTokens, log, path)
}

// interrupted explains an interrupted measurement; training explains itself.
func (p program) interrupted(err error) error {
	if errors.Is(err, context.Canceled) && !errors.Is(err, usage.ErrInterrupted) {
		return fmt.Errorf("%w: the runs so far are in %s", usage.ErrInterrupted, p.dir)
	}
	return err
}
