package study

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/measure"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/step"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/bfpo/train"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/mistral"
)

// Folders in the output folder.
const (
	runsDir     = "runs"
	measuredDir = "measured"
	markFile    = "study" // in measuredDir: the folder is a study's
)

// Run trains and measures all runs of a study and writes its results into dir. c has the settings that they share. A
// run that diverges is told by its name and left out of the comparisons. The error of an interrupted study wraps
// usage.ErrInterrupted; the same call continues it.
func Run(ctx context.Context, rt models.Runtime, c recipe.Config, s recipe.Study, dir string) (Result, error) {
	if err := claim(dir); err != nil {
		return Result{}, err
	}
	p := program{Runtime: rt, config: c, study: s, dir: dir}
	if err := p.check(ctx); err != nil {
		return Result{}, err
	}
	if c.OverwriteOutputDir { // results would else stand beside runs that are not theirs
		for _, name := range resultFiles() {
			if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return Result{}, fmt.Errorf("output folder: %w", err)
			}
		}
	}
	rt.Log().Info(fmt.Sprintf("%d runs, one for each setting and seed; measuring %s", len(s.Settings)*len(s.Seeds),
		c.Model))
	before, err := p.measure(ctx, c.Model, beforeName)
	if err != nil {
		return Result{}, p.interrupted(err)
	}
	all := []measured{}
	for i, setting := range s.Settings {
		for j, seed := range s.Seeds {
			name := fmt.Sprintf("%s-seed-%d", setting.Name, seed)
			rt.Log().Info(fmt.Sprintf("run %d of %d: %s", i*len(s.Seeds)+j+1, len(s.Settings)*len(s.Seeds), name))
			m, err := p.run(ctx, setting, seed, name)
			if diverged(err) {
				rt.Log().Warn(fmt.Sprintf("%s diverged and is left out of the comparisons: %v", name, err))
				m.failed, err = err.Error(), nil
			} else if err == nil && m.Tokens != before.Tokens {
				err = errors.New("its held-out rows become other tokens than with the model before training")
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

// diverged reports whether training or measuring ended at a number that is not finite.
func diverged(err error) bool {
	_, ok := errors.AsType[*track.NonFiniteError](err)
	return ok || errors.Is(err, mistral.ErrNotFinite) || errors.Is(err, step.ErrNotFinite)
}

// claim prepares the output folder. It refuses files that are not a study's, and links.
func claim(dir string) error {
	measured := filepath.Join(dir, measuredDir)
	mark := filepath.Join(measured, markFile)
	info, err := os.Lstat(measured)
	switch {
	case err == nil && !info.IsDir():
		return usage.Errorf("output folder: %s is no folder: remove it, or choose another -out", measured)
	case recipe.PathExists(filepath.Join(dir, rundir.Config)):
		return usage.Errorf("%s holds a training run: choose another -out", dir)
	case !recipe.PathExists(mark):
		for _, name := range append(resultFiles(), measuredDir) {
			if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
				return usage.Errorf("output folder: %s is not from a study and is not replaced: move it away, or choose "+
					"another -out", filepath.Join(dir, name))
			}
		}
	}
	for _, path := range []string{filepath.Join(dir, runsDir), measured} {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return fmt.Errorf("output folder: %w", err)
		}
	}
	if err := os.WriteFile(mark, nil, 0o644); err != nil {
		return fmt.Errorf("output folder: %w", err)
	}
	return nil
}

// program is a study under way.
type program struct {
	models.Runtime
	config recipe.Config
	study  recipe.Study
	dir    string
}

// check reads the rows of all settings and the held-out rows, so that a fault in them is found before anything is
// trained, and logs what there is to know about the held-out rows. It settles the date that the chat template writes:
// the date of the runs that this study continues, or today's.
func (p *program) check(ctx context.Context) error {
	for _, setting := range p.study.Settings {
		for _, seed := range p.study.Seeds {
			date, err := train.TemplateDate(p.runFolder(setting, seed))
			if err != nil {
				return err
			}
			if !p.config.OverwriteOutputDir {
				p.config.ChatTemplateDate = cmp.Or(p.config.ChatTemplateDate, date)
			}
		}
	}
	model, err := models.Open(ctx, p.config.Model, p.Hub, p.Cache, p.Log())
	if err != nil {
		return err
	}
	defer model.Close()
	language, err := models.NewChatTokenizer(ctx, model, p.config)
	if err != nil {
		return err
	}
	p.config.ChatTemplateDate = language.TemplateDate
	set, _, err := data.ReadEvaluation(ctx, p.config, model.Config, language, p.study.Eval, p.Hub, p.Cache, p.Log())
	if err != nil {
		return err
	}
	var trained []data.Set
	for i := range p.study.Settings {
		setting := &p.study.Settings[i]
		setting.Config.Model, setting.Config.ChatTemplateDate = p.config.Model, language.TemplateDate
		sets, err := data.Read(ctx, setting.Config, model.Config, language, p.Hub, p.Cache)
		if err != nil {
			return fmt.Errorf("setting %s: %w", setting.Name, err)
		}
		trained = append(trained, sets.Main, sets.Buffer)
	}
	data.NoteOverlap(&set, trained...)
	data.NoteRepeated(&set)
	if len(set.Drops)+len(set.Notes) > 0 {
		p.Log().Warn(set.String())
	}
	return nil
}

// runFolder is the folder of the run of one setting with one seed.
func (p program) runFolder(setting recipe.StudySetting, seed int64) string {
	return filepath.Join(p.dir, runsDir, fmt.Sprintf("%s-seed-%d", setting.Name, seed))
}

// run trains one setting with one seed, unless that is done, and measures the model.
func (p program) run(ctx context.Context, setting recipe.StudySetting, seed int64, name string) (measured, error) {
	dir, c := p.runFolder(setting, seed), setting.ForSeed(seed)
	c.PrecomputeRefLogProbs, c.ResumeFromCheckpoint = true, recipe.Off
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
	m.HeldOut, err = p.measure(ctx, filepath.Join(dir, rundir.Model), name)
	return m, err
}

// measure measures one model, or reads what was measured before. What there is to know about the rows has been logged.
func (p program) measure(ctx context.Context, model, name string) (measure.HeldOut, error) {
	c := p.config
	c.Model = model
	path := filepath.Join(p.dir, measuredDir, name+".json")
	return measure.StoredHeldOut(ctx, p.Runtime, c, p.study.Eval, p.study.MaxTokens, slog.New(slog.DiscardHandler), path)
}

// interrupted explains an interrupted measurement; training explains itself.
func (p program) interrupted(err error) error {
	if errors.Is(err, context.Canceled) && !errors.Is(err, usage.ErrInterrupted) {
		return fmt.Errorf("%w: the runs so far are in %s", usage.ErrInterrupted, p.dir)
	}
	return err
}
